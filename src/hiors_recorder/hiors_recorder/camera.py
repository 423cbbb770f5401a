# SPDX-License-Identifier: Apache-2.0
"""Camera frames of the recorder: the newest is kept, and encoded only at a transition.

Encoding has its own thread, so that control messages are never late because of it.
"""

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass

from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Image

from hiors_core.clock import to_ns
from hiors_core.errors import HiorsError
from hiors_core.recording import EpisodeRecording, Logged
from hiors_core.topics import camera_jpeg
from hiors_ros.conversions import to_ns as stamp_ns
from hiors_ros.images import to_numpy

_QUEUE = 64


@dataclass(frozen=True, slots=True)
class _Job:
    recording: EpisodeRecording
    camera: str
    logged: Logged
    frame: bytes


class CameraDesk:
    """Keeps the newest serialised frame of every camera; writes those of transitions.

    Args:
        max_age: of a frame at its transition [s].
        failed: told when the disk refused an image.
    """

    def __init__(
        self, cameras: tuple[str, ...], max_age: float, failed: Callable[[str], None]
    ) -> None:
        self._cameras = cameras
        self._max_age = to_ns(max_age)
        self._failed = failed
        self._newest: dict[str, tuple[bytes, int]] = {}
        self._jobs: queue.Queue[_Job | None] = queue.Queue(_QUEUE)
        self._thread: threading.Thread | None = None

    def frame(self, camera: str, data: bytes, now: int) -> None:
        """Take a frame, serialised, received at ``now`` [ns]."""
        self._newest[camera] = (data, now)

    def log(self, recording: EpisodeRecording, logged: Logged, now: int) -> None:
        """Write the newest frame of every camera for a transition; what is missing is counted."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="jpeg")
            self._thread.start()
        for camera in self._cameras:
            data, received = self._newest.get(camera, (b"", -self._max_age))
            if not data or now - received > self._max_age:
                recording.writer.drop(camera_jpeg(camera))
                continue
            try:
                self._jobs.put_nowait(_Job(recording, camera, logged, data))
            except queue.Full:
                recording.writer.drop(camera_jpeg(camera))

    def drain(self) -> None:
        """Return when every frame that was logged is written."""
        self._jobs.join()

    def close(self) -> None:
        """End the thread."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                self._write(job)
            except HiorsError as error:
                job.recording.writer.drop(camera_jpeg(job.camera))
                if job.recording.writer.error is not None:
                    self._failed(str(error))
            except Exception as error:  # noqa: BLE001 - the thread must outlive any one image
                self._failed(f"image of {job.camera}: {error!r}")
            finally:
                self._jobs.task_done()
        self._jobs.task_done()

    def _write(self, job: _Job) -> None:
        message = deserialize_message(job.frame, Image)
        rgb = to_numpy(message, "rgb8")
        stamp = stamp_ns(message.header.stamp)
        job.recording.image(job.camera, job.logged, rgb, stamp)
