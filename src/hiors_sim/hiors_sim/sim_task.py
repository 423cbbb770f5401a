# SPDX-License-Identifier: Apache-2.0
"""What simulator and scripted operator ask of a task; each kind of task answers in its own folder.

Knows no task, and of the physics engine only its types.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from hiors_core.task import Task
from hiors_sim.scene_view import SceneView

if TYPE_CHECKING:
    import mujoco

    from hiors_sim.expert import Expert
    from hiors_sim.watcher import Watcher

Array = NDArray[np.float64]

CLEARANCE = 0.08
"""Distance of the tool point from where a thing may appear, below which it is in the way [m]."""


class Tool(Protocol):
    """The gripper of the arm that does the task, within the simulation."""

    @property
    def name(self) -> str:
        """Name of the arm."""

    def openness(self, data: mujoco.MjData) -> float:
        """Return how open it is, 0 closed .. 1 open."""

    def pose(self, data: mujoco.MjData) -> Array:
        """Return the tool point (7,) in the arm's base frame, of the present configuration."""


class Props(Protocol):
    """The things of a scene within a compiled model; poses in the base frame of the task's arm."""

    def reset(self, data: mujoco.MjData, seed: int) -> None:
        """Put everything at the random start of ``seed``; forget what was achieved."""

    def place(self, data: mujoco.MjData, name: str, pose: Array) -> None:
        """Put one thing at a pose (7,), at rest; forget what was achieved."""

    def update(self, data: mujoco.MjData, seconds: float, tool: Tool) -> None:
        """Take note of the last ``seconds``, in which physics went on; move what moves itself."""

    def poses(self, data: mujoco.MjData) -> dict[str, Array]:
        """Return the pose (7,) of each object, of the present configuration."""

    @property
    def success(self) -> bool:
        """The task is done, and has been for as long as it must."""

    def lost(self, data: mujoco.MjData) -> bool:
        """Tell whether nobody can finish the task any more."""


class Judge(Protocol):
    """Judges one moment as a person would who looks at it."""

    @property
    def patience(self) -> float:
        """How long the task must look done before a person believes it [s]."""

    def done(self, view: SceneView) -> bool:
        """Tell whether the task looks done."""

    def lost(self, view: SceneView) -> bool:
        """Tell whether nobody can finish the task any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimTask(ABC):
    """A task and its simulation. A subclass adds ``scene``: sizes, start zone, tolerances."""

    task: Task

    @abstractmethod
    def in_the_way(self, tool: Array) -> bool:
        """Tell whether the tool point (3,) is where a reset may put something."""

    @abstractmethod
    def build(self, root: ET.Element, world: ET.Element) -> None:
        """Add everything that is not the robot to a model: things, light, fixed cameras."""

    @abstractmethod
    def props(self, model: mujoco.MjModel) -> Props:
        """Return the things of the scene in the compiled model."""

    @abstractmethod
    def judge(self) -> Judge:
        """Return who says when the task is done."""

    @abstractmethod
    def expert(self, rng: np.random.Generator) -> Expert:
        """Return who knows how the task is done by hand."""

    @abstractmethod
    def watcher(self) -> Watcher:
        """Return who sees when a policy needs help."""
