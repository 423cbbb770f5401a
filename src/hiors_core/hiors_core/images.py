# SPDX-License-Identifier: Apache-2.0
"""JPEG images of an episode: encoded once at recording, decoded only when asked for.

OpenCV is loaded on first use.
"""

import bisect
from collections.abc import Collection, Mapping
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from hiors_core.bag import BagReader
from hiors_core.cdr import decode
from hiors_core.errors import IntegrityError, InvalidValue
from hiors_core.topics import camera_name

Image = NDArray[np.uint8]

JPEG_QUALITY = 90


def encode_jpeg(rgb: Image, quality: int = JPEG_QUALITY) -> bytes:
    """Return an (height, width, 3) uint8 RGB image as JPEG."""
    import cv2

    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise InvalidValue(
            f"An image must be (height, width, 3) uint8 RGB, got {rgb.shape} {rgb.dtype}"
        )
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise InvalidValue(f"Cannot encode an image of shape {rgb.shape} as JPEG")
    return data.tobytes()


def decode_jpeg(data: bytes | memoryview | Image, least: int = 0) -> Image:
    """Return a JPEG as (height, width, 3) uint8 RGB, or raise IntegrityError.

    Args:
        least: for an image that is shrunk by area afterwards, to no more than ``least`` pixels a
            side. It comes in half its size if both sides have as many even then: in a third of the
            time, and no further from what the camera saw, since colours need no blowing up.
    """
    import cv2

    buffer = np.frombuffer(data, np.uint8)
    bgr = cv2.imdecode(buffer, cv2.IMREAD_REDUCED_COLOR_2) if least and len(buffer) else None
    if len(buffer) and (bgr is None or min(bgr.shape[:2]) < least):
        bgr = cv2.imdecode(buffer, cv2.IMREAD_COLOR)
    if bgr is None:
        raise IntegrityError(f"{len(buffer)} bytes are not an image")
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


class ImageTracks:
    """The images of one bag, read on first use and kept as JPEG."""

    def __init__(self, reader: BagReader) -> None:
        self._reader = reader
        self._lock = Lock()
        self._tracks: dict[str, tuple[list[int], list[bytes]]] | None = None

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the cameras in the bag."""
        return tuple(sorted(n for t in self._reader.topics if (n := camera_name(t))))

    def newest(
        self, stamp: int, cameras: Collection[str] | None = None, least: int = 0
    ) -> Mapping[str, Image]:
        """Decode the newest image of every camera that was logged at ``stamp`` [ns] or before.

        Only of ``cameras``, when they are given; ``least`` as of decode_jpeg.
        """
        found = {}
        for camera, (stamps, images) in self._load().items():
            place = bisect.bisect_right(stamps, stamp)
            if place and (cameras is None or camera in cameras):
                found[camera] = decode_jpeg(images[place - 1], least)
        return found

    def newest_stamps(self, stamp: int) -> Mapping[str, int]:
        """Return when the images that ``newest`` gives were logged [ns]."""
        found = {}
        for camera, (stamps, _) in self._load().items():
            place = bisect.bisect_right(stamps, stamp)
            if place:
                found[camera] = stamps[place - 1]
        return found

    def first_stamp(self, camera: str) -> int:
        """Return when the first image of a camera was logged [ns]; KeyError when there is none."""
        return self._load()[camera][0][0]

    def _load(self) -> dict[str, tuple[list[int], list[bytes]]]:
        with self._lock:
            if self._tracks is None:
                self._tracks = self._read()
            return self._tracks

    def _read(self) -> dict[str, tuple[list[int], list[bytes]]]:
        tracks: dict[str, tuple[list[int], list[bytes]]] = {c: ([], []) for c in self.cameras}
        topics = [t for t in self._reader.topics if camera_name(t)]
        for message in self._reader.messages(topics) if topics else ():
            stamps, images = tracks[str(camera_name(message.topic))]
            stamps.append(message.stamp)
            images.append(decode(message.type_name, message.data).data.tobytes())
        return tracks
