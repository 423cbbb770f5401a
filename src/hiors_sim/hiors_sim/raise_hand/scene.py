# SPDX-License-Identifier: Apache-2.0
"""The scene of the raised hand: where the pose is shown, tolerances. Knows no physics."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hiors_core.errors import InvalidValue
from hiors_core.geometry import matrix_to_quat, rotvec_to_matrix
from hiors_sim.scene_file import Layout, read_fields

Array = NDArray[np.float64]

_DOWN = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
"""Orientation of a tool that points straight down and opens sideways."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RaiseHandScene:
    """Where the target is shown; positions in the base frame of the task's arm.

    Attributes:
        table_height: top of the table [m].
        center, size: (3,) x y z of the zone of the shown poses [m].
        pitch: of the shown hand about y, against one that points down: -pi/2 points ahead [rad].
        yaw: half range about z [rad].
        position, rotation: largest distance from the shown pose [m], [rad].
        openness: the gripper is at least this open. hold: all of it for this long [s].
    """

    table_height: float
    center: Array
    size: Array
    pitch: float
    yaw: float
    position: float
    rotation: float
    openness: float
    hold: float

    def pose(self, position: Array, yaw: float) -> Array:
        """Return the shown pose (7,) at a position (3,) [m], turned by yaw [rad]."""
        turn = rotvec_to_matrix(np.array([0.0, 0.0, yaw]))
        tilt = rotvec_to_matrix(np.array([0.0, self.pitch, 0.0]))
        return np.concatenate((position, matrix_to_quat(turn @ tilt @ _DOWN)))


_LAYOUT: Layout = {
    "table": {"height": ("table_height", 0)},
    "target": {
        "center": ("center", 3),
        "size": ("size", 3),
        "pitch": ("pitch", 0),
        "yaw": ("yaw", 0),
    },
    "success": {
        "position": ("position", 0),
        "rotation": ("rotation", 0),
        "openness": ("openness", 0),
        "hold": ("hold", 0),
    },
}


def read_scene(data: Any, where: str) -> RaiseHandScene:
    """Return the scene of a task file; unknown keys and impossible values are refused."""
    scene = RaiseHandScene(
        **read_fields(data, where, _LAYOUT, signed=("table_height", "center", "pitch"))
    )
    if abs(scene.pitch) > 2.2 or scene.yaw > math.pi / 2:
        raise InvalidValue(
            f"{where}.target: pitch must be within +-2.2 rad and yaw at most pi/2, got"
            f" {scene.pitch} and {scene.yaw}"
        )
    if scene.position <= 0.0 or scene.rotation <= 0.0 or scene.openness > 1.0:
        raise InvalidValue(
            f"{where}.success: position and rotation must be above 0 and openness at most 1, got"
            f" {scene.position}, {scene.rotation} and {scene.openness}"
        )
    if scene.center[2] - scene.size[2] / 2 <= scene.table_height:
        raise InvalidValue(f"{where}.target must be above table.height {scene.table_height}")
    return scene
