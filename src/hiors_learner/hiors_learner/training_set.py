# SPDX-License-Identifier: Apache-2.0
"""What gradient steps draw from: accepted online transitions and demonstrations. Knows no
optimiser and no file.
"""

import numpy as np
from numpy.typing import NDArray

from hiors_learner.data import Pool, Samples, join
from hiors_learner.losses import Batch, make_batch
from hiors_learner.mixture import Index, draw
from hiors_learner.settings import LearnerSettings
from hiors_policy.normalization import Normalization, fit

DEMONSTRATION = "demonstration"
ONLINE = "online"


class TrainingSet:
    """Two pools of transitions; minibatches are a function of seed and step."""

    def __init__(self, blank: Samples, settings: LearnerSettings) -> None:
        self._settings = settings
        self._pools = {kind: Pool(blank) for kind in (DEMONSTRATION, ONLINE)}
        self._sources: list[list[Index]] = []
        self._order: Index = np.zeros(0, np.int64)

    @property
    def rows(self) -> dict[str, int]:
        """Transitions by kind."""
        return {kind: len(pool) for kind, pool in self._pools.items()}

    @property
    def lacking(self) -> str:
        """What training waits for, or "" when there is enough."""
        have, need = sum(self.rows.values()), self._settings.data.min_transitions
        if have >= need:
            return ""
        return f"{have} transitions of accepted episodes and demonstrations, {need} are needed"

    def add(self, kind: str, samples: Samples, source: int = 0) -> None:
        """Put in the transitions of an episode.

        ``source`` numbers robot and task of an online one, in the order of their appearance.
        """
        pool = self._pools[kind]
        if kind == ONLINE:
            self._sources += [[] for _ in range(source + 1 - len(self._sources))]
            self._sources[source].append(np.arange(len(pool), len(pool) + len(samples)))
            self._order = np.concatenate([part for parts in self._sources for part in parts])
        pool.add(samples)

    def batch(self, step: int, rank: int = 0, world: int = 1) -> Batch:
        """Return a rank's part of the minibatch of optimiser step ``step``."""
        data, seed = self._settings.data, self._settings.seed
        rows = draw(
            seed=seed,
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
        return make_batch(samples, self._settings.loss, (seed, step), rank, world)

    def normalization(self, grippers: NDArray[np.bool_]) -> Normalization:
        """Return what fits all transitions so far."""
        samples = join([self._pools[ONLINE].all(), self._pools[DEMONSTRATION].all()])
        return fit(samples.states, samples.actions, samples.mask, grippers)
