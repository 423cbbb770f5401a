# SPDX-License-Identifier: Apache-2.0
"""What a device emulator asks of the arm and gripper behind it, and the simplest that answer.

The kinematic plants move without mass or contact, by the clock alone: for tests of protocols and
drivers.
"""

import threading
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hiors_core.clock import Clock, to_s
from hiors_sim.servo import ServoParameters

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class JointReading:
    """Joints at one moment.

    Attributes:
        position, velocity: (n,) measured [rad], [rad/s].
        target, target_velocity: (n,) set-point in force [rad], [rad/s].
    """

    position: Array
    velocity: Array
    target: Array
    target_velocity: Array


class JointPlant(Protocol):
    """An arm that follows set-points. Methods may be called from any thread and do not block."""

    def servo(self, target: Array, parameters: ServoParameters) -> None:
        """Follow to ``target`` (n,) [rad] as ServoJ does, from wherever the set-point is now."""

    def hold(self) -> None:
        """Stop where the arm is."""

    def read(self) -> JointReading:
        """Return the newest state."""


class GripperPlant(Protocol):
    """A gripper: 0 closed .. 1 open. Methods may be called from any thread."""

    def command(self, opening: float, speed: float) -> None:
        """Move to ``opening`` at ``speed`` [full strokes per second]."""

    def read(self) -> float:
        """Return the measured opening."""


class KinematicArm:
    """An arm that is exactly where its linear interpolation says."""

    def __init__(self, start: Array, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._from = self._to = np.array(start, dtype=np.float64)
        self._begin, self._duration = clock.now(), 0.0

    def servo(self, target: Array, parameters: ServoParameters) -> None:
        with self._lock:
            self._from, _ = self._sample()
            self._to = np.array(target, dtype=np.float64)
            self._begin, self._duration = self._clock.now(), parameters.duration

    def hold(self) -> None:
        with self._lock:
            self._from = self._to = self._sample()[0]
            self._duration = 0.0

    def read(self) -> JointReading:
        with self._lock:
            position, velocity = self._sample()
            return JointReading(
                position=position,
                velocity=velocity,
                target=self._to.copy(),
                target_velocity=velocity,
            )

    def _sample(self) -> tuple[Array, Array]:
        elapsed = to_s(self._clock.now() - self._begin)
        if elapsed >= self._duration:
            return self._to.copy(), np.zeros_like(self._to)
        way = self._to - self._from
        return self._from + way * (elapsed / self._duration), way / self._duration


class KinematicGripper:
    """A gripper that moves at the commanded speed and is never blocked."""

    def __init__(self, clock: Clock, opening: float = 1.0) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._from = self._to = opening
        self._begin, self._speed = clock.now(), 1.0

    def command(self, opening: float, speed: float) -> None:
        with self._lock:
            self._from = self._sample()
            self._to, self._speed, self._begin = opening, speed, self._clock.now()

    def read(self) -> float:
        with self._lock:
            return self._sample()

    def _sample(self) -> float:
        way = self._speed * to_s(self._clock.now() - self._begin)
        return self._from + float(np.clip(self._to - self._from, -way, way))
