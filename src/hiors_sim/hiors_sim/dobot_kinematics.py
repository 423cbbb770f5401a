# SPDX-License-Identifier: Apache-2.0
"""Poses as the Dobot controller writes them: X Y Z [mm], Rx Ry Rz [deg] with R = Rz·Ry·Rx. Uses
hiors_core's kinematics.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hiors_core.geometry import matrix_to_quat, quat_to_matrix
from hiors_core.kinematics import ArmKinematics
from hiors_core.robot import Arm

Array = NDArray[np.float64]

TOLERANCE_M, TOLERANCE_RAD = 1e-3, 1e-2


class DobotKinematics:
    """Forward and inverse solution for an arm, with the tool that is selected."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm
        self._cache: dict[tuple[float, ...], ArmKinematics] = {}

    def vector(self, joints: Array, tool: Sequence[float]) -> Array:
        """Return (6,) X Y Z [mm] Rx Ry Rz [deg] of the joints [rad]."""
        return to_vector(self.pose(joints, tool))

    def pose(self, joints: Array, tool: Sequence[float]) -> Array:
        """Return the (7,) pose [m], quaternion of the joints [rad]."""
        return self._chain(tool).forward(joints)

    def solve(self, vector: Array, seed: Array, tool: Sequence[float]) -> Array | None:
        """Return joints [rad] near ``seed`` that reach X Y Z Rx Ry Rz, or None."""
        result = self._chain(tool).inverse(from_vector(vector), seed, iterations=60)
        near = result.position_error < TOLERANCE_M and result.rotation_error < TOLERANCE_RAD
        return np.asarray(result.q) if near else None

    def _chain(self, tool: Sequence[float]) -> ArmKinematics:
        key = tuple(tool[:3])
        if key not in self._cache:
            self._cache[key] = ArmKinematics(replace(self._arm, tool=np.array(key) / 1000.0))
        return self._cache[key]


def to_vector(pose: Array) -> Array:
    """Convert a (7,) pose [m] to X Y Z [mm] Rx Ry Rz [deg]."""
    r = quat_to_matrix(pose[3:])
    pitch = math.atan2(-r[2, 0], math.hypot(r[0, 0], r[1, 0]))
    if math.hypot(r[0, 0], r[1, 0]) < 1e-9:
        angles = (math.atan2(-r[1, 2], r[1, 1]), pitch, 0.0)
    else:
        angles = (math.atan2(r[2, 1], r[2, 2]), pitch, math.atan2(r[1, 0], r[0, 0]))
    return np.concatenate([pose[:3] * 1000.0, np.degrees(angles)])


def from_vector(vector: Array) -> Array:
    """Convert X Y Z [mm] Rx Ry Rz [deg] to a (7,) pose [m]."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(np.radians(vector[3:])), np.sin(np.radians(vector[3:]))
    x = np.array([[1.0, 0.0, 0.0], [0.0, cx, -sx], [0.0, sx, cx]])
    y = np.array([[cy, 0.0, sy], [0.0, 1.0, 0.0], [-sy, 0.0, cy]])
    z = np.array([[cz, -sz, 0.0], [sz, cz, 0.0], [0.0, 0.0, 1.0]])
    return np.concatenate([np.asarray(vector[:3]) / 1000.0, matrix_to_quat(z @ y @ x)])
