# SPDX-License-Identifier: Apache-2.0
"""What a benchmark asks of anything that learns, in one process: Hi-ORS, behaviour cloning,
HIL-SERL, Q-Chunking. Knows no robot, no file and no algorithm.

One turn of the loop: ``act`` while an episode runs, ``add`` the finished episode, ``update`` by
``budget`` steps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hiors_core.errors import InvalidValue
from hiors_learner.trajectory import Trajectory

F32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSpec:
    """Shapes of the problem, fixed by the data.

    Attributes:
        features: D of a state. actions: A columns of a step. grippers: columns of A that are
            absolute, 0 closed .. 1 open; the others are steps [m] or [rad].
        dt: time of one step [s].
    """

    features: int
    actions: int
    grippers: tuple[int, ...] = ()
    dt: float = 0.1

    def __post_init__(self) -> None:
        if self.features < 1 or self.actions < 1 or not self.dt > 0.0:
            raise InvalidValue(f"An agent needs features, actions >= 1 and dt > 0 s, got {self}")
        if any(not 0 <= column < self.actions for column in self.grippers):
            raise InvalidValue(f"gripper columns must be within the actions, got {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What became of an episode that was offered.

    Attributes:
        accepted: whether it is learned from. reasons: why, or why not.
        rows: transitions that it added.
    """

    accepted: bool
    reasons: tuple[str, ...] = ()
    rows: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What ``update`` did.

    Attributes:
        done: gradient steps of this call, 0 while there is not enough data. steps: of all calls.
        message: what it waits for, empty when it did all steps.
        metrics: means over this call, such as "loss".
    """

    done: int
    steps: int
    message: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)


class Actor(Protocol):
    """Who acts. Deterministic for its seed and the order of calls."""

    @property
    def spec(self) -> AgentSpec:
        """Shapes of states and actions."""

    @property
    def horizon(self) -> int:
        """H rows that ``act`` returns."""

    @property
    def execute(self) -> int:
        """Rows to execute before the next ``act``, at most H."""

    def act(
        self, states: F32, seeds: Sequence[int] | None = None, *, explore: bool = False
    ) -> F32:
        """Return chunks (B, H, A) for states (B, D), in the units of Trajectory.actions.

        Args:
            seeds: (B,) of the chance; the same seed, state and weights give the same chunk. New
                chance each time when None.
            explore: collecting data rather than being tested, where the algorithm tells them
                apart.
        """


class Agent(Actor, Protocol):
    """A policy and how it learns. Deterministic for its seed and the order of calls."""

    @property
    def budget(self) -> int:
        """Gradient steps that the data taken in so far pay for (UTD) and that are not done."""

    def add(self, trajectory: Trajectory) -> Intake:
        """Take in a finished episode, or refuse it with the reasons."""

    def update(self, steps: int) -> Progress:
        """Do gradient steps; none, with a message, while there is nothing to learn from."""

    def state_dict(self) -> dict[str, Tensor]:
        """Return all weights and counters as tensors by name; data are not part of it."""

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Put back what ``state_dict`` gave, or raise InvalidValue."""
