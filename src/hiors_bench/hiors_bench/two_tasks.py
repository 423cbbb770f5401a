# SPDX-License-Identifier: Apache-2.0
"""Two tasks of one robot in one policy: the agent sees which task it is at and what a policy of
that task alone would see, and accepts by the rule of each task.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hiors_bench.arms import Arm
from hiors_bench.collection import Attempt, Collector, recorded
from hiors_bench.measurement import Examiner
from hiors_bench.methods import Pupil, distillation, pupil_of
from hiors_bench.runs import Record
from hiors_bench.settings import BenchSettings
from hiors_bench.world import Seeds, World
from hiors_core.acceptance import AcceptanceRules
from hiors_core.errors import InvalidValue
from hiors_learner.agent import Agent, AgentSpec
from hiors_learner.agents import make_agent
from hiors_learner.trajectory import Trajectory

F32 = NDArray[np.float32]

_MOVING = 1.0
"""Motion of a transition that its own task does not call a no-op."""


def twice(settings: BenchSettings) -> BenchSettings:
    """Return the budget of two tasks: each has its own frames, and steps for them."""
    return replace(
        settings,
        start_steps=2 * settings.start_steps,
        frames=2 * settings.frames,
        episodes=2 * settings.episodes,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the features of one task are among those of all: behind a flag for each task."""

    index: int
    begin: int
    size: int
    total: int

    def states(self, states: F32) -> F32:
        """Return states (n, size) as the agent sees them, (n, total)."""
        found = np.zeros((len(states), self.total), np.float32)
        found[:, self.index] = 1.0
        found[:, self.begin : self.begin + self.size] = states
        return found


class View:
    """The agent as a policy of one task sees it. It is only asked to act."""

    def __init__(self, agent: Agent, spec: AgentSpec, place: Place) -> None:
        self._agent, self._place = agent, place
        self.spec = spec
        self.horizon, self.execute = agent.horizon, agent.execute

    def act(
        self, states: F32, seeds: Sequence[int] | None = None, *, explore: bool = False
    ) -> F32:
        """Return chunks (B, H, A) for states (B, D) of this task."""
        return self._agent.act(self._place.states(states), seeds, explore=explore)


class TwoTasks:
    """A run on two tasks at once, turn by turn; the first is the one that the run is named by."""

    def __init__(self, worlds: Sequence[World], arm: Arm, seed: int) -> None:
        if len({world.robot.name for world in worlds}) > 1:
            raise InvalidValue(
                f"One policy drives one robot, not {' and '.join(w.robot.name for w in worlds)}"
            )
        self._worlds, self._arm = list(worlds), arm
        specs = [world.spec for world in worlds]
        sizes = [spec.features for spec in specs]
        begins = np.cumsum([len(worlds), *sizes])
        self._places = [
            Place(index=i, begin=int(begins[i]), size=size, total=int(begins[-1]))
            for i, size in enumerate(sizes)
        ]
        each = [distillation(world, arm) for world in worlds]
        rules = {w.task.name: s.rules.default for w, s in zip(worlds, each, strict=True)}
        settings = replace(
            each[0], rules=AcceptanceRules(tasks=rules), noop_threshold=0.5 * _MOVING
        )
        self._least = [s.noop_threshold for s in each]
        whole = replace(specs[0], features=int(begins[-1]))
        self.agent = make_agent(arm.method, whole, settings, seed)
        self._pupils: list[Pupil] = [
            pupil_of(world, View(self.agent, spec, place))
            for world, spec, place in zip(worlds, specs, self._places, strict=True)
        ]

    def episodes(self, root: Path, seeds: Seeds) -> "Turns":
        """Return what makes episodes of the tasks by turns."""
        return Turns(
            [
                Collector(world, self._arm, pupil, root / world.task.name, seeds)
                for world, pupil in zip(self._worlds, self._pupils, strict=True)
            ],
            self,
        )

    def recorded(self, root: Path) -> Iterator[Trajectory]:
        """Yield the demonstrations of all tasks; ``root`` is the folder of the first's."""
        first = self._worlds[0].task.name
        for i, world in enumerate(self._worlds):
            start = root.parent.name.replace(first, world.task.name, 1)
            for one in recorded(self._pupils[i], root.parent.with_name(start) / root.name):
                yield self.seen(i, one)

    def tests(self) -> "BothTests":
        """Return what tests the agent on each task."""
        return BothTests(
            [
                Examiner(world, pupil.policy)
                for world, pupil in zip(self._worlds, self._pupils, strict=True)
            ],
            [world.task.name for world in self._worlds],
        )

    def seen(self, index: int, trajectory: Trajectory) -> Trajectory:
        """Return a trajectory of one task as the agent takes it."""
        states = self._places[index].states(trajectory.states)
        motion = np.where(trajectory.motion >= self._least[index], _MOVING, 0.0)
        motion = motion.astype(np.float32)
        for array in (states, motion):
            array.setflags(write=False)
        return replace(trajectory, states=states, motion=motion)


class Turns:
    """Episodes of the tasks by turns."""

    def __init__(self, collectors: Sequence[Collector], tasks: TwoTasks) -> None:
        self.seeds = collectors[0].seeds
        self.attempts = self.frames = 0
        self._collectors, self._tasks, self._turn = collectors, tasks, 0

    def attempt(self) -> Attempt:
        """Let the policy try the task whose turn it is."""
        turn, self._turn = self._turn, (self._turn + 1) % len(self._collectors)
        tried = self._collectors[turn].attempt()
        return replace(tried, trajectory=self._tasks.seen(turn, tried.trajectory))

    def demonstration(self, seed_of: object) -> Attempt:
        """Refuse: cloning beyond the initial demonstrations is not done on two tasks."""
        raise InvalidValue("Demonstrations of two tasks are taken from the starts of each")


class BothTests:
    """Tests each task."""

    def __init__(self, tests: Sequence[Examiner], names: Sequence[str]) -> None:
        self._tests, self._names = tests, names

    def curve(self, seeds: Seeds) -> tuple[int, int]:
        """Return (k, n) over both tasks."""
        k, n = zip(*(test.curve(seeds) for test in self._tests), strict=True)
        return sum(k), sum(n)

    def final(self, seeds: Seeds, *, probes: bool) -> Record:
        """Return the record of the first task; the other's success is under "beside"."""
        record = self._tests[0].final(seeds, probes=probes)
        beside = [
            {"task": name, **test.final(seeds, probes=False)["success"]}
            for name, test in zip(self._names[1:], self._tests[1:], strict=True)
        ]
        return {**record, "beside": beside}
