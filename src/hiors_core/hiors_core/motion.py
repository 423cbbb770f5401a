# SPDX-License-Identifier: Apache-2.0
"""The command in force and how it moves on: the only place that asks the limiter."""

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

from hiors_core.limiter import Limiter
from hiors_core.robot import RobotModel

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Motion:
    """The robot's command (N,), its velocity (N,), and its commands of ``memory`` seconds."""

    def __init__(self, robot: RobotModel, dt: float, memory: float) -> None:
        n = len(robot.names)
        self.joints: Mask = np.array([unit == "rad" for unit in robot.units], dtype=np.bool_)
        """(N,) which columns are joints; the others are grippers."""
        self._dt = dt
        self._limiter = Limiter(robot, dt)
        self._grippers: Mask = np.logical_not(self.joints)
        self._none: Mask = np.zeros(n, dtype=np.bool_)
        self._command, self._velocity = np.zeros(n), np.zeros(n)
        self._aim, self._aimed = np.zeros(n), self._none
        self._history: deque[tuple[int, Array]] = deque(maxlen=math.ceil(memory / dt))

    @property
    def command(self) -> Array:
        """(N,) the command in force, read-only."""
        return self._command

    @property
    def at_rest(self) -> bool:
        """Whether the last step was none."""
        return not self._velocity.any()

    def settle(self, measured: Array, stamp: int, *, grippers: bool = False) -> None:
        """Make the measured position (N,) the command in force: the robot stands there already.

        Grippers keep their command unless asked: it is beyond the measured value while they hold
        something.
        """
        moved = np.logical_or(self.joints, self._grippers if grippers else self._none)
        position = np.where(moved, measured, self._command)
        position[self._grippers] = np.clip(position[self._grippers], 0.0, 1.0)
        self._set(position, np.zeros_like(position))
        self.forget_aim()
        self.record(stamp)

    def move(self, position: Array, held: Mask) -> tuple[str, ...]:
        """Step towards a wish (N,); columns ``held`` are nobody's. Return what was changed."""
        driven = np.logical_not(held)
        moving = np.where(self._aimed & driven, (position - self._aim) / self._dt, 0.0)
        self._aim, self._aimed = position, driven
        limited = self._limiter.limit(
            position, self._command, self._velocity, target_velocity=moving
        )
        self._set(limited.position, limited.velocity)
        return limited.changes

    def brake(self) -> None:
        """Come to rest as the limits allow, wherever that ends: going back would swing."""
        self.forget_aim()
        if self._velocity.any():
            limited = self._limiter.limit(self._command, self._command, self._velocity)
            self._set(limited.position, limited.velocity)

    def forget_aim(self) -> None:
        """Take the next wish as standing still: it does not continue the last one."""
        self._aimed = self._none

    def record(self, stamp: int) -> None:
        """Remember that the command is in force from this time on [ns]."""
        self._history.append((stamp, self._command))

    def at(self, stamp: int) -> Array:
        """Return the command that was in force at a time [ns], or the oldest known before that."""
        for when, command in reversed(self._history):
            if when <= stamp:
                return command
        return self._history[0][1] if self._history else self._command

    def _set(self, position: Array, velocity: Array) -> None:
        position.setflags(write=False)
        self._command, self._velocity = position, velocity
