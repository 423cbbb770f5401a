# SPDX-License-Identifier: Apache-2.0
"""A learned judge of success: the probability that an observation shows the task done. Knows no
training and no label.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hiors_core.errors import InvalidValue

_LEAST_STD = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardSettings:
    """Sizes of the judge.

    Attributes:
        features: D of a state, 0 without. cameras: images beside it, 0 without.
        hidden: width of the last layers. dropout: share that training leaves out.
        threshold: probability from which on an observation counts as a success.
    """

    features: int
    cameras: int = 0
    hidden: int = 256
    dropout: float = 0.1
    threshold: float = 0.75

    def __post_init__(self) -> None:
        if self.features < 0 or self.cameras < 0 or self.features + self.cameras < 1:
            raise InvalidValue(f"A judge needs features, cameras or both, got {self}")
        if not 0.0 < self.threshold < 1.0 or not 0.0 <= self.dropout < 1.0 or self.hidden < 1:
            raise InvalidValue(
                f"0 < threshold < 1, 0 <= dropout < 1 and hidden >= 1 are needed, got {self}"
            )


class RewardNetwork(nn.Module):
    """A small ResNet for each image and an MLP on all of it with the state; one logit."""

    def __init__(self, settings: RewardSettings) -> None:
        super().__init__()
        self.settings = settings
        self.images = nn.Sequential(
            nn.Conv2d(3, 16, 5, stride=4, padding=2), nn.GroupNorm(4, 16), nn.ReLU(),
            ResidualConvolution(16, 32), ResidualConvolution(32, 64),
            nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        ) if settings.cameras else None  # fmt: skip
        seen = settings.features + 256 * settings.cameras
        self.layers = nn.Sequential(
            nn.Linear(seen, settings.hidden), nn.Dropout(settings.dropout),
            nn.LayerNorm(settings.hidden), nn.ReLU(), nn.Linear(settings.hidden, 1),
        )  # fmt: skip
        self.register_buffer("mean", torch.zeros(settings.features))
        self.register_buffer("std", torch.ones(settings.features))
        self.mean: Tensor
        self.std: Tensor

    def fit(self, states: Tensor) -> None:
        """Take the normalisation from states (n, D)."""
        if not states.numel():
            return
        self.mean.copy_(states.mean(0))
        self.std.copy_(states.std(0, correction=0).clamp(min=_LEAST_STD))

    def forward(self, states: Tensor, images: Tensor | None = None) -> Tensor:
        """Return logits (B,) of states (B, D) and uint8 images (B, cameras, h, w, 3)."""
        seen = [(states - self.mean) / self.std]
        if self.images is not None:
            if images is None or images.shape[1] != self.settings.cameras:
                raise InvalidValue(f"The judge needs images of {self.settings.cameras} cameras")
            pixels = images.flatten(0, 1).permute(0, 3, 1, 2).float() / 255.0 - 0.5
            seen.append(self.images(pixels).view(len(images), -1))
        logits: Tensor = self.layers(torch.cat(seen, dim=-1))[:, 0]
        return logits

    @torch.inference_mode()
    def probability(self, states: Tensor, images: Tensor | None = None) -> Tensor:
        """Return the probability of success (B,), without dropout."""
        training = self.training
        self.eval()
        chance = self(states, images).sigmoid()
        self.train(training)
        return chance

    def successes(self, states: Tensor, images: Tensor | None = None) -> Sequence[bool]:
        """Return for each observation whether its probability reaches the threshold."""
        reached: Sequence[bool] = (
            self.probability(states, images) >= self.settings.threshold
        ).tolist()
        return reached


class ResidualConvolution(nn.Module):
    """Two convolutions beside a strided one, at half the size."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.way = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.GroupNorm(4, outputs),
            nn.ReLU(), nn.Conv2d(outputs, outputs, 3, padding=1), nn.GroupNorm(4, outputs),
        )  # fmt: skip
        self.past = nn.Conv2d(inputs, outputs, 1, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to (B, C', h/2, w/2)."""
        return nn.functional.relu(self.way(x) + self.past(x))
