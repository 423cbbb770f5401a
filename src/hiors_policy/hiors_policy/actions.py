# SPDX-License-Identifier: Apache-2.0
"""How a chunk is written for a network: steps from row to row, starting at the command in force.
Exactly invertible.

A step is small and has the same spread in every row, so one standard deviation per column is
enough. Grippers stay absolute.
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

    def base(self, command: Array) -> Array:
        """Return the action (A,) that the command in force (N,) amounts to."""
        command = np.asarray(command, np.float64)
        if self.space.kind == "joint":
            return command.copy()
        return self._mapper.joint_to_ee(command)

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
