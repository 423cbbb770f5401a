# SPDX-License-Identifier: Apache-2.0
"""Reads task files with the scene that simulates them. Knows which kinds of task there are."""

from collections.abc import Mapping
from pathlib import Path

from hiors_core.errors import InvalidValue, UnknownName
from hiors_core.task import Task, load_task
from hiors_sim.insert.scene import read_scene as read_insert
from hiors_sim.insert.task import OBJECTS as INSERT_OBJECTS
from hiors_sim.insert.task import InsertTask
from hiors_sim.pack.scene import read_scene as read_pack
from hiors_sim.pack.task import OBJECTS as PACK_OBJECTS
from hiors_sim.pack.task import PackTask
from hiors_sim.raise_hand.scene import read_scene as read_raise_hand
from hiors_sim.raise_hand.task import OBJECTS as RAISE_HAND_OBJECTS
from hiors_sim.raise_hand.task import RaiseHandTask
from hiors_sim.sim_task import SimTask

__all__ = ["OBJECTS", "SimTask", "load_sim_task"]

OBJECTS = {"insert": INSERT_OBJECTS, "raise_hand": RAISE_HAND_OBJECTS, "pack": PACK_OBJECTS}
"""Objects of each kind of task."""


def load_sim_task(path: str | Path) -> SimTask:
    """Read a task file with its scene; unknown keys and impossible geometry are refused."""
    task = load_task(path)
    where = f"{path}: scene"
    if not isinstance(task.scene, Mapping) or "kind" not in task.scene:
        raise InvalidValue(f"{where} must have a kind, one of {', '.join(OBJECTS)}")
    kind = str(task.scene["kind"])
    if kind not in OBJECTS:
        raise UnknownName("kind of task", kind, OBJECTS, f"In {where}.")
    if task.objects != OBJECTS[kind]:
        raise InvalidValue(
            f"{path}: objects must be [{', '.join(OBJECTS[kind])}] in simulation, got"
            f" {[*task.objects]}"
        )
    scene = {key: value for key, value in task.scene.items() if key != "kind"}
    return _make(kind, task, scene, where)


def _make(kind: str, task: Task, scene: Mapping[str, object], where: str) -> SimTask:
    if kind == "raise_hand":
        return RaiseHandTask(task=task, scene=read_raise_hand(scene, where))
    if kind == "pack":
        return PackTask(task=task, scene=read_pack(scene, where))
    return InsertTask(task=task, scene=read_insert(scene, where))
