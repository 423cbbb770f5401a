# SPDX-License-Identifier: Apache-2.0
"""What the network is asked about, as tensors: images, prompt, state. Knows no robot."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from hiors_core.errors import InvalidValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Pi0Inputs:
    """A batch of B observations.

    Attributes:
        images: (B, C, 3, S, S) float, -1 .. 1, black is -1.
        image_mask: (B, C) bool, False where a camera is absent.
        tokens: (B, T) int64 prompt, padded on the right. token_mask: (B, T) bool.
        state: (B, state_dim) float, normalised and padded with zeros.
    """

    images: Tensor
    image_mask: Tensor
    tokens: Tensor
    token_mask: Tensor
    state: Tensor

    def __post_init__(self) -> None:
        batch, cameras = self.images.shape[:2] if self.images.ndim == 5 else (-1, -1)
        wanted = {
            "image_mask": (batch, cameras),
            "tokens": (batch, self.tokens.shape[-1]),
            "token_mask": tuple(self.tokens.shape),
            "state": (batch, self.state.shape[-1]),
        }
        if self.images.ndim != 5:
            raise InvalidValue(
                f"images must have shape (B, C, 3, S, S), got {tuple(self.images.shape)}"
            )
        for name, shape in wanted.items():
            if tuple(getattr(self, name).shape) != shape:
                raise InvalidValue(
                    f"{name} must have shape {shape}, got {tuple(getattr(self, name).shape)}"
                )

    @property
    def batch(self) -> int:
        return self.state.shape[0]

    def to(self, device: torch.device | str) -> "Pi0Inputs":
        """Return the same inputs on another device."""
        names = ("images", "image_mask", "tokens", "token_mask", "state")
        return replace(
            self, **{name: getattr(self, name).to(device, non_blocking=True) for name in names}
        )

    def trimmed(self) -> "Pi0Inputs":
        """Drop cameras and prompt places that no row has: the same result at less cost.

        An absent camera's tokens are masked and take no position, so leaving them out is exact.
        """
        cameras = self.image_mask.any(0).nonzero().flatten()
        places = self.token_mask.any(0).nonzero().flatten()
        if not len(cameras) and not len(places):
            raise InvalidValue("The inputs hold neither an image nor a prompt")
        last = int(places[-1]) + 1 if len(places) else 0
        kept = self
        if len(cameras) < self.image_mask.shape[1]:
            images, mask = self.images[:, cameras], self.image_mask[:, cameras]
            kept = replace(kept, images=images, image_mask=mask)
        if last < self.tokens.shape[1]:
            kept = replace(
                kept, tokens=self.tokens[:, :last], token_mask=self.token_mask[:, :last]
            )
        return kept

    def valid(self, image_tokens: int) -> Tensor:
        """Return (B, P) bool: which tokens of the prefix are there."""
        images = self.image_mask.repeat_interleave(image_tokens, dim=1)
        return torch.cat([images, self.token_mask], dim=1)


def stack_inputs(rows: Sequence[Pi0Inputs]) -> Pi0Inputs:
    """Join batches; prompts must have been padded to one length."""
    names = ("images", "image_mask", "tokens", "token_mask", "state")
    return Pi0Inputs(**{name: torch.cat([getattr(row, name) for row in rows]) for name in names})
