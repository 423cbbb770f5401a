# SPDX-License-Identifier: Apache-2.0
"""A steady loop: when the next tick is due, and how punctual the ticks were."""

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from hiors_core.clock import Clock, to_ns, to_s
from hiors_core.errors import InvalidValue


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopReport:
    """Punctuality of a loop.

    Attributes:
        rate_hz: measured over the last window.
        period_p50, period_p99: of the last window [s]. period_max: since the start [s].
        missed_ticks: ticks that began more than half a period late or not at all, since the start.
    """

    rate_hz: float
    period_p50: float
    period_p99: float
    period_max: float
    missed_ticks: int


class Pacer:
    """Keeps a loop on a fixed grid of times. One thread waits; ``report`` may be called by any."""

    def __init__(self, clock: Clock, period: float, window: int = 300) -> None:
        """Make the grid: ticks every ``period`` [s] from the first ``wait`` on."""
        if not math.isfinite(period) or period <= 0.0:
            raise InvalidValue(f"period must be above 0 s, got {period}")
        self._clock, self._period = clock, to_ns(period)
        self._due: int | None = None
        self._last: int | None = None
        self._periods: deque[int] = deque(maxlen=window)
        self._longest = 0
        self._missed = 0

    def wait(self) -> None:
        """Return when the next tick is due; a tick that can no longer begin in time is left out.

        Ticks are never made up for: a burst of commands would move the robot at a multiple of its
        speed.
        """
        if self._due is None:
            self._due = self._clock.now()
        self._clock.sleep_until(self._due)
        begun = self._clock.now()
        late = begun - self._due
        self._missed += (late + self._period // 2 - 1) // self._period if late > 0 else 0
        self._due += self._period * (1 + max(0, late) // self._period)
        if self._last is not None:
            self._periods.append(begun - self._last)
            self._longest = max(self._longest, begun - self._last)
        self._last = begun

    def report(self) -> LoopReport:
        """Return how punctual the loop was; zeros before its second tick."""
        periods = np.array(tuple(self._periods), dtype=np.float64) / to_ns(1.0)
        if not len(periods):
            return LoopReport(
                rate_hz=0.0, period_p50=0.0, period_p99=0.0, period_max=0.0, missed_ticks=0
            )
        p50, p99 = np.percentile(periods, (50.0, 99.0))
        return LoopReport(
            rate_hz=float(1.0 / periods.mean()) if periods.mean() > 0.0 else 0.0,
            period_p50=float(p50),
            period_p99=float(p99),
            period_max=to_s(self._longest),
            missed_ticks=self._missed,
        )
