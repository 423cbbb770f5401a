# SPDX-License-Identifier: Apache-2.0
"""Where the robot is, as it says itself: what is believed of it, how fresh it is, what strays.

Knows no arbiter and no clock of its own.
"""

import math

import numpy as np
from numpy.typing import NDArray

from hiors_core.arbiter_settings import ArbiterSettings
from hiors_core.clock import to_ns, to_s
from hiors_core.robot import RobotModel

Array = NDArray[np.float64]

_CLOCK_SLACK = 0.05
"""[s] that a stamp may lie ahead: two clocks of one machine are not one clock."""


class Feedback:
    """The newest measured position, and what may be wrong with it."""

    def __init__(self, robot: RobotModel, settings: ArbiterSettings) -> None:
        self._names = robot.names
        self._joints = np.array([unit == "rad" for unit in robot.units], dtype=np.bool_)
        self._timeout = settings.feedback_timeout
        self._tolerance = settings.follow_tolerance
        self._stamp = 0
        self.known = False
        """Whether any position was measured yet."""
        self.measured: Array = np.zeros(len(robot.names))
        """(N,) the newest position."""

    def take(self, position: Array, stamp: int) -> str | None:
        """Take in the position (N,) of ``stamp`` [ns], or return why not, field's name first."""
        if position.shape != self.measured.shape:
            return f"position: shape {position.shape}"
        if not math.isfinite(position.sum()):
            return "position: must be finite"
        if 0 < self._stamp - stamp < to_ns(1.0):
            return "stamp: before the last one"
        self.measured, self._stamp, self.known = position, stamp, True
        return None

    def stale(self, now: int) -> str:
        """Return why the position cannot be relied on now [ns]; empty when it can."""
        if not self.known:
            return "feedback: none yet"
        age = to_s(now - self._stamp)
        if age > self._timeout:
            return f"feedback: {age:.2f} s old, may be {self._timeout} s at most"
        if age < -_CLOCK_SLACK:
            return f"feedback: stamp {-age:.2f} s in the future; are the clocks in step?"
        return ""

    def strayed(self, command: Array) -> str:
        """Return which joint does not follow the command (N,); empty when all do."""
        away = np.abs(command - self.measured) * self._joints
        worst = int(away.argmax())
        if away[worst] <= self._tolerance:
            return ""
        return f"follow: {self._names[worst]} is {away[worst]:.2f} rad from its command"
