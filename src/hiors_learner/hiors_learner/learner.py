# SPDX-License-Identifier: Apache-2.0
"""The same on every rank: the training set, and one optimiser step on a minibatch of it. Knows no
file of the run.
"""

from pathlib import Path

import numpy as np

from hiors_core.clock import Clock
from hiors_core.errors import HiorsError
from hiors_learner.data import Samples, empty
from hiors_learner.engine import Engine
from hiors_learner.metrics import Work
from hiors_learner.settings import LearnerSettings
from hiors_learner.team import Team
from hiors_learner.training_set import TrainingSet
from hiors_policy.flow_policy import FlowPolicy
from hiors_policy.learnable import Learnable


class Learner:
    """Data and optimiser of one rank. All ranks hold all data and draw the same minibatches."""

    def __init__(
        self,
        policy: Learnable,
        settings: LearnerSettings,
        team: Team,
        *,
        normalized: bool,
        clock: Clock | None = None,
    ) -> None:
        self.policy, self.settings, self.team = policy, settings, team
        self.engine = Engine(policy, settings, team, clock)
        self.blank = empty(policy)
        self._data = TrainingSet(self.blank, settings)
        self._normalized = normalized
        self._prompt = 0

    @property
    def rows(self) -> dict[str, int]:
        """Transitions in the training set, by kind."""
        return self._data.rows

    @property
    def lacking(self) -> str:
        """What training waits for, or "" when there is enough."""
        return self._data.lacking

    def add(self, kind: str, samples: Samples, source: int = 0) -> None:
        """Put the transitions of an episode into the training set; see TrainingSet.add."""
        self._data.add(kind, samples, source)
        if samples.tokens.size:
            self._prompt = max(self._prompt, int(np.count_nonzero(samples.tokens, axis=1).max()))

    def work(self) -> Work:
        """Return what one step is, for its throughput."""
        if isinstance(self.policy, FlowPolicy):
            return Work(samples=self.settings.data.batch_size)
        from hiors_learner.flops import work
        from hiors_policy.pi0.adapter import Pi0Policy

        if not isinstance(self.policy, Pi0Policy):
            return Work(samples=self.settings.data.batch_size)
        return work(self.policy, self.settings, self._prompt, self.team.world)

    def resumed(self) -> None:
        """Keep the normalisation: it came with the weights."""
        self._normalized = True

    def step(self) -> float:
        """Do one optimiser step and return this rank's loss."""
        if not self._normalized:
            self._fit()
        step = self.engine.steps
        self.engine.watch.start()
        batch = self._data.batch(step, self.team.rank, self.team.world)
        self.engine.watch.lap("data")
        loss = self.engine.step(batch)
        check_loss(loss, step)
        return loss

    def save(self, folder: Path) -> None:
        """Write a state to resume from."""
        self.engine.watch.start()
        self.engine.save(folder)
        self.engine.watch.lap("save")

    def _fit(self) -> None:
        if not isinstance(self.policy, FlowPolicy):
            raise HiorsError("Only the small policy can start without normalisation")
        network = self.policy.network
        network.set_normalization(self._data.normalization(self.policy.codec.grippers))
        self.engine.average.load(network.state_dict())
        self._normalized = True


def check_loss(loss: float, step: int) -> None:
    """Raise HiorsError unless the loss is finite."""
    if not loss < float("inf"):
        raise HiorsError(
            f"The loss is {loss} at step {step}: lower optimizer.learning_rate or look for"
            " episodes with wrong values"
        )
