# SPDX-License-Identifier: Apache-2.0
"""What a policy can do alone: success within time limits, on a grid of starts, after mishaps."""

from collections.abc import Callable, Sequence
from functools import partial

from hiors_bench.probes import Start, grid, placed, probes
from hiors_bench.runs import Record
from hiors_bench.world import Seeds, World
from hiors_learner.agent_policy import AgentPolicy
from hiors_sim.evaluation import EvalResult
from hiors_sim.pilot import PilotSettings
from hiors_sim.rollout import Disturbance


class Examiner:
    """Tests one policy; every arm of a seed is given the same episodes."""

    def __init__(self, world: World, policy: AgentPolicy) -> None:
        self._world, self._policy = world, policy
        self._evaluator = world.evaluator()
        self._pilot = PilotSettings(execute=policy.agent.execute)

    def curve(self, seeds: Seeds) -> tuple[int, int]:
        """Return (k, n) of an evaluation on the way, within the task's time limit."""
        limit = self._world.task.time_limit
        found = self._test(seeds.curve(self._world.settings.curve_evaluations), limit)
        return found.k, found.n

    def final(self, seeds: Seeds, *, probes: bool) -> Record:
        """Return success within the task's time limit and the other limits, and the probes."""
        limits = self._world.limits(long=probes)
        found = self._test(seeds.evaluation(self._world.settings.evaluations), limits[-1])
        within = [{"seconds": s, "k": found.successes_within(s), "n": found.n} for s in limits]
        limit = self._world.task.time_limit
        record: Record = {
            "success": {"k": found.successes_within(limit), "n": found.n},
            "time_limit": limit,
            "within": within,
        }
        if probes:
            record |= {"spatial": self._spatial(seeds), "recovery": self._recovery(seeds)}
        return record

    def _spatial(self, seeds: Seeds) -> list[Record]:
        task = self._world.sim_task
        starts = grid(task, self._world.settings.grid)
        chosen = dict(zip(seeds.probe(len(starts)), starts, strict=True))

        def disturb(seed: int) -> Disturbance:
            return placed(task, chosen[seed], seed)

        found = self._test(list(chosen), self._world.task.time_limit, disturb)
        return [_cell(s, success) for s, success in zip(starts, found.outcomes, strict=True)]

    def _recovery(self, seeds: Seeds) -> list[Record]:
        chosen = seeds.probe(self._world.settings.probe_evaluations)
        limit = self._world.limits(long=True)[-1]
        task, records = self._world.sim_task, []
        for name, probe in probes(task).items():
            found = self._test(chosen, limit, partial(probe, task))
            records.append({"probe": name, "seconds": limit, "k": found.k, "n": found.n})
        return records

    def _test(
        self,
        seeds: Sequence[int],
        limit: float,
        disturb: Callable[[int], Disturbance] | None = None,
    ) -> EvalResult:
        return self._evaluator.evaluate(
            self._policy, seeds, limit, pilot=self._pilot, disturb=disturb
        )


def _cell(start: Start, success: bool) -> Record:
    place = {"x": round(start.x, 4), "y": round(start.y, 4), "inside": start.inside}
    return {**place, "k": int(success), "n": 1}
