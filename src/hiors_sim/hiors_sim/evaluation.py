# SPDX-License-Identifier: Apache-2.0
"""Success of a policy alone, over many seeds in lockstep: one inference serves every episode that
waits for one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiors_core.arbiter_settings import ArbiterSettings
from hiors_core.errors import InvalidValue
from hiors_core.observation import Observation
from hiors_core.robot import RobotModel
from hiors_sim.environment import FastEnvironment
from hiors_sim.pilot import Chance, ChunkPolicy, PilotSettings
from hiors_sim.rollout import Disturbance, Episode, RolloutPlan, RolloutResult, episode_steps
from hiors_sim.sim_task import SimTask

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalResult:
    """Successes ``k`` of ``n`` episodes, and each episode's result in the order of the seeds."""

    k: int
    n: int
    episodes: tuple[RolloutResult, ...]

    @property
    def outcomes(self) -> tuple[bool, ...]:
        """(n,) whether each succeeded."""
        return tuple(e.success for e in self.episodes)

    @property
    def times(self) -> tuple[float, ...]:
        """(n,) simulated duration of each [s]."""
        return tuple(e.duration for e in self.episodes)

    def successes_within(self, seconds: float) -> int:
        """Return how many succeeded within ``seconds``."""
        return sum(e.success and e.duration <= seconds for e in self.episodes)


class Evaluator:
    """Keeps the environments from one evaluation to the next."""

    def __init__(
        self,
        robot: RobotModel,
        task: SimTask,
        *,
        batch: int = 16,
        settings: ArbiterSettings | None = None,
    ) -> None:
        """Take how many episodes run at a time, and the arbiter's settings."""
        if batch < 1:
            raise InvalidValue(f"batch must be at least 1, got {batch}")
        self._robot, self._task, self._batch, self._settings = robot, task, batch, settings
        self._environments: list[FastEnvironment] = []

    def evaluate(
        self,
        policy: ChunkPolicy,
        seeds: Sequence[int],
        time_limit: float | None = None,
        *,
        pilot: PilotSettings | None = None,
        disturb: Callable[[int], Disturbance] | None = None,
    ) -> EvalResult:
        """Run one episode a seed, ended by success or at ``time_limit`` [s].

        ``disturb`` makes what happens to the scene of the episode of each seed.
        """
        while len(self._environments) < min(self._batch, len(seeds)):
            self._environments.append(
                FastEnvironment(self._robot, self._task, settings=self._settings)
            )
        waiting = list(enumerate(seeds))[::-1]
        running = [_Slot(environment) for environment in self._environments[: len(seeds)]]
        results: dict[int, RolloutResult] = {}
        settings = pilot or PilotSettings()
        while True:
            for slot in running:
                while slot.observation is None and waiting:
                    index, seed = waiting.pop()
                    plan = RolloutPlan(
                        seed=seed,
                        time_limit=time_limit,
                        pilot=settings,
                        disturb=disturb(seed) if disturb else None,
                    )
                    episode = episode_steps(slot.environment, policy.spec, plan=plan)
                    slot.begin(index, episode, Chance(seed))
                    slot.advance(None, results)
            asking = [slot for slot in running if slot.observation is not None]
            if not asking:
                break
            self._answer(policy, asking, results)
        episodes = tuple(results[i] for i in range(len(seeds)))
        return EvalResult(k=sum(e.success for e in episodes), n=len(episodes), episodes=episodes)

    def _answer(
        self,
        policy: ChunkPolicy,
        asking: "list[_Slot]",
        results: dict[int, RolloutResult],
    ) -> None:
        observations = [slot.observation for slot in asking if slot.observation is not None]
        instructions = [self._task.task.instruction] * len(observations)
        seeds = [slot.chance.draw() for slot in asking]
        values = policy.predict_batch(observations, instructions, seeds)
        for slot, chunk in zip(asking, values, strict=True):
            slot.advance(np.asarray(chunk), results)

    def close(self) -> None:
        """Free the renderers."""
        for environment in self._environments:
            environment.close()


class _Slot:
    """An environment with the episode that runs in it."""

    def __init__(self, environment: FastEnvironment) -> None:
        self.environment = environment
        self.observation: Observation | None = None
        self._episode: Episode | None = None
        self._index = -1
        self.chance = Chance(0)

    def begin(self, index: int, episode: Episode, chance: Chance) -> None:
        self._index, self._episode, self.chance = index, episode, chance

    def advance(self, answer: Array | None, results: dict[int, RolloutResult]) -> None:
        """Go on to the next inference, or to the end."""
        if self._episode is None:
            return
        try:
            episode = self._episode
            self.observation = next(episode) if answer is None else episode.send(answer)
        except StopIteration as end:
            self.observation, self._episode = None, None
            results[self._index] = end.value
