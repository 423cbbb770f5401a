# SPDX-License-Identifier: Apache-2.0
"""Real-time chunking: let a new chunk begin as the chunk in execution goes on (arXiv 2506.07339).

While the network thinks, the robot executes ``delay`` more rows of the old chunk. The new chunk is
pulled towards them by the gradient of its own denoised estimate, so that no seam and no pause
arises. Each Euler step costs a forward and a backward pass.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hiors_core.errors import InvalidValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Guidance:
    """What the new chunk must agree with.

    Attributes:
        previous: (B, H, action_dim) normalised actions of the chunk in execution, shifted so that
            row 0 is meant for the same time as row 0 of the new chunk; rows past its end: zeros.
        delay: d, rows that will have been executed when the new chunk arrives.
        overlap: rows of ``previous`` that exist, H - s in the paper, at least ``delay``.
        max_weight: beta, limit of the pull.
    """

    previous: Tensor
    delay: int
    overlap: int
    max_weight: float = 10.0

    def __post_init__(self) -> None:
        horizon = self.previous.shape[1]
        if not 0 <= self.delay <= self.overlap <= horizon:
            raise InvalidValue(
                f"Guidance needs 0 <= delay <= overlap <= H, got delay {self.delay}, "
                f"overlap {self.overlap}, H {horizon}"
            )

    def row_weights(self) -> Tensor:
        """Return W, (H,): 1 for executed rows, falling to 0 where the old chunk ends (eq. 5)."""
        rows = torch.arange(self.previous.shape[1], dtype=torch.float32)
        fall = (self.overlap - rows) / (self.overlap - self.delay + 1)
        fall = fall.clamp(0.0, 1.0)
        soft = fall * torch.expm1(fall) / (torch.e - 1.0)
        return torch.where(rows < self.delay, torch.ones(()), soft)

    def velocity(self, model: Any, context: Any, x: Tensor, time: float) -> Tensor:
        """Return the network's velocity plus the pull, in the network's sign (noise - action)."""
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            velocity = model.velocity(context, x, x.new_full((x.shape[0],), time))
            estimate = x - time * velocity
            weights = self.row_weights().to(x)[None, :, None]
            miss = (self.previous.to(x) - estimate.detach()) * weights
            (pull,) = torch.autograd.grad(estimate, x, miss)
        return velocity.detach() - self._strength(time) * pull

    def _strength(self, time: float) -> float:
        done = 1.0 - time
        if done <= 0.0:
            return self.max_weight
        radius = time**2 / (done**2 + time**2)
        return min(self.max_weight, time / (done * radius)) if radius > 0.0 else self.max_weight
