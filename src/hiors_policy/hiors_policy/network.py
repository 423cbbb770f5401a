# SPDX-License-Identifier: Apache-2.0
"""The trainable part of the small policy: normalisation, encoder of state and images, head. No
robot.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from hiors_core.errors import InvalidValue, UnknownName
from hiors_policy.chunking import integrate_after
from hiors_policy.diffusion import Denoiser
from hiors_policy.flow import VelocityField
from hiors_policy.normalization import Normalization, identity
from hiors_policy.token import TokenDecoder
from hiors_policy.vision import FEATURES, ImageEncoder

HEADS: dict[str, type[VelocityField | TokenDecoder]] = {
    "flow": VelocityField,
    "diffusion": Denoiser,
    "token": TokenDecoder,
}
"""How a chunk is generated: flow matching (eq. 2), DDPM with DDIM sampling, or binned actions one
by one. Each has ``loss`` and ``sample``.
"""

_FARTHEST = 5.0
"""Normalised features are clipped here: something never seen must not dominate everything else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shapes:
    """Sizes that the data fix: features D, horizon H, actions A, cameras."""

    features: int
    horizon: int
    actions: int
    cameras: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """Sizes that a person chooses.

    Attributes:
        width, blocks: of the residual network; 192 and 3 are about 0.3 million weights.
        euler_steps: integration steps of a flow, denoising steps of a diffusion at inference.
        image_size: side of the images that the network sees [pixels], a multiple of 16.
        head: one of HEADS.
    """

    width: int = 192
    blocks: int = 3
    euler_steps: int = 6
    image_size: int = 64
    head: str = "flow"

    def __post_init__(self) -> None:
        if self.head not in HEADS:
            raise UnknownName("head of a policy", self.head, HEADS)
        if min(self.width, self.blocks, self.euler_steps, self.image_size) < 1:
            raise InvalidValue(f"network sizes must be at least 1, got {self}")


class FlowNetwork(nn.Module):
    """Encoder and head with their normalisation as buffers, so that one file holds all of it."""

    def __init__(self, shapes: Shapes, settings: NetworkSettings) -> None:
        super().__init__()
        self.shapes, self.settings = shapes, settings
        seen = shapes.features + FEATURES * shapes.cameras
        self.images = ImageEncoder(shapes.cameras, settings.image_size) if shapes.cameras else None
        self.context = nn.Sequential(
            nn.Linear(seen, settings.width), nn.SiLU(), nn.Linear(settings.width, settings.width)
        )
        head = HEADS[settings.head]
        self.field = head(shapes.horizon, shapes.actions, settings.width, settings.blocks)
        start = identity(shapes.features, shapes.actions)
        for name in Normalization.__dataclass_fields__:
            self.register_buffer(name, torch.from_numpy(getattr(start, name)))
        self.state_mean: Tensor
        self.state_std: Tensor
        self.action_mean: Tensor
        self.action_std: Tensor

    def set_normalization(self, values: Normalization) -> None:
        """Put the normalisation in place."""
        for name in Normalization.__dataclass_fields__:
            value = torch.from_numpy(np.array(getattr(values, name), np.float32))
            getattr(self, name).copy_(value)

    def encode(self, state: Tensor, images: Tensor | None = None) -> Tensor:
        """Return the context (B, W) of features (B, D) and images (B, cameras, size, size, 3)."""
        seen = ((state - self.state_mean) / self.state_std).clamp(-_FARTHEST, _FARTHEST)
        if self.images is not None:
            if images is None:
                raise InvalidValue("this network was built for images and got none")
            seen = torch.cat([seen, self.images(images)], dim=-1)
        context: Tensor = self.context(seen)
        return context

    def normalize(self, actions: Tensor) -> Tensor:
        """Return x¹ of encoded actions (B, H, A)."""
        return (actions - self.action_mean) / self.action_std

    @torch.inference_mode()
    def sample(self, state: Tensor, images: Tensor | None, noise: Tensor) -> Tensor:
        """Return encoded actions (B, H, A) from noise x⁰ of that shape."""
        x1 = self.field.sample(self.encode(state, images), noise, self.settings.euler_steps)
        return x1 * self.action_std + self.action_mean

    @torch.no_grad()
    def sample_after(
        self, state: Tensor, images: Tensor | None, noise: Tensor, known: Tensor, delay: int
    ) -> Tensor:
        """Return encoded actions (B, H, A) that go on from ``known`` (B, n, A); see
        hiors_policy.chunking. Only a flow can.
        """
        if self.settings.head != "flow":
            raise InvalidValue(
                f"Real-time chunking needs a flow, this policy has the head {self.settings.head}:"
                " switch it off"
            )
        field, context = self.field, self.encode(state, images)

        def velocity(x: Tensor, u: float) -> Tensor:
            found: Tensor = field(context, x.new_full((x.shape[0],), u), x)
            return found

        steps = self.settings.euler_steps
        x1 = integrate_after(velocity, noise, steps, self.normalize(known), delay)
        return x1 * self.action_std + self.action_mean
