# SPDX-License-Identifier: Apache-2.0
"""The simulated scene of a task: sizes, start zone, tolerances, read from the task file's `scene`.
Knows no physics.
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hiors_core.checked import number, section
from hiors_core.errors import InvalidValue
from hiors_core.task import Task, load_task

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

    @property
    def floor(self) -> float:
        """Height of the hole's bottom [m]."""
        return self.plate_height - self.hole_depth

    @property
    def hole_pose(self) -> Array:
        """(7,) centre of the hole's opening, at the height of the plate's top."""
        x, y = self.hole_position
        return np.array([x, y, self.plate_height, 0.0, 0.0, 0.0, 1.0])


@dataclass(frozen=True, slots=True, kw_only=True)
class SimTask:
    """A task with the scene that simulates it."""

    task: Task
    scene: InsertScene


def load_sim_task(path: str | Path) -> SimTask:
    """Read a task file with its scene; unknown keys and impossible geometry are refused."""
    task = load_task(path)
    scene = _scene(task.scene, f"{path}: scene")
    if task.objects != ("box", "hole"):
        raise InvalidValue(
            f"{path}: objects must be [box, hole] in simulation, got {[*task.objects]}"
        )
    return SimTask(task=task, scene=scene)


_LAYOUT: dict[str, dict[str, tuple[str, int]]] = {
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
}
_POSITIONS = ("plate_center", "hole_position", "start_center")


def _scene(data: Any, where: str) -> InsertScene:
    values: dict[str, Any] = {}
    top = section(data, where, set(_LAYOUT))
    for part, keys in _LAYOUT.items():
        given = section(top[part], f"{where}.{part}", set(keys))
        for key, (field, size) in keys.items():
            low = -2.0 if field in _POSITIONS else 0.0
            at = f"{where}.{part}.{key}"
            values[field] = (
                _vector(given[key], at, size, low) if size else number(given[key], at, low, 10.0)
            )
    scene = InsertScene(**{f.name: values[f.name] for f in fields(InsertScene)})
    _check(scene, where)
    return scene


def _vector(value: Any, where: str, size: int, low: float) -> Array:
    if not isinstance(value, list) or len(value) != size:
        raise InvalidValue(f"{where} must be {size} numbers, got {value!r}")
    array = np.array([number(v, where, low, 2.0) for v in value])
    array.setflags(write=False)
    return array


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
    reach = scene.start_size / 2 + scene.box_size[:2].max()
    inside = np.abs(scene.start_center - scene.plate_center) + reach <= scene.plate_size / 2 + 0.02
    if not inside.all():
        raise InvalidValue(f"{where}.start must lie on the plate")
