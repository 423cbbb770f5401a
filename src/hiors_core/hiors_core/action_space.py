# SPDX-License-Identifier: Apache-2.0
"""What a policy may say: absolute joints or absolute tool poses, and the way between the two."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiors_core.errors import InvalidValue, UnknownName
from hiors_core.geometry import matrix_to_rotvec, rotvec_to_matrix, unwrap_rotvec
from hiors_core.kinematics import ArmKinematics
from hiors_core.robot import RobotModel

Array = NDArray[np.float64]

KINDS = ("joint", "ee")
_POSE_PARTS = (("x", "m"), ("y", "m"), ("z", "m"), ("rx", "rad"), ("ry", "rad"), ("rz", "rad"))
EE_COLUMNS = len(_POSE_PARTS) + 1
"""Columns of one arm in the "ee" space: position, rotation vector, gripper."""
_REPORTED_MISS = 1e-3
"""[m] and [rad] by which a pose must be missed before it counts as out of reach."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionSpace:
    """Columns of an action. names, units: (A,), units "rad", "m" or "1"."""

    kind: str
    names: tuple[str, ...]
    units: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EeSolution:
    """Joints and grippers (N,) for an "ee" action, and one sentence for each pose out of reach."""

    position: Array
    notes: tuple[str, ...]


def action_space(robot: RobotModel, kind: str) -> ActionSpace:
    """Return the columns of the action space "joint" or "ee" for this robot."""
    if kind == "joint":
        return ActionSpace(kind=kind, names=robot.names, units=robot.units)
    if kind != "ee":
        raise UnknownName("action space", kind, KINDS)
    names, units = [], []
    for arm in robot.arms:
        names += [*(f"{arm.name}_{part}" for part, _ in _POSE_PARTS), arm.gripper]
        units += [*(unit for _, unit in _POSE_PARTS), "1"]
    return ActionSpace(kind=kind, names=tuple(names), units=tuple(units))


class ActionMapper:
    """Converts between the robot's joints and "ee" actions. One instance serves one thread.

    The rotation part of an "ee" action is r with R = Exp(r) R_home, where R_home is the tool's
    orientation at the arm's home position: r = 0 is the tool as it is at home.
    """

    def __init__(self, robot: RobotModel) -> None:
        self.robot = robot
        self.arms = tuple(ArmKinematics(arm) for arm in robot.arms)
        self._columns = tuple(robot.columns(arm) for arm in robot.arms)
        self._sizes = (len(robot.names), EE_COLUMNS * len(robot.arms))

    def joint_to_ee(self, position: Array) -> Array:
        """Return the "ee" action (A,) that the robot's position (N,) amounts to."""
        _check(position, (self._sizes[0],), "position")
        action = np.empty(self._sizes[1])
        for i, (kinematics, columns) in enumerate(zip(self.arms, self._columns, strict=True)):
            part = action[EE_COLUMNS * i : EE_COLUMNS * (i + 1)]
            tip = kinematics.matrix(position[columns][:-1])
            part[:3] = tip[:3, 3]
            part[3:6] = matrix_to_rotvec(tip[:3, :3] @ kinematics.home_rotation.T)
            part[6] = position[columns.stop - 1]
        return action

    def ee_to_joint(self, action: Array, seed: Array) -> Array:
        """Return the position (N,) for an "ee" action (A,), near the position ``seed`` (N,)."""
        return self.solve(action, seed).position

    def solve(self, action: Array, seed: Array) -> EeSolution:
        """As ``ee_to_joint``, and say which poses are out of reach and by how much."""
        _check(action, (self._sizes[1],), "action")
        _check(seed, (self._sizes[0],), "seed")
        position, notes = np.empty(self._sizes[0]), []
        for i, (kinematics, columns) in enumerate(zip(self.arms, self._columns, strict=True)):
            part = action[EE_COLUMNS * i : EE_COLUMNS * (i + 1)]
            rotation = rotvec_to_matrix(part[3:6]) @ kinematics.home_rotation
            found = kinematics.solve(part[:3], rotation, seed[columns][:-1])
            position[columns.start : columns.stop - 1] = found.q
            position[columns.stop - 1] = part[6]
            if max(found.position_error, found.rotation_error) > _REPORTED_MISS:
                notes.append(
                    miss(self.robot.arms[i].name, found.position_error, found.rotation_error)
                )
        return EeSolution(position=position, notes=tuple(notes))

    def convert(self, positions: Array, kind: str) -> Array:
        """Return actions (T, A) of a space for positions (T, N), rotation vectors continuous."""
        if kind not in KINDS:
            raise UnknownName("action space", kind, KINDS)
        if positions.ndim != 2 or positions.shape[1] != self._sizes[0]:
            raise InvalidValue(f"positions must be (T, {self._sizes[0]}), got {positions.shape}")
        if kind == "joint":
            return np.array(positions, dtype=np.float64)
        actions = np.empty((len(positions), self._sizes[1]))
        for i, (kinematics, columns) in enumerate(zip(self.arms, self._columns, strict=True)):
            part = actions[:, EE_COLUMNS * i : EE_COLUMNS * (i + 1)]
            tips = kinematics.matrices(positions[:, columns][:, :-1])
            part[:, :3] = tips[:, :3, 3]
            turns = matrix_to_rotvec(tips[:, :3, :3] @ kinematics.home_rotation.T)
            part[:, 3:6] = unwrap_rotvec(turns, np.zeros(3))
            part[:, 6] = positions[:, columns.stop - 1]
        return actions


def miss(arm: str, position_error: float, rotation_error: float) -> str:
    """Return the sentence for a pose out of reach. Errors in [m] and [rad]."""
    return f"{arm}: pose out of reach by {position_error * 1e3:.0f} mm, {rotation_error:.2f} rad"


def unwrap_actions(actions: Array, near: Array) -> Array:
    """Return "ee" actions (T, A) with rotation vectors continuous from ``near`` (A,) on."""
    result = np.array(actions, dtype=np.float64)
    for start in range(3, result.shape[1], EE_COLUMNS):
        columns = slice(start, start + 3)
        result[:, columns] = unwrap_rotvec(result[:, columns], near[columns])
    return result


def _check(value: Array, shape: tuple[int, ...], what: str) -> None:
    if value.shape != shape:
        raise InvalidValue(f"{what} must have shape {shape}, got {value.shape}")
