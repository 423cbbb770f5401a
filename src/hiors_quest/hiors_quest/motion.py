# SPDX-License-Identifier: Apache-2.0
"""From the motion of a hand in WebXR's axes to the motion of a tool in a robot's. Knows no clutch.

WebXR: x right, y up, z backward. ROS (REP-103): x forward, y left, z up.
"""

import math

import numpy as np

from hiors_core.geometry import (
    quat_conjugate,
    quat_multiply,
    quat_rotate,
    quat_to_rotvec,
    rotvec_to_quat,
    unwrap_rotvec,
)
from hiors_quest.values import Array

XR_TO_ROS = np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
"""p_ros = XR_TO_ROS p_xr, both in metres."""

IDENTITY = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0])
"""(7,) the motion that is none."""

_LEVEL = 0.2
"""A look steeper than this horizontal part of its direction has no heading."""


def heading_of(head: Array) -> float | None:
    """Return a viewer's (4,) heading about XR's y axis [rad]; None when looking up or down."""
    x, _, z = quat_rotate(head, np.array([0.0, 0.0, -1.0])).tolist()
    return math.atan2(-x, -z) if math.hypot(x, z) > _LEVEL else None


def turn(heading: float, yaw: float) -> Array:
    """Return the (3, 3) rotation from XR's axes to a base frame's.

    ``heading`` [rad] is what counts as the operator's forward about XR's y axis, ``yaw`` [rad]
    where that forward points about the base frame's z axis (0: along its x axis).
    """
    s, c = math.sin(heading), math.cos(heading)
    level = np.array([[c, 0.0, -s], [0.0, 1.0, 0.0], [s, 0.0, c]])
    s, c = math.sin(yaw), math.cos(yaw)
    about_z = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    result: Array = about_z @ XR_TO_ROS @ level
    return result


def distance(a: Array, b: Array) -> tuple[float, float]:
    """Return how far two poses (7,) are apart: [m], [rad]."""
    rotation = quat_to_rotvec(quat_multiply(b[3:], quat_conjugate(a[3:])))
    return float(np.linalg.norm(b[:3] - a[:3])), float(np.linalg.norm(rotation))


class RelativeMotion:
    """The motion since one pose of the hand, scaled, along the axes of the arm's base frame."""

    def __init__(
        self, origin: Array, turn: Array, position_gain: float, rotation_gain: float
    ) -> None:
        self._origin = origin
        self._turn = turn
        self._position_gain = position_gain
        self._rotation_gain = rotation_gain
        self._rotvec = np.zeros(3)

    def __call__(self, pose: Array) -> Array:
        """Return (7,) for a pose of the hand; called for every frame, turns go on past 180°."""
        rotation = quat_multiply(pose[3:], quat_conjugate(self._origin[3:]))
        self._rotvec = unwrap_rotvec(quat_to_rotvec(rotation)[None], self._rotvec)[0]
        position = self._position_gain * (self._turn @ (pose[:3] - self._origin[:3]))
        quat = rotvec_to_quat(self._rotation_gain * (self._turn @ self._rotvec))
        return np.concatenate((position, quat))
