# SPDX-License-Identifier: Apache-2.0
"""Images for the small policy: resizing, and a small convolutional encoder per camera. Knows no
robot.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hiors_core.errors import InvalidValue, UnknownName
from hiors_core.observation import Observation

Images = NDArray[np.uint8]

CHANNELS = (8, 16, 32, 32)
FEATURES = 64
"""Features of one camera."""


def stack_images(observation: Observation, cameras: Sequence[str], size: int) -> Images:
    """Return (cameras, size, size, 3) uint8 RGB, shrunk by area; raises UnknownName for a missing
    camera.
    """
    stack = np.empty((len(cameras), size, size, 3), np.uint8)
    for i, name in enumerate(cameras):
        if name not in observation.images:
            raise UnknownName("camera", name, observation.images, "The policy needs its image.")
        image = observation.images[name]
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise InvalidValue(
                f"Image of camera '{name}' must be (height, width, 3) uint8 RGB,"
                f" got {image.shape} {image.dtype}"
            )
        stack[i] = shrink(image, size)
    return stack


def shrink(image: Images, size: int) -> Images:
    """Return an (h, w, 3) image as (size, size, 3), by area."""
    import cv2

    if image.shape[:2] == (size, size):
        return image
    return np.asarray(cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


class ImageEncoder(nn.Module):
    """One small convolutional network per camera; (B, cameras, size, size, 3) uint8 -> (B, cameras
    * FEATURES).
    """

    def __init__(self, cameras: int, size: int) -> None:
        super().__init__()
        if size % 2 ** len(CHANNELS):
            raise InvalidValue(f"image size must be a multiple of 16 pixels, got {size}")
        self.towers = nn.ModuleList(_tower(size) for _ in range(cameras))

    def forward(self, images: Tensor) -> Tensor:
        """Encode each camera with its own tower."""
        pixels = images.permute(1, 0, 4, 2, 3).to(torch.float32) / 127.5 - 1.0
        parts = [tower(part) for tower, part in zip(self.towers, pixels, strict=True)]
        return torch.cat(parts, dim=-1)


def _tower(size: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    before = 3
    for channels in CHANNELS:
        layers += [nn.Conv2d(before, channels, 3, stride=2, padding=1), nn.SiLU()]
        before = channels
    side = size // 2 ** len(CHANNELS)
    flat = before * side * side
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(flat, FEATURES), nn.LayerNorm(FEATURES))
