# SPDX-License-Identifier: Apache-2.0
"""Camera images as the network wants them, in openpi's way: bilinear, black borders, -1 .. 1."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as PilImage
from torch import Tensor

from hiors_core.errors import InvalidValue

Image = NDArray[np.uint8]


def resize_with_padding(image: Image, size: int) -> Image:
    """Fit an (h, w, 3) RGB image into (size, size, 3), centred between black borders."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise InvalidValue(
            f"An image must be (height, width, 3) uint8, got {image.shape} {image.dtype}"
        )
    height, width = image.shape[:2]
    if (height, width) == (size, size):
        return image
    ratio = max(height, width) / size
    rows, columns = max(1, int(height / ratio)), max(1, int(width / ratio))
    small = PilImage.fromarray(image).resize((columns, rows), PilImage.Resampling.BILINEAR)
    top, left = (size - rows) // 2, (size - columns) // 2
    framed = np.zeros((size, size, 3), dtype=np.uint8)
    framed[top : top + rows, left : left + columns] = np.asarray(small)
    return framed


def to_pixels(images: Sequence[Image]) -> Tensor:
    """Return (C, 3, S, S) float32 in -1 .. 1 for (S, S, 3) uint8 images."""
    return pixels(torch.from_numpy(np.ascontiguousarray(np.stack(images))))


def pixels(images: Tensor) -> Tensor:
    """Return (..., 3, S, S) float32 in -1 .. 1 for (..., S, S, 3) uint8 images."""
    return images.movedim(-1, -3).float() / 255.0 * 2.0 - 1.0


def camera_tensors(
    images: Mapping[str, Image], cameras: Sequence[str], size: int
) -> tuple[Tensor, Tensor]:
    """Return (C, 3, S, S) pixels and (C,) bool; a camera without an image is black and False."""
    black = np.zeros((size, size, 3), dtype=np.uint8)
    present = [name in images for name in cameras]
    framed = [
        resize_with_padding(images[name], size) if there else black
        for name, there in zip(cameras, present, strict=True)
    ]
    if not framed:
        return torch.zeros(0, 3, size, size), torch.zeros(0, dtype=torch.bool)
    return to_pixels(framed), torch.tensor(present)
