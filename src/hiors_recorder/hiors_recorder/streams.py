# SPDX-License-Identifier: Apache-2.0
"""The streams that the recorder listens to, fed as they come into the running episode."""

import threading
from collections.abc import Callable, Sequence
from functools import partial

from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import Image, JointState

from hiors_core.authority import Authority
from hiors_core.clock import Clock
from hiors_core.errors import HiorsError
from hiors_core.recording import EpisodeRecording
from hiors_core.topics import JOINT_STATE_TYPE, POSE_TYPE
from hiors_interfaces.msg import ControlState, ExecutedAction
from hiors_recorder.camera import CameraDesk
from hiors_ros.node import HiorsNode


class Streams:
    """Subscribes to everything that is recorded; most messages stay serialised."""

    def __init__(
        self,
        node: HiorsNode,
        clock: Clock,
        *,
        arms: Sequence[str],
        objects: Sequence[str],
        cameras: tuple[str, ...],
        image_max_age: float,
    ) -> None:
        self._clock = clock
        self._node = node
        self._lock = threading.Lock()
        self._recording: EpisodeRecording | None = None
        self._failure = ""
        self._executed = 0
        self._cameras = CameraDesk(cameras, image_max_age, self._fail)
        poses = [f"ee_pose/{arm}" for arm in arms] + [f"objects/{name}/pose" for name in objects]
        for topic in poses:
            self._listen(PoseStamped, topic, partial(self._on_state, topic, POSE_TYPE))
        state = partial(self._on_state, "joint_states", JOINT_STATE_TYPE)
        self._listen(JointState, "joint_states", state)
        self._listen(ExecutedAction, "control/executed", self._on_executed)
        self._listen(ControlState, "control/state", self._on_control_state)
        for camera in cameras:
            topic = f"camera/{camera}/color/image_raw"
            self._listen(Image, topic, partial(self._on_image, camera))

    @property
    def failure(self) -> str:
        """Why the running episode cannot go on, or nothing."""
        return self._failure

    @property
    def last_executed(self) -> int:
        """When the last executed action came in [ns]; before the first, the episode's start."""
        return self._executed

    def start(self, recording: EpisodeRecording) -> None:
        """Feed the episode from now on."""
        with self._lock:
            self._recording = recording
            self._failure = ""
            self._executed = self._clock.now()

    def stop(self) -> None:
        """Feed no episode any more; returns when all its images are written."""
        with self._lock:
            self._recording = None
        self._cameras.drain()

    def close(self) -> None:
        """End the threads."""
        self._cameras.close()

    def _listen(self, kind: type, topic: str, callback: Callable[[bytes], None]) -> None:
        self._node.subscribe(kind, topic, callback, raw=True)

    def _on_state(self, topic: str, type_name: str, data: bytes) -> None:
        now = self._clock.now()
        self._feed(lambda recording: recording.state_cdr(topic, type_name, data, now))

    def _on_control_state(self, data: bytes) -> None:
        now = self._clock.now()
        self._feed(lambda recording: recording.control_state_cdr(data, now))

    def _on_executed(self, data: bytes) -> None:
        self._feed(partial(self._add_executed, data))

    def _add_executed(self, data: bytes, recording: EpisodeRecording) -> None:
        now = self._executed = self._clock.now()
        logged = recording.executed_cdr(data)
        if logged is not None:
            self._cameras.log(recording, logged, now)

    def _on_image(self, camera: str, data: bytes) -> None:
        self._cameras.frame(camera, data, self._clock.now())

    def _feed(self, feed: Callable[[EpisodeRecording], None]) -> None:
        with self._lock:
            if self._recording is None or self._failure:
                return
            try:
                feed(self._recording)
            except (HiorsError, ValueError) as error:
                self._failure = str(error)

    def _fail(self, reason: str) -> None:
        self._failure = self._failure or reason


def authority_of(state: ControlState | None) -> Authority | None:
    """Return who drives, or None when control is silent."""
    return None if state is None else Authority(state.authority)
