# SPDX-License-Identifier: Apache-2.0
"""The accept rule over a run: I_m(τ) (eq. 3) with m(k) per task and what came before. Knows no
network.
"""

from collections import Counter, defaultdict

import numpy as np

from hiors_core.acceptance import AcceptanceRules, Decision, Summary, accept
from hiors_core.label import Label, Outcome
from hiors_learner.trajectory import Trajectory


class History:
    """Remembers accepted episodes and returns, by task."""

    def __init__(self, rules: AcceptanceRules, noop_threshold: float) -> None:
        self._rules, self._noop = rules, noop_threshold
        self._accepted: Counter[str] = Counter()
        self._past: dict[str, list[tuple[tuple[float, ...], float]]] = defaultdict(list)

    def judge(self, trajectory: Trajectory) -> Decision:
        """Return the decision on an episode as things stand."""
        task = trajectory.task
        rule, past = self._rules.rule(task), self._past[task]
        if trajectory.demonstration:
            return Decision(accepted=True, reasons=("demonstration",), threshold=-np.inf)
        summary = Summary(
            episode_id=trajectory.episode_id,
            task=task,
            label=Label(outcome=Outcome.RETURN, episode_return=trajectory.episode_return),
            length=len(trajectory) * trajectory.dt,
            transitions=len(trajectory.marks),
            moving=int((trajectory.motion[:-1] >= self._noop).sum()) + bool(len(trajectory.marks)),
        )
        return accept(
            summary,
            rule,
            self._accepted[task],
            [value for _, value in past],
            rule.similar(trajectory.start, past),
        )

    def decide(self, trajectory: Trajectory) -> Decision:
        """Return the decision and remember the episode."""
        decision = self.judge(trajectory)
        if not trajectory.demonstration:
            self._accepted[trajectory.task] += decision.accepted
            self._past[trajectory.task].append((trajectory.start, trajectory.episode_return))
        return decision
