# SPDX-License-Identifier: Apache-2.0
"""Angles about the vertical: of a pose, and of things that look the same after a quarter turn."""

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def yaw_of(pose: Array) -> float:
    """Return the rotation about z [rad] of a pose (7,) x y z, quaternion x y z w."""
    x, y, z, w = pose[3], pose[4], pose[5], pose[6]
    return math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))


def quarter_turn(angle: float) -> float:
    """Return the angle [rad] modulo a quarter turn, within +-pi/4: the box is square."""
    return (angle + math.pi / 4) % (math.pi / 2) - math.pi / 4


def upright(x: float, y: float, z: float, yaw: float = 0.0) -> Array:
    """Return the pose (7,) of something that stands upright at x y z [m], turned by yaw [rad]."""
    return np.array([x, y, z, 0.0, 0.0, math.sin(yaw / 2), math.cos(yaw / 2)])
