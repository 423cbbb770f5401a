# SPDX-License-Identifier: Apache-2.0
"""Time as a dependency. Stamps are integer nanoseconds; durations are float seconds."""

import time
from typing import Protocol

NS = 1_000_000_000
"""Nanoseconds in a second."""


def to_ns(seconds: float) -> int:
    """Convert a duration [s] to nanoseconds."""
    return round(seconds * NS)


def to_s(nanoseconds: int) -> float:
    """Convert nanoseconds to a duration [s]."""
    return nanoseconds / NS


class Clock(Protocol):
    """What hiors asks of a clock."""

    def now(self) -> int:
        """Return the present stamp [ns]."""

    def sleep_until(self, stamp: int) -> None:
        """Return when ``now() >= stamp``."""


class SteadyClock:
    """Wall-clock stamps that never jump: the epoch is read once, then a monotonic clock counts."""

    def __init__(self) -> None:
        self._offset = time.time_ns() - time.monotonic_ns()

    def now(self) -> int:
        return time.monotonic_ns() + self._offset

    def sleep_until(self, stamp: int) -> None:
        while (left := stamp - self.now()) > 0:
            time.sleep(left / NS)


class FakeClock:
    """A clock that moves only when told to: for simulation and tests."""

    def __init__(self, start: int = 0) -> None:
        self._now = start

    def now(self) -> int:
        return self._now

    def sleep_until(self, stamp: int) -> None:
        self._now = max(self._now, stamp)

    def advance(self, seconds: float) -> int:
        """Move on by ``seconds`` [s] and return the new stamp [ns]."""
        self._now += to_ns(seconds)
        return self._now
