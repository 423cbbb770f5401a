# SPDX-License-Identifier: Apache-2.0
"""The scene of packing: conveyor, bottle, cardboard box, tolerances. Knows no physics."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hiors_core.errors import InvalidValue
from hiors_sim.scene_file import Layout, read_fields

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class PackScene:
    """Geometry of packing; positions in the base frame of the task's arm.

    Attributes:
        table_height: top of the table [m].
        belt_center: (2,) x y of the conveyor, which runs toward -y [m]. belt_size: (2,) x y [m].
        belt_height: top of the belt [m]. belt_speed: (2,) slowest and fastest, by seed [m/s].
        body_size: (3,) edge lengths of the bottle's body [m]. cap_radius, cap_height: the cap by
            which it is grasped, on top of the body [m]. bottle_mass: [kg].
        start_center, start_size: (2,) x y of the bottle's start zone on the belt [m].
        start_yaw: half range [rad].
        box_center: (2,) x y [m]. box_size: (3,) inner edge lengths [m]. box_shift: (2,) half range
            of its place by seed [m].
        reach_lower, reach_upper: (2,) x y beyond which a bottle is lost [m].
        height, openness, retreat, hold: tolerances of success; see the task file.
    """

    table_height: float
    belt_center: Array
    belt_size: Array
    belt_height: float
    belt_speed: Array
    body_size: Array
    cap_radius: float
    cap_height: float
    bottle_mass: float
    start_center: Array
    start_size: Array
    start_yaw: float
    box_center: Array
    box_size: Array
    box_shift: Array
    reach_lower: Array
    reach_upper: Array
    height: float
    openness: float
    retreat: float
    hold: float

    @property
    def half(self) -> float:
        """Half the height of the bottle, body and cap [m]."""
        return (float(self.body_size[2]) + self.cap_height) / 2

    @property
    def rim(self) -> float:
        """Height of the upper edge of the box's walls [m]."""
        return self.floor + float(self.box_size[2])

    @property
    def floor(self) -> float:
        """Height of the box's inner floor [m]."""
        return self.table_height + WALL


WALL = 0.004
"""Thickness of the cardboard [m]."""

_LAYOUT: Layout = {
    "table": {"height": ("table_height", 0)},
    "belt": {
        "center": ("belt_center", 2),
        "size": ("belt_size", 2),
        "height": ("belt_height", 0),
        "speed": ("belt_speed", 2),
    },
    "bottle": {
        "body": ("body_size", 3),
        "cap_radius": ("cap_radius", 0),
        "cap_height": ("cap_height", 0),
        "mass": ("bottle_mass", 0),
    },
    "start": {
        "center": ("start_center", 2),
        "size": ("start_size", 2),
        "yaw": ("start_yaw", 0),
    },
    "box": {"center": ("box_center", 2), "size": ("box_size", 3), "shift": ("box_shift", 2)},
    "reach": {"lower": ("reach_lower", 2), "upper": ("reach_upper", 2)},
    "success": {
        "height": ("height", 0),
        "openness": ("openness", 0),
        "retreat": ("retreat", 0),
        "hold": ("hold", 0),
    },
}
_SIGNED = (
    "table_height",
    "belt_center",
    "belt_height",
    "start_center",
    "box_center",
    "reach_lower",
    "reach_upper",
)


def read_scene(data: Any, where: str) -> PackScene:
    """Return the scene of a task file; unknown keys and impossible geometry are refused."""
    scene = PackScene(**read_fields(data, where, _LAYOUT, signed=_SIGNED))
    slow, fast = scene.belt_speed
    if not slow <= fast <= 0.3:
        raise InvalidValue(
            f"{where}.belt.speed must be slowest <= fastest <= 0.3 m/s, got {slow} and {fast}"
        )
    if scene.belt_height <= scene.table_height:
        raise InvalidValue(f"{where}.belt.height must be above table.height {scene.table_height}")
    if not 0.014 < scene.cap_radius < 0.045 or not 0.0 < scene.bottle_mass < 2.0:
        raise InvalidValue(
            f"{where}.bottle: cap_radius must be within 0.014 .. 0.045 m, between closed and open"
            f" fingers, and mass within 0 .. 2 kg, got {scene.cap_radius} and {scene.bottle_mass}"
        )
    beside = np.abs(scene.start_center - scene.belt_center) + scene.start_size / 2
    if not (beside + scene.body_size[:2] / 2 <= scene.belt_size / 2).all():
        raise InvalidValue(f"{where}.start must lie on the belt")
    if not (scene.body_size[:2].max() * 1.3 < scene.box_size[:2]).all():
        raise InvalidValue(f"{where}.box.size must leave room for the bottle {scene.body_size}")
    if not (scene.reach_lower < scene.reach_upper).all():
        raise InvalidValue(f"{where}.reach: every lower must be below upper")
    return scene
