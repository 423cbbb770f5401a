# SPDX-License-Identifier: Apache-2.0
"""Which transitions go into a minibatch: accepted online ones and demonstrations by ratio. A pure
function of the step.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiors_core.errors import StateError

Index = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """Rows of the two pools, together one minibatch."""

    online: Index
    demonstrations: Index


def draw(
    *,
    seed: int,
    step: int,
    batch_size: int,
    online_ratio: float,
    online: int,
    demonstrations: int,
) -> Draw:
    """Draw a minibatch out of so many online transitions and demonstrations, with replacement.

    The same arguments give the same rows, on every rank and after a restart. A source that is
    empty leaves its share to the other.
    """
    if online + demonstrations == 0:
        raise StateError("There is no transition to train on yet")
    share = round(batch_size * online_ratio)
    if not online:
        share = 0
    elif not demonstrations:
        share = batch_size
    generator = np.random.default_rng((seed, step))
    return Draw(
        online=generator.integers(0, max(online, 1), share),
        demonstrations=generator.integers(0, max(demonstrations, 1), batch_size - share),
    )
