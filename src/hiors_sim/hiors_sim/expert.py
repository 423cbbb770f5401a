# SPDX-License-Identifier: Apache-2.0
"""How a task is done by hand: a closed loop over what is seen, that can begin anywhere.

Owns the turn of the phases; what they are is the task's business. Knows no clutch, no robot.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hiors_sim.hand import Goal
from hiors_sim.scene_view import SceneView

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Finished:
    """A phase that ended. subgoal: a moment to hand back. calm: a moment to rest."""

    phase: str
    subgoal: bool
    calm: bool


class Expert(ABC):
    """Decides the goal of the hand from each view."""

    subgoals: ClassVar[frozenset[str]]
    """Phases whose end is a moment to hand back."""
    calm: ClassVar[frozenset[str]]
    """Phases after which one may rest: nothing is half done."""
    closed: ClassVar[frozenset[str]]
    """Phases with the gripper closed."""
    final: ClassVar[str]
    """Phase in which nothing is left to do; the gripper stays as it is."""
    speeds: ClassVar[Mapping[str, float]]
    """Speed of the hand in the phases that are not ``fast`` [m/s]."""
    fast: ClassVar[float] = 0.32

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.phase = self.final
        self.since = 0.0
        self._opening = 1.0
        self._finished: Finished | None = None

    @abstractmethod
    def situation(self, view: SceneView, tool: Array) -> str:
        """Return the phase in which the work stands now."""

    @abstractmethod
    def following(self, view: SceneView, tool: Array, now: float) -> str | None:
        """Return the phase that follows now, or None to stay in this one."""

    @abstractmethod
    def place(self, view: SceneView, tool: Array) -> tuple[Array, Array]:
        """Return where the tool should be in this phase: position (3,), rotation vector (3,)."""

    @abstractmethod
    def holding(self, view: SceneView) -> bool:
        """Tell whether the gripper holds the thing of the task."""

    def begin(self, view: SceneView, tool: Array, now: float) -> None:
        """Take up the work wherever it stands."""
        self.enter(self.situation(view, tool), now)
        self._finished = None

    def enter(self, phase: str, now: float) -> None:
        """Turn to a phase."""
        self.phase, self.since = phase, now

    def goal(self, view: SceneView, tool: Array, now: float) -> Goal:
        """Return the goal at ``now`` [s], having seen ``view`` with the tool (6,) at position and
        rotation vector.
        """
        if (following := self.following(view, tool, now)) is not None:
            ended = self.phase
            self._finished = Finished(ended, ended in self.subgoals, ended in self.calm)
            self.enter(following, now)
        if self.phase in self.closed:
            self._opening = 0.0
        elif self.phase != self.final:
            self._opening = 1.0
        position, turn = self.place(view, tool)
        speed = self.speeds.get(self.phase, self.fast)
        return Goal(position=position, turn=turn, opening=self._opening, speed=speed)

    def take_finished(self) -> Finished | None:
        """Return the phase that ended since the last call, if one did."""
        finished, self._finished = self._finished, None
        return finished
