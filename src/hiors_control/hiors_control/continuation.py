# SPDX-License-Identifier: Apache-2.0
"""What a new chunk has to go on from while the one before it is executed. Knows no network."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiors_core.clock import to_s

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The chunk in execution: row k is for stamp + (k + 1) dt. took: from stamp to sending [s]."""

    stamp: int
    epoch: int
    values: Array
    took: float


def remainder(sent: Sent | None, stamp: int, epoch: int, dt: float) -> tuple[Array, int] | None:
    """Return the rows (n, A) that are left for an observation at ``stamp`` [ns], and how many of
    them will have been executed when its chunk arrives; None when nothing is left to go on from.

    A new chunk is expected to take as long as the last one did.
    """
    if sent is None or sent.epoch != epoch:
        return None
    shift = round(to_s(stamp - sent.stamp) / dt)
    if not 0 <= shift < len(sent.values):
        return None
    rows = sent.values[shift:]
    return rows, min(len(rows), math.ceil(sent.took / dt))
