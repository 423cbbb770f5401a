# SPDX-License-Identifier: Apache-2.0
"""Which transitions go into a minibatch: accepted online ones and demonstrations by ratio, the
online ones fairly from all robots and tasks. A pure function of the step.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiors_core.errors import StateError

Index = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """Rows of the two pools, together one minibatch; online: of all sources one after another."""

    online: Index
    demonstrations: Index


def draw(
    *,
    seed: int,
    step: int,
    batch_size: int,
    online_ratio: float,
    online: Sequence[int],
    demonstrations: int,
    by_size: float = 1.0,
) -> Draw:
    """Draw a minibatch out of so many online transitions of each source and demonstrations, with
    replacement.

    The same arguments give the same rows, on every rank and after a restart. A source of n
    transitions has a share of the online rows as n ** by_size. What is empty leaves its share to
    the others.
    """
    if sum(online) + demonstrations == 0:
        raise StateError("There is no transition to train on yet")
    share = round(batch_size * online_ratio)
    if not sum(online):
        share = 0
    elif not demonstrations:
        share = batch_size
    generator = np.random.default_rng((seed, step))
    return Draw(
        online=_fairly(generator, np.asarray(online, np.int64), by_size, share),
        demonstrations=generator.integers(0, max(demonstrations, 1), batch_size - share),
    )


def _fairly(generator: np.random.Generator, sizes: Index, by_size: float, count: int) -> Index:
    if len(sizes) <= 1 or not count:
        return generator.integers(0, max(int(sizes.sum()), 1), count)
    weights = np.where(sizes > 0, sizes.astype(np.float64) ** by_size, 0.0)
    source = generator.choice(len(sizes), count, p=weights / weights.sum())
    starts = np.cumsum(sizes) - sizes
    return starts[source] + generator.integers(0, sizes[source])
