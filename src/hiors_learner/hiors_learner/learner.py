# SPDX-License-Identifier: Apache-2.0
"""The same on every rank: the training set, and one optimiser step on a minibatch of it. Knows no
file of the run.
"""

import numpy as np

from hiors_core.errors import HiorsError
from hiors_learner.data import Pool, Samples, empty, join
from hiors_learner.engine import Engine
from hiors_learner.ingest import DEMONSTRATION, ONLINE
from hiors_learner.losses import make_batch
from hiors_learner.mixture import Index, draw
from hiors_learner.settings import LearnerSettings
from hiors_learner.team import Team
from hiors_policy.flow_policy import FlowPolicy
from hiors_policy.normalization import fit


class Learner:
    """Data and optimiser of one rank. All ranks hold all data and draw the same minibatches."""

    def __init__(
        self, policy: FlowPolicy, settings: LearnerSettings, team: Team, *, normalized: bool
    ) -> None:
        self.policy, self.settings, self.team = policy, settings, team
        self.engine = Engine(policy, settings, team)
        self.blank = empty(policy)
        self._pools = {kind: Pool(self.blank) for kind in (DEMONSTRATION, ONLINE)}
        self._sources: list[list[Index]] = []
        self._order: Index = np.zeros(0, np.int64)
        self._normalized = normalized

    @property
    def rows(self) -> dict[str, int]:
        """Transitions in the training set, by kind."""
        return {kind: len(pool) for kind, pool in self._pools.items()}

    def add(self, kind: str, samples: Samples, source: int = 0) -> None:
        """Put the transitions of an episode into the training set.

        ``source`` numbers robot and task of an online one, in the order of their appearance.
        """
        pool = self._pools[kind]
        if kind == ONLINE:
            self._sources += [[] for _ in range(source + 1 - len(self._sources))]
            self._sources[source].append(np.arange(len(pool), len(pool) + len(samples)))
            self._order = np.concatenate([part for parts in self._sources for part in parts])
        pool.add(samples)

    def resumed(self) -> None:
        """Keep the normalisation: it came with the weights."""
        self._normalized = True

    def step(self) -> float:
        """Do one optimiser step and return this rank's loss."""
        if not self._normalized:
            self._fit()
        step, data = self.engine.steps, self.settings.data
        rows = draw(
            seed=self.settings.seed,
            step=step,
            batch_size=data.batch_size,
            online_ratio=data.online_ratio,
            online=[sum(map(len, parts)) for parts in self._sources],
            demonstrations=self.rows[DEMONSTRATION],
            by_size=data.by_size,
        )
        chosen = self._order[rows.online] if len(rows.online) else rows.online
        online, shown = self._pools[ONLINE].all(), self._pools[DEMONSTRATION].all()
        samples = join([online.take(chosen), shown.take(rows.demonstrations)])
        seed = (self.settings.seed, step)
        batch = make_batch(samples, self.settings.loss, seed, self.team.rank, self.team.world)
        loss = self.engine.step(batch)
        if not loss < float("inf"):
            raise HiorsError(
                f"The loss is {loss} at step {step}: lower optimizer.learning_rate or look for"
                " episodes with wrong values"
            )
        return loss

    def _fit(self) -> None:
        samples = join([self._pools[ONLINE].all(), self._pools[DEMONSTRATION].all()])
        grippers = self.policy.codec.grippers
        network = self.policy.network
        network.set_normalization(fit(samples.states, samples.actions, samples.mask, grippers))
        self.engine.average.load(network.state_dict())
        self._normalized = True
