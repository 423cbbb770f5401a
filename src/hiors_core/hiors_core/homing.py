# SPDX-License-Identifier: Apache-2.0
"""The way home: straight up first where the tool is low, then along a line in joint space.

It plans around nothing: the lift is what keeps the tool off what stands on the table.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiors_core.action_space import ActionMapper
from hiors_core.errors import InvalidValue
from hiors_core.wish import Wish

Array = NDArray[np.float64]

AT_HOME = "at home"
"""Why the arbiter holds once the way home was gone to its end."""
_ARRIVED = 1e-3
_LEAST_PROGRESS = 0.5
"""Share of a step up that the joints must be able to do; near their limits they can do none."""
_MARGIN = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeRules:
    """How the robot goes home.

    Attributes:
        height: a tool point below this is lifted first [m, base frame].
        lift: by how much [m]. lift_velocity: [m/s].
        velocity: of the fastest joint [rad/s].
        timeout: after which the attempt ends in HOLD [s].
    """

    height: float = 0.15
    lift: float = 0.10
    lift_velocity: float = 0.15
    velocity: float = 0.6
    timeout: float = 20.0

    def __post_init__(self) -> None:
        for name in ("lift_velocity", "velocity", "timeout"):
            if not math.isfinite(getattr(self, name)) or getattr(self, name) <= 0.0:
                raise InvalidValue(f"home {name} must be above 0, got {getattr(self, name)}")
        if not math.isfinite(self.lift) or self.lift < 0.0:
            raise InvalidValue(f"home lift must be at least 0 m, got {self.lift}")


class HomePath:
    """One way home, from the command (N,) in force at its start."""

    def __init__(self, mapper: ActionMapper, rules: HomeRules, command: Array) -> None:
        self._mapper, self._rules = mapper, rules
        self._home = mapper.robot.home
        self._joints = np.array([unit == "rad" for unit in mapper.robot.units])
        self._lifts = [self._plan_lift(i, command) for i in range(len(mapper.arms))]

    def wish(self, command: Array, dt: float) -> Wish | None:
        """Return where to go from the command (N,), a tick ``dt`` [s] on; None at home."""
        if np.abs(command - self._home).max() < _ARRIVED:
            return None
        target = self._target(command, dt)
        return Wish(position=target, held=np.zeros(len(target), dtype=np.bool_))

    def _target(self, command: Array, dt: float) -> Array:
        target = command.copy()
        for i, goal in enumerate(self._lifts):
            if goal is not None and not self._raise(i, goal, command, target, dt):
                self._lifts[i] = None
        if any(goal is not None for goal in self._lifts):
            return target
        way = np.where(self._joints, self._home - command, 0.0)
        longest = float(np.abs(way).max())
        target += way * min(1.0, self._rules.velocity * dt / max(longest, 1e-12))
        return np.where(self._joints, target, self._home)

    def _plan_lift(self, index: int, command: Array) -> Array | None:
        """Return the pose (4, 4) to lift the arm's tool to, or None if it is high enough."""
        arm = self._mapper.robot.arms[index]
        columns = self._mapper.robot.columns(arm)
        pose = self._mapper.arms[index].matrix(command[columns][:-1])
        ceiling = float(arm.limits.workspace_upper[2]) - _MARGIN
        goal = min(float(pose[2, 3]) + self._rules.lift, ceiling)
        if pose[2, 3] >= self._rules.height or goal <= pose[2, 3]:
            return None
        pose[2, 3] = goal
        return pose

    def _raise(self, index: int, goal: Array, command: Array, target: Array, dt: float) -> bool:
        """Aim the arm's columns of ``target`` higher; False when it is up or can go no higher."""
        columns = self._mapper.robot.columns(self._mapper.robot.arms[index])
        kinematics = self._mapper.arms[index]
        joints = slice(columns.start, columns.stop - 1)
        point = kinematics.position(command[joints])
        way = goal[:3, 3] - point
        distance = float(np.linalg.norm(way))
        if distance < _ARRIVED:
            return False
        step = point + way * min(1.0, self._rules.lift_velocity * dt / distance)
        found = kinematics.solve(step, goal[:3, :3], command[joints])
        if found.position_error > (1.0 - _LEAST_PROGRESS) * float(np.linalg.norm(step - point)):
            return False
        target[joints] = found.q
        return True
