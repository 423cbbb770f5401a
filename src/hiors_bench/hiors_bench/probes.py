# SPDX-License-Identifier: Apache-2.0
"""Starts and mishaps that a policy is tried in beside the usual ones: paper Fig. 6 and Fig. 7.

Only for scenes with a box and a hole; other tasks have no probes.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiors_core.errors import InvalidValue
from hiors_sim.angles import upright
from hiors_sim.environment import FastEnvironment
from hiors_sim.insert.scene import InsertScene
from hiors_sim.insert.task import InsertTask
from hiors_sim.rollout import Disturbance
from hiors_sim.sim_task import SimTask

Array = NDArray[np.float64]

REACH = 1.5
"""Side of the grid of starts over the side of the zone of the demonstrations."""
_LIFTED = 0.015
"""Height of the box above the plate that counts as lifted [m]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A place on the grid: x, y [m] in the base frame of the arm; inside: within the zone of the
    demonstrations.
    """

    x: float
    y: float
    inside: bool


def grid(task: SimTask, side: int) -> list[Start]:
    """Return ``side`` x ``side`` starts that reach beyond the start zone; none for some tasks."""
    if not isinstance(task, InsertTask) or side < 1:
        return []
    scene = task.scene
    part = np.linspace(-0.5, 0.5, side) if side > 1 else np.zeros(1)
    (cx, cy), (sx, sy) = scene.start_center, scene.start_size * REACH
    inside = np.abs(part) * REACH <= 0.5 + 1e-9
    return [
        Start(x=float(cx + sx * u), y=float(cy + sy * v), inside=bool(inside[i] and inside[j]))
        for j, v in enumerate(part)
        for i, u in enumerate(part)
    ]


def placed(task: SimTask, start: Start, seed: int) -> Disturbance:
    """Return what puts the box at a start when the episode begins, turned by chance."""
    scene = _scene(task)
    yaw = float(np.random.default_rng([10, seed]).uniform(-scene.start_yaw, scene.start_yaw))
    return _Once(_at_once, lambda _: (start.x, start.y, yaw))


Probe = Callable[[SimTask, int], Disturbance]
"""(task, seed of the episode) -> what happens in it."""


def probes(task: SimTask) -> dict[str, Probe]:
    """Return the recovery probes of a task by name."""
    if not isinstance(task, InsertTask):
        return {}
    return {"slipped": _slipped, "pushed": _pushed, "beside the hole": _beside}


def _slipped(task: SimTask, seed: int) -> Disturbance:
    """The box slips out of the lifted gripper and stands 2 to 4 cm away: grasp it again."""
    scene, rng = _scene(task), np.random.default_rng([11, seed])

    def is_lifted(environment: FastEnvironment) -> bool:
        bottom = environment.state.objects["box"][2] - scene.box_size[2] / 2
        return bool(bottom - scene.plate_height > _LIFTED)

    return _Once(is_lifted, lambda box: _aside(scene, box, rng, 0.02, 0.04))


def _pushed(task: SimTask, seed: int) -> Disturbance:
    """The box is pushed 2 to 3 cm aside as the gripper comes down on it: aim again."""
    scene, rng = _scene(task), np.random.default_rng([12, seed])
    return _Once(_is_approached, lambda box: _aside(scene, box, rng, 0.02, 0.03))


def _beside(task: SimTask, seed: int) -> Disturbance:
    """The box stands 4 to 7 cm before the hole, outside of the zone of the demonstrations."""
    scene, rng = _scene(task), np.random.default_rng([13, seed])
    x, y = scene.hole_position
    toward = math.atan2(scene.start_center[1] - y, scene.start_center[0] - x)
    way, turn = rng.uniform(0.04, 0.07), toward + rng.uniform(-0.9, 0.9)
    yaw = float(rng.uniform(-scene.start_yaw, scene.start_yaw))
    place = (float(x + way * math.cos(turn)), float(y + way * math.sin(turn)), yaw)
    return _Once(_at_once, lambda _: place)


Place = tuple[float, float, float]
"""x, y [m], yaw [rad]."""


class _Once:
    """Moves the box at the first tick at which it is time; it stands on the plate then."""

    def __init__(
        self, time: Callable[[FastEnvironment], bool], to: Callable[[Array], Place]
    ) -> None:
        self._time, self._to, self._done = time, to, False

    def __call__(self, environment: FastEnvironment) -> None:
        if not self._done and self._time(environment):
            self._done = True
            scene = _scene(environment.task)
            x, y, yaw = self._to(environment.state.objects["box"])
            pose = upright(x, y, scene.plate_height + float(scene.box_size[2]) / 2, yaw)
            environment.arrange(lambda sim: sim.place("box", pose))


def _at_once(environment: FastEnvironment) -> bool:
    del environment
    return True


def _is_approached(environment: FastEnvironment) -> bool:
    view = environment.view()
    level, away = view.tool[:2] - view.box[:2], view.tool[2] - view.box[2]
    return bool(view.gripper > 0.5 and np.abs(level).max() < 0.03 and 0.03 < away < 0.07)


def _aside(
    scene: InsertScene, box: Array, rng: np.random.Generator, low: float, high: float
) -> Place:
    """Return a place so far [m] from where the box is, within the start zone if there is one."""
    half = scene.start_size / 2
    for _ in range(100):
        way, turn = rng.uniform(low, high), rng.uniform(-math.pi, math.pi)
        place = box[:2] + way * np.array([math.cos(turn), math.sin(turn)])
        if np.all(np.abs(place - scene.start_center) <= half):
            break
    x, y = np.clip(place, scene.start_center - half, scene.start_center + half)
    return float(x), float(y), float(rng.uniform(-scene.start_yaw, scene.start_yaw))


def _scene(task: SimTask) -> InsertScene:
    if not isinstance(task, InsertTask):
        raise InvalidValue(f"Task {task.task.name} has no box to move")
    return task.scene
