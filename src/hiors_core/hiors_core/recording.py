# SPDX-License-Identifier: Apache-2.0
"""What goes into an episode, and when: for the recorder node and the simulator alike.

Executed actions at every control tick, states at up to 100 Hz, a transition at the varied
frequency of eq. 6, images only at transitions. Knows no ROS and no clock: every stamp comes from
outside.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiors_core.authority import Authority
from hiors_core.cdr import decode, encode, make
from hiors_core.images import Image, encode_jpeg
from hiors_core.manifest import EpisodeMeta, Manifest
from hiors_core.sampler import PacedStream, VariableRateSampler
from hiors_core.stamps import stamp_of, time_fields
from hiors_core.store import EpisodeStore
from hiors_core.topics import (
    CONTROL_STATE,
    CONTROL_STATE_TYPE,
    EXECUTED,
    EXECUTED_TYPE,
    JOINT_STATE_TYPE,
    JOINT_STATES,
    JPEG_TYPE,
    POSE_TYPE,
    TRANSITION,
    TRANSITION_TYPE,
    camera_jpeg,
    object_pose,
)
from hiors_core.writer import EpisodeWriter

Array = NDArray[np.float64]

STATE_RATE = 100.0
"""Rate at which joint states and poses are kept [Hz]."""


@dataclass(frozen=True, slots=True)
class Logged:
    """A transition that was just logged: images of this moment belong to it."""

    index: int
    stamp: int
    authority: Authority


class EpisodeRecording:
    """Fed with every stream of a running episode.

    May be called from several threads, one a stream.
    """

    def __init__(self, writer: EpisodeWriter, state_rate: float = STATE_RATE) -> None:
        self.writer = writer
        meta = writer.meta
        self._names = list(meta.names)
        self._sampler = VariableRateSampler(meta.f_low, meta.f_high)
        self._state_rate = state_rate
        self._paced: dict[str, PacedStream] = {}
        self._start: int | None = None
        self._stamp = 0

    @property
    def episode_id(self) -> str:
        """Id of the episode."""
        return self.writer.episode_id

    @property
    def elapsed(self) -> float:
        """From the first to the newest control tick [s]."""
        return 0.0 if self._start is None else (self._stamp - self._start) / 1e9

    @property
    def ticks(self) -> int:
        """Control ticks so far."""
        return self.writer.tally.ticks

    @property
    def transitions(self) -> int:
        """Logged transitions so far."""
        return self.writer.tally.transitions

    def joint_state(self, stamp: int, position: Array, velocity: Array | None = None) -> None:
        """Feed measured positions (N,) [rad, grippers 0 .. 1] in the order of the names."""
        if self._due(JOINT_STATES, stamp):
            message = make(
                JOINT_STATE_TYPE,
                header={"stamp": time_fields(stamp)},
                name=self._names,
                position=position,
                velocity=velocity,
            )
            self._write(JOINT_STATES, JOINT_STATE_TYPE, encode(JOINT_STATE_TYPE, message), stamp)

    def pose(self, topic: str, stamp: int, pose: Array, frame: str) -> None:
        """Feed a pose (7,) x y z [m] and quaternion x y z w of the topic."""
        if self._due(topic, stamp):
            x, y, z, qx, qy, qz, qw = (float(v) for v in pose)
            message = make(
                POSE_TYPE,
                header={"stamp": time_fields(stamp), "frame_id": frame},
                pose={
                    "position": {"x": x, "y": y, "z": z},
                    "orientation": {"x": qx, "y": qy, "z": qz, "w": qw},
                },
            )
            self._write(topic, POSE_TYPE, encode(POSE_TYPE, message), stamp)

    def object_pose(self, name: str, stamp: int, pose: Array, frame: str = "") -> None:
        """Feed the pose (7,) of an object in the first arm's base frame."""
        self.pose(object_pose(name), stamp, pose, frame)

    def state_cdr(self, topic: str, type_name: str, data: bytes, stamp: int) -> None:
        """Feed a state message as it came, received at ``stamp``; kept at the state rate."""
        if self._due(topic, stamp):
            self._write(topic, type_name, data, stamp)

    def control_state_cdr(self, data: bytes, stamp: int) -> None:
        """Feed a ControlState message as it came."""
        self._write(CONTROL_STATE, CONTROL_STATE_TYPE, data, stamp)

    def control_state(
        self, stamp: int, authority: Authority, epoch: int, reason: str = "", operator: str = ""
    ) -> None:
        """Feed who drives."""
        message = make(
            CONTROL_STATE_TYPE,
            header={"stamp": time_fields(stamp)},
            authority=authority,
            epoch=epoch,
            reason=reason,
            operator_name=operator,
            ready=True,
        )
        self.control_state_cdr(encode(CONTROL_STATE_TYPE, message), stamp)

    def executed(
        self,
        stamp: int,
        *,
        tick: int,
        epoch: int,
        authority: Authority,
        position: Array,
        policy_version: str = "",
        chunk_sequence: int = 0,
        chunk_time: float = -1.0,
        limited: Sequence[str] = (),
    ) -> Logged | None:
        """Feed the action (N,) sent at a control tick; returns the transition logged at it."""
        message = make(
            EXECUTED_TYPE,
            header={"stamp": time_fields(stamp)},
            tick=tick,
            epoch=epoch,
            authority=authority,
            names=self._names,
            position=position,
            policy_version=policy_version,
            chunk_sequence=chunk_sequence,
            chunk_time=chunk_time,
            limited=limited,
        )
        return self._executed(encode(EXECUTED_TYPE, message), stamp, authority)

    def executed_cdr(self, data: bytes) -> Logged | None:
        """Feed an ExecutedAction message as it came; returns the transition logged at it."""
        message = decode(EXECUTED_TYPE, data)
        return self._executed(data, stamp_of(message), Authority(message.authority))

    def image(self, camera: str, logged: Logged, rgb: Image, stamp: int | None = None) -> None:
        """Add an image (height, width, 3) uint8 RGB, captured at ``stamp``, to a transition."""
        self.jpeg(camera, logged, encode_jpeg(rgb), stamp)

    def jpeg(self, camera: str, logged: Logged, data: bytes, stamp: int | None = None) -> None:
        """Add a camera's JPEG, captured at ``stamp``, to a logged transition."""
        message = make(
            JPEG_TYPE,
            header={
                "stamp": time_fields(logged.stamp if stamp is None else stamp),
                "frame_id": f"{camera}_color_optical_frame",
            },
            format="jpeg",
            data=data,
        )
        # The log time is that of the transition, however late the encoder is: the reader finds
        # the image by it.
        self._write(camera_jpeg(camera), JPEG_TYPE, encode(JPEG_TYPE, message), logged.stamp)

    def finish(self, reason: str) -> Manifest:
        """Seal the episode."""
        return self.writer.seal(reason)

    def abort(self, reason: str) -> Manifest | None:
        """Seal the episode as aborted; None when the disk had failed and it was quarantined."""
        return self.writer.abort(reason)

    def _executed(self, data: bytes, stamp: int, authority: Authority) -> Logged | None:
        self._start = stamp if self._start is None else self._start
        self._stamp = stamp
        self._write(EXECUTED, EXECUTED_TYPE, data, stamp)
        return self._log(stamp, authority) if self._sampler.due(stamp, authority) else None

    def _log(self, stamp: int, authority: Authority) -> Logged:
        index = self.transitions
        message = make(
            TRANSITION_TYPE,
            header={"stamp": time_fields(stamp)},
            episode_id=self.episode_id,
            index=index,
            authority=authority,
            rate_hz=self._sampler.rate(authority),
        )
        self._write(TRANSITION, TRANSITION_TYPE, encode(TRANSITION_TYPE, message), stamp)
        return Logged(index, stamp, authority)

    def _due(self, topic: str, stamp: int) -> bool:
        paced = self._paced.get(topic)
        if paced is None:
            paced = self._paced[topic] = PacedStream(self._state_rate)
        return paced.due(stamp)

    def _write(self, topic: str, type_name: str, data: bytes, stamp: int) -> None:
        self.writer.write(topic, type_name, data, stamp)


def start_recording(store: EpisodeStore, meta: EpisodeMeta) -> EpisodeRecording:
    """Begin an episode in the store."""
    return EpisodeRecording(store.begin(meta))
