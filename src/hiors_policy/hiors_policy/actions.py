# SPDX-License-Identifier: Apache-2.0
"""How a chunk is written for a network: steps from row to row, starting where the robot is.
Exactly invertible.

The first step starts at the measured position, which the network sees. The command in force runs
ahead of it by the robot's lag: steps from there would add up the errors of every chunk before.
Grippers stay absolute.
"""

import numpy as np
from numpy.typing import NDArray

from hiors_core.action_space import ActionMapper, action_space, unwrap_actions
from hiors_core.errors import InvalidValue
from hiors_core.robot import RobotModel

Array = NDArray[np.float64]

HALF_OPEN = 0.5


class ActionCodec:
    """Between absolute actions (H, A) of a robot and what a network predicts. One instance serves
    one thread.
    """

    def __init__(self, robot: RobotModel, kind: str) -> None:
        self.space = action_space(robot, kind)
        self._mapper = ActionMapper(robot)
        self.grippers = np.array([unit == "1" for unit in self.space.units])

    def base(self, position: Array) -> Array:
        """Return the action (A,) that would keep the robot at a position (N,)."""
        position = np.asarray(position, np.float64)
        if self.space.kind == "joint":
            return position.copy()
        return self._mapper.joint_to_ee(position)

    def encode(self, actions: NDArray[np.floating], base: Array) -> Array:
        """Return steps (H, A) from row to row, the first from ``base`` (A,); grippers stay."""
        rows = np.asarray(actions, np.float64)
        if rows.ndim != 2 or rows.shape[1] != len(self.space.names):
            raise InvalidValue(
                f"actions must be (H, {len(self.space.names)}) for {', '.join(self.space.names)},"
                f" got {rows.shape}"
            )
        if self.space.kind == "ee":
            rows = unwrap_actions(rows, base)
        steps: Array = np.diff(rows, axis=0, prepend=base[None])
        steps[:, self.grippers] = rows[:, self.grippers]
        return steps

    def decode(self, steps: NDArray[np.floating], base: Array) -> Array:
        """Return the absolute actions (H, A) that ``encode`` made the steps from."""
        actions: Array = np.cumsum(np.asarray(steps, np.float64), axis=0) + base[None]
        actions[:, self.grippers] = steps[:, self.grippers]
        return actions

    def close_or_open(self, actions: Array) -> Array:
        """Return the actions with every gripper fully closed or fully open: values between grip
        weakly.
        """
        result = actions.copy()
        result[..., self.grippers] = (actions[..., self.grippers] > HALF_OPEN).astype(np.float64)
        return result
