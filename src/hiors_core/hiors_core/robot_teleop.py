# SPDX-License-Identifier: Apache-2.0
"""The person's side of the arbiter: the clutches of all arms, and the wish that they make.

One arm is ``hiors_core.teleop``. Knows no authority.
"""

import numpy as np
from numpy.typing import NDArray

from hiors_core.action_space import ActionMapper
from hiors_core.teleop import ArmTeleop, Phase, Teleop, TeleopRules
from hiors_core.wish import Wish

Array = NDArray[np.float64]


class RobotTeleop:
    """Takes the devices' messages, says where the person wants the robot."""

    def __init__(self, mapper: ActionMapper, rules: TeleopRules) -> None:
        robot = mapper.robot
        self._columns = tuple(robot.columns(arm) for arm in robot.arms)
        self._arms = {
            arm.name: ArmTeleop(arm, kinematics, rules)
            for arm, kinematics in zip(robot.arms, mapper.arms, strict=True)
        }

    @property
    def last_arrival(self) -> int:
        """Time of the last accepted message [ns]; 0 before the first."""
        return max(arm.last_arrival for arm in self._arms.values())

    @property
    def approaching(self) -> bool:
        """Whether an arm is on its way to where its leader arm is."""
        return any(arm.phase is Phase.APPROACHING for arm in self._arms.values())

    @property
    def problems(self) -> list[str]:
        """Why arms do not follow although a device asks them to."""
        return [arm.problem for arm in self._arms.values() if arm.problem]

    def accept(self, teleop: Teleop, now: int) -> str | None:
        """Take in a message, or return why it is refused, beginning with the field's name."""
        arm = self._arms.get(teleop.arm)
        if arm is None:
            return f"arm: '{teleop.arm}' is not one of {', '.join(self._arms)}"
        return arm.accept(teleop, now)

    def release(self) -> None:
        """Drop all anchors: the arms hold until their clutches close again."""
        for arm in self._arms.values():
            arm.release()

    def wish(self, now: int, command: Array, measured: Array, dt: float) -> Wish | None:
        """Return where the person wants the robot, or None when every arm holds.

        Args:
            command: (N,) the command in force. measured: (N,) feedback. dt: tick [s].
        """
        position, held = command.copy(), np.ones(len(command), dtype=np.bool_)
        notes: list[str] = []
        for arm, columns in zip(self._arms.values(), self._columns, strict=True):
            target = arm.target(now, command[columns], measured[columns], dt)
            if target is not None:
                position[columns], held[columns] = target.position, False
                notes += target.notes
        if held.all():
            return None
        return Wish(position=position, held=held, notes=tuple(notes))
