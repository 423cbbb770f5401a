# SPDX-License-Identifier: Apache-2.0
"""How often messages come, how old they are then, how many were lost. Knows no ROS."""

import struct
from collections import deque
from dataclasses import dataclass, field

from hiors_core.clock import Clock, to_s

_WINDOW = 5.0
"""Rates and ages are told over this time [s]."""
_SANE = 60.0
"""An age beyond this is of an old, latched message or of another clock, and is not told [s]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One topic over the last seconds.

    Attributes:
        rate: [Hz]. age_p50, age_max: from a message's stamp to its arrival [s], None without.
        lost: messages since the start that the middleware says never came.
        silence: since the newest message [s], None before the first. publishers: in the graph.
    """

    topic: str
    rate: float
    age_p50: float | None
    age_max: float | None
    lost: int
    silence: float | None
    publishers: int


@dataclass(slots=True)
class _Heard:
    arrivals: deque[tuple[int, float | None]] = field(default_factory=deque)
    newest: int | None = None
    lost: int = 0


class Traffic:
    """Counts messages by topic.

    Args:
        clock: steady; arrivals are counted on it. Stamps are compared with a time of their own.
    """

    def __init__(self, clock: Clock, topics: tuple[str, ...]) -> None:
        self._clock = clock
        self._heard = {topic: _Heard() for topic in topics}
        self._started = clock.now()

    def on_message(self, topic: str, age: float | None) -> None:
        """Count a message that is ``age`` [s] old, or of which the age is not known."""
        heard = self._heard[topic]
        heard.newest = self._clock.now()
        known = age is not None and abs(age) < _SANE
        heard.arrivals.append((heard.newest, age if known else None))

    def on_lost(self, topic: str, total: int) -> None:
        """Take the middleware's count of lost messages."""
        self._heard[topic].lost = total

    def flow(self, topic: str, publishers: int) -> Flow:
        """Return what is known of a topic now."""
        heard, now = self._heard[topic], self._clock.now()
        while heard.arrivals and to_s(now - heard.arrivals[0][0]) > _WINDOW:
            heard.arrivals.popleft()
        ages = sorted(age for _, age in heard.arrivals if age is not None)
        over = min(_WINDOW, max(to_s(now - self._started), 1e-3))
        return Flow(
            topic=topic,
            rate=len(heard.arrivals) / over,
            age_p50=ages[len(ages) // 2] if ages else None,
            age_max=ages[-1] if ages else None,
            lost=heard.lost,
            silence=None if heard.newest is None else to_s(now - heard.newest),
            publishers=publishers,
        )


def stamp_of(cdr: bytes) -> int | None:
    """Return the stamp [ns] of a serialized message that begins with a std_msgs/Header."""
    if len(cdr) < 12 or cdr[0] != 0 or cdr[1] > 1:
        return None
    seconds, nanoseconds = struct.unpack_from("<iI" if cdr[1] else ">iI", cdr, 4)
    stamp = int(seconds) * 10**9 + int(nanoseconds)
    return stamp if stamp > 0 and nanoseconds < 10**9 else None
