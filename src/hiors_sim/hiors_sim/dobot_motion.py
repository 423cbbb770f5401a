# SPDX-License-Identifier: Apache-2.0
"""Queued motions of the emulated controller (JointMovJ, MovJ, MovL) and the checks on streamed
ones (ServoJ).
"""

from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hiors_core.clock import Clock, to_s
from hiors_sim.dobot_state import (
    JOINT_JUMP,
    JOINT_LIMIT,
    OVERSPEED,
    POSITION_LAG,
    ControllerSettings,
    ControllerState,
)
from hiors_sim.plant import JointPlant, JointReading
from hiors_sim.servo import ServoParameters

Array = NDArray[np.float64]
Path = Callable[[float], Array]
"""Joints [rad] at progress 0 .. 1."""

STEP = ServoParameters(duration=0.02)
"""How a queued motion hands its points to the plant."""

SETTLE = 0.05
"""Time after the last point of a motion before the next one begins [s]."""


class Motion:
    """Follows a path with a smooth start and end."""

    def __init__(self, path: Path, duration: float) -> None:
        self._path = path
        self._duration = max(duration, 0.02)
        self._elapsed = 0.0

    @property
    def done(self) -> bool:
        """Whether the plant has had the time to reach the end."""
        return self._elapsed >= self._duration + SETTLE

    def advance(self, seconds: float) -> Array | None:
        """Move on and return the joints [rad], None once the end has been given."""
        if self._elapsed >= self._duration:
            self._elapsed += seconds
            return None
        self._elapsed += seconds
        s = min(self._elapsed / self._duration, 1.0)
        return self._path(s * s * (3.0 - 2.0 * s))


class MotionQueue:
    """Runs one motion after another on the plant, at the controller's tick."""

    def __init__(self, plant: JointPlant, state: ControllerState, clock: Clock) -> None:
        self._plant = plant
        self._state = state
        self._clock = clock
        self._motions: deque[Motion] = deque()
        self._last = clock.now()
        self.end: Array = plant.read().target
        self._servo_until = 0

    @property
    def idle(self) -> bool:
        """Whether nothing is queued or running."""
        return not self._motions

    @property
    def waiting(self) -> int:
        """How many motions wait behind the one that runs."""
        return max(0, len(self._motions) - 1)

    def clear(self) -> None:
        """Stop where the arm is and forget the queue."""
        self._motions.clear()
        self._state.running = False
        self._plant.hold()
        self.end = self._plant.read().position
        self._servo_until = 0

    def append(self, motion: Motion, end: Array) -> None:
        """Queue a motion that ends at the joints ``end`` [rad]."""
        self._motions.append(motion)
        self.end = end
        self._state.running = True

    def servo(self, target: Array, parameters: ServoParameters) -> None:
        """Stream a target [rad], after the checks."""
        now = self._clock.now()
        reading = self._plant.read()
        alarm = servo_alarm(np.degrees(target - reading.target), parameters.duration, self._state)
        alarm = limit_alarm(np.degrees(target), self._state.settings) or alarm
        if alarm:
            self._state.raise_alarm(alarm)
            return
        self._plant.servo(target, parameters)
        self.end = target
        self._servo_until = now + round(parameters.duration * 1e9)

    def tick(self) -> JointReading:
        """Run the queue up to the present and supervise the joints."""
        now = self._clock.now()
        seconds, self._last = to_s(now - self._last), now
        if self._motions and not self._state.paused:
            point = self._motions[0].advance(seconds)
            if point is not None:
                self._plant.servo(point, STEP)
            if self._motions[0].done:
                self._motions.popleft()
        reading = self._plant.read()
        self._state.running = bool(self._motions) or now < self._servo_until
        lag = np.abs(np.degrees(reading.target - reading.position))
        if self._state.enabled and lag.max() > self._state.settings.max_lag:
            self._state.raise_alarm(POSITION_LAG + int(lag.argmax()))
        return reading


def servo_alarm(step: Array, duration: float, state: ControllerState) -> int:
    """Return the alarm that a streamed step [deg] to be done in ``duration`` [s] trips, or 0."""
    size = np.abs(step)
    if size.max() > 180.0:
        return JOINT_JUMP
    if size.max() / duration > state.settings.max_joint_speed:
        return OVERSPEED + int(size.argmax())
    return 0


def limit_alarm(joints: Array, settings: ControllerSettings) -> int:
    """Return the alarm of the first joint [deg] outside its range, or 0."""
    for i, (angle, limit) in enumerate(zip(joints, settings.joint_limit, strict=True)):
        if abs(angle) > limit:
            return JOINT_LIMIT + 2 * i + (0 if angle > 0.0 else 1)
    return 0
