# SPDX-License-Identifier: Apache-2.0
"""Camera messages of any robot as RGB images: raw, Bayer, YUV and compressed. Knows no topic."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hiors_core.errors import InvalidValue, UnknownName
from hiors_core.images import decode_jpeg
from hiors_data.locate import header_stamp
from hiors_data.recording import Message, Recording

Image = NDArray[np.uint8]

RAW = "sensor_msgs/msg/Image"
COMPRESSED = "sensor_msgs/msg/CompressedImage"
_CHANNELS = {
    "rgb8": (3, ""),
    "bgr8": (3, "COLOR_BGR2RGB"),
    "8UC3": (3, "COLOR_BGR2RGB"),
    "rgba8": (4, "COLOR_RGBA2RGB"),
    "bgra8": (4, "COLOR_BGRA2RGB"),
    "mono8": (1, "COLOR_GRAY2RGB"),
    "8UC1": (1, "COLOR_GRAY2RGB"),
    "bayer_rggb8": (1, "COLOR_BayerRGGB2RGB"),
    "bayer_bggr8": (1, "COLOR_BayerBGGR2RGB"),
    "bayer_gbrg8": (1, "COLOR_BayerGBRG2RGB"),
    "bayer_grbg8": (1, "COLOR_BayerGRBG2RGB"),
    "yuv422": (2, "COLOR_YUV2RGB_UYVY"),
    "uyvy": (2, "COLOR_YUV2RGB_UYVY"),
    "yuv422_yuy2": (2, "COLOR_YUV2RGB_YUY2"),
    "yuyv": (2, "COLOR_YUV2RGB_YUY2"),
}


def check_camera(recording: Recording, topic: str) -> None:
    """Raise InvalidValue unless the topic carries images."""
    found = recording.topic(topic).type_name
    if found not in (RAW, COMPRESSED):
        raise InvalidValue(f"Topic {topic} carries {found}; a camera is {RAW} or {COMPRESSED}.")


def to_rgb(message: Any, topic: str) -> Image:
    """Return a raw or compressed image message as (height, width, 3) uint8 RGB."""
    if hasattr(message, "format"):
        return decode_jpeg(np.asarray(message.data, np.uint8))
    import cv2

    if message.encoding not in _CHANNELS:
        raise UnknownName("image encoding", message.encoding, _CHANNELS, f"Of {topic}.")
    channels, code = _CHANNELS[message.encoding]
    height, width, row = message.height, message.width, message.width * channels
    step = message.step or row
    data = np.asarray(message.data, np.uint8)
    if step < row or not row or len(data) < step * height:
        raise InvalidValue(
            f"An image of {topic} is {width} x {height} {message.encoding} in rows of {step}"
            f" bytes, but has {len(data)} bytes"
        )
    pixels = data[: step * height].reshape(height, step)[:, :row].reshape(height, width, channels)
    pixels = np.ascontiguousarray(pixels[..., 0] if channels == 1 else pixels)
    return np.asarray(cv2.cvtColor(pixels, getattr(cv2, code)) if code else pixels, np.uint8)


class NewestFrames:
    """The newest frame of every camera as time goes on. Decodes only what is asked for.

    Args:
        cameras: topic of each camera. clock: "header" or "received".
    """

    def __init__(self, recording: Recording, cameras: Mapping[str, str], clock: str) -> None:
        self._recording, self._clock = recording, clock
        self._names = {topic: name for name, topic in cameras.items()}
        self._coming = self._stamped()
        self._next = next(self._coming, None)
        self._newest: dict[str, tuple[int, Message]] = {}

    def until(self, stamp: int) -> None:
        """Go on to ``stamp`` [ns]; it never goes back."""
        while self._next is not None and self._next[0] <= stamp:
            when, message = self._next
            self._newest[self._names[message.topic]] = (when, message)
            self._next = next(self._coming, None)

    def decoded(self) -> Iterator[tuple[str, int, Image]]:
        """Yield camera, stamp [ns] and RGB image of every camera that has sent one."""
        for name, (stamp, message) in self._newest.items():
            image = to_rgb(self._recording.decode(message), message.topic)
            yield name, stamp, image

    def _stamped(self) -> Iterator[tuple[int, Message]]:
        if not self._names:
            return
        for message in self._recording.messages(list(self._names)):
            header = None
            if self._clock == "header":
                header = header_stamp(self._recording.decode(message))
            yield message.stamp if header is None else header, message
