# SPDX-License-Identifier: Apache-2.0
"""The newest state of every joint by name, from messages that may be partial and in any order.

One thread takes messages, others may read: samples are replaced, never changed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hiors_core.clock import to_s
from hiors_core.clock_offset import ClockOffset

_QUICKEST = 1e-3
"""Shortest time between two messages that a velocity is taken from [s]."""


@dataclass(frozen=True, slots=True)
class JointSample:
    """Position [rad] (or the gripper's own unit), velocity per second, and when [ns]."""

    position: float
    velocity: float
    stamp: int


class JointFeedback:
    """Joint states by name. A message whose stamp stands still is as old as that stamp."""

    def __init__(self) -> None:
        self._samples: Mapping[str, JointSample] = {}
        # Several broadcasters may share the topic, each with a delay of its own.
        self._clocks: dict[tuple[str, ...], ClockOffset] = {}
        self.refused = 0
        self.refusal = ""

    @property
    def samples(self) -> Mapping[str, JointSample]:
        """The newest sample of every joint seen."""
        return self._samples

    def take(
        self,
        names: Sequence[str],
        position: Sequence[float],
        velocity: Sequence[float],
        stamp: int,
        now: int,
    ) -> None:
        """Take a message that arrived at ``now`` [ns]; a ``stamp`` of 0 means that it has none.

        A message that contradicts itself is refused whole, a joint that is not finite alone.
        """
        if len(position) != len(names) or len(velocity) not in (0, len(names)):
            self._refuse(
                f"{len(names)} names, {len(position)} positions and {len(velocity)} velocities"
            )
            return
        clock = self._clocks.setdefault(tuple(names), ClockOffset())
        seen = clock.to_local(stamp, now) if stamp else now
        samples = dict(self._samples)
        for i, (name, value) in enumerate(zip(names, position, strict=True)):
            if not math.isfinite(value):
                self._refuse(f"position of {name} is {value}")
                continue
            speed = velocity[i] if velocity else math.nan
            if not math.isfinite(speed):
                speed = _slope(samples.get(name), value, seen)
            samples[name] = JointSample(value, speed, seen)
        self._samples = samples

    def _refuse(self, reason: str) -> None:
        self.refused += 1
        self.refusal = reason


def _slope(last: JointSample | None, position: float, stamp: int) -> float:
    """Return the velocity between two samples; of a robot that reports none."""
    if last is None:
        return 0.0
    seconds = to_s(stamp - last.stamp)
    return last.velocity if seconds < _QUICKEST else (position - last.position) / seconds
