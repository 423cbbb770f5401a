# SPDX-License-Identifier: Apache-2.0
"""The numpy path for images does what cv_bridge does."""

import numpy as np
import pytest

pytest.importorskip("rclpy")

from hiors_core.errors import InvalidValue, UnknownName
from hiors_ros.images import decode, to_message

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (4, 6, 3), dtype=np.uint8)


def test_round_trip_keeps_every_pixel() -> None:
    message = to_message(RGB, "rgb8", "camera")
    assert (message.height, message.width, message.step) == (4, 6, 18)
    assert message.header.frame_id == "camera"
    np.testing.assert_array_equal(decode(message), RGB)


@pytest.mark.parametrize("target", ["rgb8", "bgr8", "rgba8", "bgra8"])
def test_colours_reorder_and_gain_alpha(target: str) -> None:
    out = decode(to_message(RGB, "rgb8"), target)
    colours = out[..., :3][..., ::-1] if target.startswith("bgr") else out[..., :3]
    np.testing.assert_array_equal(colours, RGB)
    if target.endswith("a8"):
        assert np.all(out[..., 3] == 255)


def test_grey_uses_the_integer_formula() -> None:
    r, g, b = (RGB[..., i].astype(int) for i in range(3))
    expected = (9798 * r + 19235 * g + 3735 * b + (1 << 14)) >> 15
    np.testing.assert_array_equal(decode(to_message(RGB, "rgb8"), "mono8"), expected)


def test_padded_rows_and_big_endian_are_read() -> None:
    depth = RNG.integers(0, 65536, (2, 3), dtype=np.uint16)
    message = to_message(depth, "16UC1")
    message.step = 8
    message.data = b"".join(row.astype(">u2").tobytes() + b"xx" for row in depth)
    message.is_bigendian = 1
    out = decode(message)
    assert out.shape == (2, 3)
    np.testing.assert_array_equal(out, depth)


def test_bad_images_are_refused() -> None:
    message = to_message(RGB, "rgb8")
    message.data = message.data[:-1]
    with pytest.raises(InvalidValue, match="needs 72 bytes"):
        decode(message)
    with pytest.raises(InvalidValue, match=r"8UC3.*rgb8"):
        decode(to_message(RGB, "8UC3"), "rgb8")
    with pytest.raises(UnknownName, match="Did you mean 'rgb8'"):
        to_message(RGB, "rgb88")
    with pytest.raises(InvalidValue, match="float32"):
        to_message(RGB.astype(np.float32), "rgb8")
