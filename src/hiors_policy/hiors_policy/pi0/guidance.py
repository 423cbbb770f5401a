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

from hiors_policy.chunking import MAX_WEIGHT, row_weights, strength


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
    max_weight: float = MAX_WEIGHT

    def __post_init__(self) -> None:
        self.row_weights()

    def row_weights(self) -> Tensor:
        """Return W, (H,): 1 for executed rows, falling to 0 where the old chunk ends (eq. 5)."""
        return row_weights(self.previous.shape[1], self.delay, self.overlap)

    def velocity(self, model: Any, context: Any, x: Tensor, time: float) -> Tensor:
        """Return the network's velocity plus the pull, in the network's sign (noise - action)."""
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            velocity = model.velocity(context, x, x.new_full((x.shape[0],), time))
            estimate = x - time * velocity
            weights = self.row_weights().to(x)[None, :, None]
            miss = (self.previous.to(x) - estimate.detach()) * weights
            (pull,) = torch.autograd.grad(estimate, x, miss)
        return velocity.detach() - strength(1.0 - time, self.max_weight) * pull
