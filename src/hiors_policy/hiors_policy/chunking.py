# SPDX-License-Identifier: Apache-2.0
"""Real-time chunking (arXiv 2506.07339): a flow whose chunk goes on as the one in execution does.

While a network thinks, the robot executes ``delay`` more rows. The new chunk is pulled towards
what is left of the old one by the gradient of its own denoised estimate: fully in the rows that
will have been executed, less and less where both may still change. Knows no network and no robot.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from hiors_core.errors import InvalidValue

MAX_WEIGHT = 10.0
"""beta: limit of the pull."""


def row_weights(horizon: int, delay: int, overlap: int) -> Tensor:
    """Return W, (H,): 1 for ``delay`` rows, falling to 0 at row ``overlap`` (eq. 5)."""
    if not 0 <= delay <= overlap <= horizon:
        raise InvalidValue(
            f"Guidance needs 0 <= delay <= overlap <= H, got delay {delay}, overlap {overlap},"
            f" H {horizon}"
        )
    rows = torch.arange(horizon, dtype=torch.float32)
    fall = ((overlap - rows) / (overlap - delay + 1)).clamp(0.0, 1.0)
    soft = fall * torch.expm1(fall) / (math.e - 1.0)
    return torch.where(rows < delay, torch.ones(()), soft)


def strength(u: float, max_weight: float = MAX_WEIGHT) -> float:
    """Return the weight of the pull at flow time u, 0 for noise, 1 for the action (eq. 2)."""
    left = 1.0 - u
    if u <= 0.0 or left <= 0.0:
        return max_weight
    return min(max_weight, (u**2 + left**2) / (u * left))


def integrate_after(
    velocity: Callable[[Tensor, float], Tensor],
    x0: Tensor,
    steps: int,
    known: Tensor,
    delay: int,
) -> Tensor:
    """Return x¹ (B, H, A) that goes on from ``known`` (B, n, A), n <= H; its first ``delay`` rows
    are those of ``known``, for they will have been executed.

    Args:
        velocity: v(x, u) = dx/du towards the action; differentiable in x.
    """
    horizon, overlap = x0.shape[1], known.shape[1]
    weights = row_weights(horizon, delay, overlap).to(x0)[None, :, None]
    target = torch.zeros_like(x0)
    target[:, :overlap] = known
    x = x0
    for step in range(steps):
        u = step / steps
        with torch.enable_grad():
            point = x.detach().requires_grad_()
            found = velocity(point, u)
            estimate = point + (1.0 - u) * found
            miss = (target - estimate.detach()) * weights
            (pull,) = torch.autograd.grad(estimate, point, miss)
        x = x + (found.detach() + strength(u) * pull) / steps
    return torch.cat([known[:, :delay], x[:, delay:]], dim=1)
