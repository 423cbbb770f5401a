# SPDX-License-Identifier: Apache-2.0
"""A stream of an episode in memory: stamps and values, looked up by time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Stamps = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Track:
    """Rows ``values`` (K, D), captured at ``stamps`` (K,) [ns], by time. Both are read-only."""

    stamps: Stamps
    values: Array

    def __len__(self) -> int:
        return len(self.stamps)

    def newest(self, stamp: int) -> Array:
        """Return the newest row at ``stamp``, or the first when none is that old; K is not 0."""
        row: Array = self.values[max(0, self.count(stamp) - 1)]
        return row

    def count(self, stamp: int) -> int:
        """Return how many rows are not younger than ``stamp``."""
        return int(np.searchsorted(self.stamps, stamp, side="right"))

    def interpolate(self, stamps: Stamps) -> Array:
        """Return the rows at stamps (...,) as (..., D): linear between rows, constant beyond."""
        origin = self.stamps[0]
        at = (stamps - origin).astype(np.float64)
        known = (self.stamps - origin).astype(np.float64)
        columns = [np.interp(at, known, self.values[:, d]) for d in range(self.values.shape[1])]
        return np.stack(columns, axis=-1)


def make_track(stamps: list[int], rows: list[Array], width: int) -> Track:
    """Make a track of rows in any order."""
    times = np.asarray(stamps, np.int64)
    values = np.asarray(rows, np.float64).reshape(len(rows), width)
    order = np.argsort(times, kind="stable")
    times, values = times[order], values[order]
    times.setflags(write=False)
    values.setflags(write=False)
    return Track(times, values)
