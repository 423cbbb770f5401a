# SPDX-License-Identifier: Apache-2.0
"""One camera's MP4 files: AV1, every second frame a key frame, as LeRobot writes them."""

import os
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hiors_core.errors import HiorsError
from hiors_data.extras import need
from hiors_data.lerobot import layout

Image = NDArray[np.uint8]

CODEC = "libsvtav1"
OPTIONS = {"g": "2", "crf": "30", "preset": "12", "svtav1-params": "lp=1"}


class VideoFiles:
    """Videos of one camera; episodes follow each other in a file until it has grown large.

    Args:
        size: (height, width) of the images.
    """

    def __init__(self, root: Path, camera: str, fps: int, size: tuple[int, int]) -> None:
        self._av = need("av")
        # The encoder prints its settings for every file unless told to print errors only.
        os.environ.setdefault("SVT_LOG", "1")
        self._root, self._key, self._fps, self._size = root, layout.IMAGE + camera, fps, size
        self._file, self._frames = 0, 0
        self._container: Any = None
        self._stream: Any = None

    def add(self, images: Iterable[Image]) -> dict[str, int | float]:
        """Append an episode and return where it is: chunk, file, and time [s] in it."""
        if self._size_now() > layout.VIDEO_MB << 20:
            self.close()
            self._file += 1
        if self._container is None:
            self._open()
        start = self._frames
        for image in images:
            frame = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts, frame.time_base = self._frames, Fraction(1, self._fps)
            self._frames += 1
            for packet in self._stream.encode(frame):
                self._container.mux(packet)
        chunk, file = layout.place(self._file)
        return {
            f"videos/{self._key}/chunk_index": chunk,
            f"videos/{self._key}/file_index": file,
            f"videos/{self._key}/from_timestamp": start / self._fps,
            f"videos/{self._key}/to_timestamp": self._frames / self._fps,
        }

    def information(self) -> dict[str, Any]:
        """Return what info.json says of a video."""
        height, width = self._size
        return {
            "video.height": height,
            "video.width": width,
            "video.codec": "av1",
            "video.pix_fmt": "yuv420p",
            "video.is_depth_map": False,
            "video.fps": self._fps,
            "video.channels": 3,
            "has_audio": False,
        }

    def close(self) -> None:
        """Finish the present file."""
        if self._container is None:
            return
        for packet in self._stream.encode():
            self._container.mux(packet)
        self._container.close()
        self._container, self._frames = None, 0

    def _open(self) -> None:
        path = self._path()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._container = self._av.open(str(path), "w")
        try:
            self._stream = self._container.add_stream(CODEC, rate=self._fps, options=OPTIONS)
        except ValueError as error:
            raise HiorsError(
                f"The installed package av has no encoder {CODEC} ({error}); give --images"
            ) from error
        self._stream.height, self._stream.width = self._size
        self._stream.pix_fmt = "yuv420p"

    def _size_now(self) -> int:
        # The encoder holds back the first frames: there may be no file yet.
        path = self._path()
        return path.stat().st_size if self._container is not None and path.exists() else 0

    def _path(self) -> Path:
        chunk, file = layout.place(self._file)
        name = layout.VIDEO.format(video_key=self._key, chunk_index=chunk, file_index=file)
        return self._root / name
