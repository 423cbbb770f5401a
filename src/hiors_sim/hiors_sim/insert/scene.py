# SPDX-License-Identifier: Apache-2.0
"""The scene of the insertion: sizes, start zone, tolerances. Knows no physics."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hiors_core.errors import InvalidValue
from hiors_sim.scene_file import Layout, read_fields

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class InsertScene:
    """Geometry of the insertion; positions in the base frame of the task's arm.

    Attributes:
        plate_center, plate_size: (2,) x y [m]. plate_height: top above the table [m].
        hole_position: (2,) x y [m]. hole_depth, clearance (per side), chamfer: [m].
        box_size: (3,) edge lengths [m]. box_mass: [kg].
        start_center, start_size: (2,) x y of the box's start zone [m]. start_yaw: half range
            [rad].
        seat_height, lateral, openness, retreat, hold: tolerances of success; see the task file.
        slip_rate: how often a carried box slips out of the fingers by chance [1/s].
        slip_speed: speed at which it slips twice as often; the square of the speed counts [m/s].
    """

    plate_center: Array
    plate_size: Array
    plate_height: float
    hole_position: Array
    hole_depth: float
    clearance: float
    chamfer: float
    box_size: Array
    box_mass: float
    start_center: Array
    start_size: Array
    start_yaw: float
    seat_height: float
    lateral: float
    openness: float
    retreat: float
    hold: float
    slip_rate: float = 0.0
    slip_speed: float = 1.0

    @property
    def floor(self) -> float:
        """Height of the hole's bottom [m]."""
        return self.plate_height - self.hole_depth

    @property
    def hole_pose(self) -> Array:
        """(7,) centre of the hole's opening, at the height of the plate's top."""
        x, y = self.hole_position
        return np.array([x, y, self.plate_height, 0.0, 0.0, 0.0, 1.0])


_LAYOUT: Layout = {
    "plate": {
        "center": ("plate_center", 2),
        "size": ("plate_size", 2),
        "height": ("plate_height", 0),
    },
    "hole": {
        "position": ("hole_position", 2),
        "depth": ("hole_depth", 0),
        "clearance": ("clearance", 0),
        "chamfer": ("chamfer", 0),
    },
    "box": {"size": ("box_size", 3), "mass": ("box_mass", 0)},
    "start": {
        "center": ("start_center", 2),
        "size": ("start_size", 2),
        "yaw": ("start_yaw", 0),
    },
    "success": {
        "seat_height": ("seat_height", 0),
        "lateral": ("lateral", 0),
        "openness": ("openness", 0),
        "retreat": ("retreat", 0),
        "hold": ("hold", 0),
    },
    "slip": {"rate": ("slip_rate", 0), "speed": ("slip_speed", 0)},
}
_POSITIONS = ("plate_center", "hole_position", "start_center")


def read_scene(data: Any, where: str) -> InsertScene:
    """Return the scene of a task file; unknown keys and impossible geometry are refused."""
    values = read_fields(data, where, _LAYOUT, signed=_POSITIONS, optional=("slip",))
    scene = InsertScene(**values)
    _check(scene, where)
    return scene


def _check(scene: InsertScene, where: str) -> None:
    if not 0.0 < scene.hole_depth < scene.plate_height:
        raise InvalidValue(
            f"{where}.hole.depth must be above 0 and below plate.height {scene.plate_height},"
            f" got {scene.hole_depth}"
        )
    if scene.hole_depth >= scene.box_size[2]:
        raise InvalidValue(
            f"{where}.hole.depth must leave the box graspable: below {scene.box_size[2]},"
            f" got {scene.hole_depth}"
        )
    if not 0.0 < scene.clearance < 0.02 or not 0.0 < scene.box_mass < 2.0:
        raise InvalidValue(
            f"{where}: clearance must be within 0 .. 0.02 m and box mass within 0 .. 2 kg, got"
            f" {scene.clearance} and {scene.box_mass}"
        )
    if scene.slip_speed <= 0.0:
        raise InvalidValue(f"{where}.slip.speed must be above 0 m/s, got {scene.slip_speed}")
    reach = scene.start_size / 2 + scene.box_size[:2].max()
    inside = np.abs(scene.start_center - scene.plate_center) + reach <= scene.plate_size / 2 + 0.02
    if not inside.all():
        raise InvalidValue(f"{where}.start must lie on the plate")
