# SPDX-License-Identifier: Apache-2.0
"""Where a run of an arm takes place, whoever made the task: its agent, its episodes, its tests."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from hiors_bench.arms import Arm
from hiors_bench.collection import Attempt, Collector
from hiors_bench.collection import recorded as recorded_episodes
from hiors_bench.gym_world import GYM_TASK, GymCollector, GymExaminer, GymWorld
from hiors_bench.gym_world import recorded as recorded_cubes
from hiors_bench.measurement import Examiner
from hiors_bench.methods import agent_of, pupil_of
from hiors_bench.runs import Record
from hiors_bench.settings import BenchSettings
from hiors_bench.two_tasks import TwoTasks
from hiors_bench.world import Seeds, World, tasks
from hiors_learner.agent import Agent
from hiors_learner.trajectory import Trajectory

EXTERNAL = (GYM_TASK,)
"""Tasks that somebody else made and that need packages of their own."""


class Episodes(Protocol):
    """Makes the episodes of a run, each with its own seed."""

    seeds: Seeds
    attempts: int
    """Demonstrations begun."""
    frames: int
    """Of all demonstrations, the failed ones too."""

    def attempt(self) -> Attempt:
        """Let the policy try once; the person watches, helps and labels."""

    def demonstration(self, seed_of: Callable[[int], int]) -> Attempt:
        """Let the person demonstrate, again if it fails; ``seed_of`` numbers the attempts."""


class Tests(Protocol):
    """Tests the agent of a run alone; every arm of a seed is given the same episodes."""

    def curve(self, seeds: Seeds) -> tuple[int, int]:
        """Return (k, n) of an evaluation on the way, within the task's time limit."""

    def final(self, seeds: Seeds, *, probes: bool) -> Record:
        """Return success within the task's time limit and the other limits, and the probes."""


class Lab(Protocol):
    """What one run is made of."""

    @property
    def agent(self) -> Agent:
        """Who learns."""

    def episodes(self, root: Path, seeds: Seeds) -> Episodes:
        """Return what makes episodes, kept in the folder ``root``."""

    def recorded(self, root: Path) -> Iterator[Trajectory]:
        """Yield the demonstrations in a folder that worked, in the order they were made in."""

    def tests(self) -> Tests:
        """Return what tests the agent."""


class SimLab:
    """A run in the simulator of hiors_sim."""

    def __init__(self, world: World, arm: Arm, seed: int) -> None:
        self._world, self._arm = world, arm
        self.agent = agent_of(world, arm, seed)
        self._pupil = pupil_of(world, self.agent)

    def episodes(self, root: Path, seeds: Seeds) -> Collector:
        return Collector(self._world, self._arm, self._pupil, root, seeds)

    def recorded(self, root: Path) -> Iterator[Trajectory]:
        return recorded_episodes(self._pupil, root)

    def tests(self) -> Examiner:
        return Examiner(self._world, self._pupil.policy)


class GymLab:
    """A run in gym-hil."""

    def __init__(self, world: GymWorld, arm: Arm, seed: int) -> None:
        self._world, self._arm = world, arm
        self.agent = agent_of(world, arm, seed)

    def episodes(self, root: Path, seeds: Seeds) -> GymCollector:
        return GymCollector(self._world, self._arm, self.agent, root, seeds)

    def recorded(self, root: Path) -> Iterator[Trajectory]:
        return recorded_cubes(root)

    def tests(self) -> GymExaminer:
        return GymExaminer(self._world, self.agent)


def known(config: Path) -> list[str]:
    """Return the names of all tasks."""
    return [*tasks(config), *EXTERNAL]


def open_world(config: Path, task: str, settings: BenchSettings) -> World | GymWorld:
    """Read what belongs to a task; UnknownName when there is none."""
    if task == GYM_TASK:
        return GymWorld(config, settings)
    return World(config, task, settings)


def open_lab(world: World | GymWorld, arm: Arm, seed: int, beside: World | None = None) -> Lab:
    """Return what a run of an arm is made of, with weights from the seed; ``beside``: a second
    task that the same policy learns.
    """
    if isinstance(world, GymWorld):
        return GymLab(world, arm, seed)
    if beside is not None:
        return TwoTasks([world, beside], arm, seed)
    return SimLab(world, arm, seed)
