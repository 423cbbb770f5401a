# SPDX-License-Identifier: Apache-2.0
"""Images are decoded in half their size only where that is as good as the whole."""

import cv2
import numpy as np
import pytest

from hiors_core.errors import IntegrityError
from hiors_core.images import Image, decode_jpeg, encode_jpeg

NOISE = np.random.default_rng(0)


def blocks() -> Image:
    """Colours with sharp edges."""
    rough = NOISE.integers(0, 255, (24, 32, 3), np.uint8)
    return np.ascontiguousarray(rough.repeat(20, 0).repeat(20, 1))


def clouds() -> Image:
    """Colours that change over some pixels."""
    soft = cv2.GaussianBlur(NOISE.normal(0.0, 900.0, (480, 640, 3)), (0, 0), 3)
    return np.clip(soft + 128.0, 0, 255).astype(np.uint8)


def grain() -> Image:
    """Colours that change with each pixel."""
    return NOISE.integers(0, 255, (480, 640, 3), np.uint8)


@pytest.mark.parametrize(
    ("size", "least", "expected"),
    [
        ((480, 640), 0, (480, 640)),
        ((480, 640), 64, (240, 320)),
        ((480, 640), 240, (240, 320)),
        ((480, 640), 241, (480, 640)),
        ((481, 641), 64, (241, 321)),
        ((60, 80), 64, (60, 80)),
    ],
)
def test_an_image_is_halved_only_if_enough_is_left(size, least: int, expected):
    assert decode_jpeg(encode_jpeg(np.zeros((*size, 3), np.uint8)), least).shape == (*expected, 3)


@pytest.mark.parametrize("make", [blocks, clouds, grain])
@pytest.mark.parametrize("side", [64, 224])
def test_half_an_image_is_no_further_from_what_the_camera_saw(make, side: int):
    def seen(image: Image) -> np.ndarray:
        return cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA).astype(int)

    image = make()
    jpeg = encode_jpeg(image)
    whole, half = (
        np.abs(seen(decode_jpeg(jpeg, least)) - seen(image)).mean() for least in (0, side)
    )
    assert half < 1.15 * whole


@pytest.mark.parametrize("least", [0, 64])
@pytest.mark.parametrize("data", [b"", b"no image"])
def test_what_is_no_image_is_refused(data: bytes, least: int):
    with pytest.raises(IntegrityError, match="not an image"):
        decode_jpeg(data, least)
