# SPDX-License-Identifier: Apache-2.0
"""A camera on a page: one topic, few small JPEG images, decoded only when they are sent."""

from collections.abc import Callable

import cv2
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Image

from hiors_core.clock import Clock, to_ns
from hiors_ros.images import to_numpy

_QUALITY = 70


class CameraView:
    """Thins out a stream of serialised images and hands JPEG bytes on."""

    def __init__(self, rate: float, width: int, clock: Clock, wanted: Callable[[], bool]) -> None:
        self._period = to_ns(1.0 / rate)
        self._width = width
        self._clock = clock
        self._wanted = wanted
        self._due = 0

    def take(self, raw: bytes) -> bytes | None:
        """Return a JPEG of a serialised sensor_msgs/Image, or None when it is not its turn.

        Raises HiorsError for an image that is not a colour or grey one.
        """
        now = self._clock.now()
        if now < self._due or not self._wanted():
            return None
        self._due = max(self._due, now - self._period) + self._period
        return self._encode(deserialize_message(raw, Image))

    def _encode(self, message: Image) -> bytes:
        picture = to_numpy(message, "bgr8")
        height, width = picture.shape[:2]
        if width > self._width:
            size = (self._width, max(1, round(height * self._width / width)))
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        _, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        return jpeg.tobytes()
