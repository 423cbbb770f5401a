# SPDX-License-Identifier: Apache-2.0
"""Episodes of a run: demonstrations, and attempts of the policy with a person watching. They go
through the recorder's files, as on the robot.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hiors_bench.arms import Arm
from hiors_bench.methods import Pupil
from hiors_bench.world import Seeds, World
from hiors_core.errors import HiorsError
from hiors_core.label import Outcome
from hiors_core.store import EpisodeStore
from hiors_learner.trajectory import Trajectory
from hiors_sim.pilot import PilotSettings
from hiors_sim.rollout import RolloutResult, rollout

HOPELESS = 20
"""Demonstrations that may fail one after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An episode and whether it worked, whatever the label says."""

    trajectory: Trajectory
    success: bool


class Collector:
    """Makes the episodes of one run, each with its own seed."""

    def __init__(self, world: World, arm: Arm, pupil: Pupil, root: Path, seeds: Seeds) -> None:
        self.seeds = seeds
        self._world, self._pupil = world, pupil
        self._environment = world.environment(arm)
        self._person = world.operator(arm, seeds.seed)
        self._demonstrator = world.demonstrator(seeds.seed)
        self._store = EpisodeStore(root)
        self._pilot = PilotSettings(execute=pupil.agent.execute)
        self._tried = 0
        self.attempts = 0
        """Demonstrations begun."""
        self.frames = 0
        """Of all demonstrations, the failed ones too."""

    def attempt(self) -> Attempt:
        """Let the policy try once; the person watches, helps and labels."""
        policy, seed = self._pupil.policy, self.seeds.online(self._tried)
        self._tried += 1
        policy.explore = True
        try:
            result = rollout(
                self._environment,
                policy,
                self._person,
                seed,
                record_to=self._store,
                pilot=self._pilot,
            )
        finally:
            policy.explore = False
        return Attempt(trajectory=self._read(result.episode_id), success=result.success)

    def demonstration(self, seed_of: Callable[[int], int]) -> Attempt:
        """Let the person demonstrate, again if it fails; ``seed_of`` numbers the attempts."""
        for _ in range(HOPELESS):
            result = self._show(seed_of(self.attempts))
            self.attempts += 1
            trajectory = self._read(result.episode_id, demonstration=True)
            self.frames += len(trajectory)
            if result.label is Outcome.SUCCESS and result.success:
                return Attempt(trajectory=trajectory, success=True)
        raise hopeless(self._world.task.name)

    def _show(self, seed: int) -> RolloutResult:
        return rollout(
            self._environment, None, self._demonstrator, seed, record_to=self._store,
            demonstrate=True,
        )  # fmt: skip

    def _read(self, name: str, *, demonstration: bool = False) -> Trajectory:
        return _read(self._store, self._pupil, name, demonstration=demonstration)


def hopeless(task: str) -> HiorsError:
    """Return the error that the person cannot do a task."""
    return HiorsError(
        f"{HOPELESS} demonstrations of {task} failed one after the other: the scripted person"
        " cannot do this task"
    )


def recorded(pupil: Pupil, root: Path) -> Iterator[Trajectory]:
    """Yield the demonstrations in a store that worked, in the order in which they were made."""
    store = EpisodeStore(root)
    for name in store.ids():
        if store.label(name).outcome is Outcome.SUCCESS:
            yield _read(store, pupil, name, demonstration=True)


def _read(store: EpisodeStore, pupil: Pupil, name: str, *, demonstration: bool) -> Trajectory:
    return pupil.read(store.path(name), store.label(name), demonstration=demonstration)
