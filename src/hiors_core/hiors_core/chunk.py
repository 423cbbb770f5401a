# SPDX-License-Identifier: Apache-2.0
"""Chunks of future actions: what is accepted, and what they say at an absolute time.

Knows neither who drives nor how an action becomes joints.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiors_core.action_space import ActionSpace, unwrap_actions
from hiors_core.clock import to_ns, to_s
from hiors_core.errors import InvalidValue

Array = NDArray[np.float64]

MAX_HORIZON = 1000
"""Rows that a chunk may have at most."""
_DT_RANGE = (0.002, 1.0)
_CLOCK_SLACK = 0.02
"""[s] that an observation may lie in the future: two clocks of one machine are not one clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A chunk of future actions; row k is meant for ``obs_stamp + (k + 1) * dt``.

    Attributes:
        obs_stamp: capture time of the observation that it was computed from [ns].
        sequence: grows with every chunk of a policy process.
        epoch: of the arbiter when the observation was taken.
        policy_version: checkpoint version that made it.
        kind: action space, "joint" or "ee". names, units: (A,) its columns.
        dt: time between rows [s].
        values: (H, A) absolute actions in those units.
    """

    obs_stamp: int
    sequence: int
    epoch: int
    policy_version: str
    kind: str
    names: tuple[str, ...]
    units: tuple[str, ...]
    dt: float
    values: Array

    @property
    def end(self) -> int:
        """Time of the last row [ns]."""
        return self.obs_stamp + to_ns(len(self.values) * self.dt)

    def row(self, stamp: int) -> float:
        """Return the fractional row for a time: 0 is the first, -1 the observation itself."""
        return to_s(stamp - self.obs_stamp) / self.dt - 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkRules:
    """What a chunk must obey. max_age, blend: [s]. dt: the only accepted one [s], or None for any.

    ``max_age`` is how old an observation may become while actions from it are still executed.
    ``blend`` is the time over which a new chunk replaces the one before.
    """

    max_age: float = 2.0
    blend: float = 0.1
    dt: float | None = None

    def __post_init__(self) -> None:
        if not self.max_age > 0.0 or not self.blend >= 0.0:
            raise InvalidValue(
                "max_age must be above 0 s and blend at least 0 s, "
                f"got {self.max_age} and {self.blend}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The action (A,) at a time, the newest chunk in it and the fractional row of that one."""

    action: Array
    chunk: Chunk
    row: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Segment:
    chunk: Chunk
    knots: Array
    since: int

    def age(self, now: int) -> int:
        """Return how long it has been in force [ns]; it may come in after a tick took its time."""
        return max(0, now - self.since)

    def at(self, stamp: int) -> Array:
        row = min(max(self.chunk.row(stamp) + 1.0, 0.0), len(self.knots) - 1.0)
        low = min(int(row), len(self.knots) - 2)
        knots, fraction = self.knots, row - low
        result: Array = (1.0 - fraction) * knots[low] + fraction * knots[low + 1]
        return result


class ChunkBuffer:
    """The chunks in force: newest wins, blended over the seam, looked up by absolute time.

    Between rows it interpolates linearly; before row 0 from the action that was in force when the
    observation was taken. Rotation vectors are made continuous on the way in.
    """

    def __init__(self, spaces: tuple[ActionSpace, ...], rules: ChunkRules) -> None:
        self._spaces = {space.kind: space for space in spaces}
        self._rules = rules
        self._segments: list[_Segment] = []
        self._held: Array | None = None
        self._last: tuple[int, int] | None = None
        self.late_rows = 0
        """Rows that were already past when their chunk arrived."""

    @property
    def newest(self) -> Chunk | None:
        """The chunk that was accepted last since the buffer was cleared."""
        return self._segments[-1].chunk if self._segments else None

    def clear(self) -> None:
        """Forget every chunk, and the sequence numbers: the policy may have been restarted."""
        self._segments.clear()
        self._held, self._last = None, None

    def check(self, chunk: Chunk, epoch: int, now: int) -> str | None:
        """Return why the chunk is refused, beginning with the field's name, or None."""
        return self._check_columns(chunk) or self._check_time(chunk, epoch, now)

    def add(self, chunk: Chunk, now: int, before: Array, current: Array) -> None:
        """Take in a chunk that ``check`` passed.

        Args:
            before: (A,) the action in force at ``obs_stamp``, in the chunk's space.
            current: (A,) the action in force now: where the seam starts if no chunk is in force.
        """
        knots = np.vstack((before, chunk.values))
        if chunk.kind == "ee":
            knots = unwrap_actions(knots, current)
        knots.setflags(write=False)
        if not self.fresh(now) or self._segments[-1].chunk.kind != chunk.kind:
            self._segments.clear()
        if not self._segments:
            self._held = current
        self.late_rows += min(len(chunk.values), max(0, int(chunk.row(now)) + 1))
        self._last = (chunk.sequence, chunk.obs_stamp)
        self._segments.append(_Segment(chunk=chunk, knots=knots, since=now))

    def fresh(self, now: int) -> bool:
        """Say whether the newest chunk still has something to say at this time."""
        newest = self.newest
        return newest is not None and now <= min(
            newest.end, newest.obs_stamp + to_ns(self._rules.max_age)
        )

    def sample(self, now: int) -> Sample | None:
        """Return the action for this time, or None without a fresh chunk."""
        if not self.fresh(now):
            return None
        blend = to_ns(self._rules.blend)
        done = [i for i, s in enumerate(self._segments) if s.age(now) >= blend]
        if done:
            self._held = None
            del self._segments[: done[-1]]
        action = self._held
        for segment in self._segments:
            value = segment.at(now)
            if action is None or segment.age(now) >= blend:
                action = value
            else:
                weight = segment.age(now) / blend
                action = (1.0 - weight) * action + weight * value
        newest = self._segments[-1].chunk
        if action is None:
            return None
        return Sample(action=action, chunk=newest, row=max(newest.row(now), 0.0))

    def _check_columns(self, chunk: Chunk) -> str | None:
        space = self._spaces.get(chunk.kind)
        if space is None:
            return f"action_space: '{chunk.kind}' is not one of {', '.join(self._spaces)}"
        for field, given, wanted in (
            ("names", chunk.names, space.names),
            ("units", chunk.units, space.units),
        ):
            if given != wanted:
                return f"{field}: got {_show(given)}, must be {_show(wanted)}"
        shape = chunk.values.shape
        if len(shape) != 2 or shape[1] != len(space.names):
            return f"values: shape {shape}, must be (H, {len(space.names)})"
        if not 1 <= shape[0] <= MAX_HORIZON:
            return f"horizon: {shape[0]}, must be within 1 .. {MAX_HORIZON}"
        if not np.isfinite(chunk.values.sum()):
            return _not_finite(chunk)
        if not _DT_RANGE[0] <= chunk.dt <= _DT_RANGE[1]:
            return f"dt: {chunk.dt} s, must be within {_DT_RANGE[0]} .. {_DT_RANGE[1]} s"
        if self._rules.dt is not None and abs(chunk.dt - self._rules.dt) > 1e-9:
            return f"dt: {chunk.dt} s, must be {self._rules.dt} s"
        return None

    def _check_time(self, chunk: Chunk, epoch: int, now: int) -> str | None:
        if chunk.epoch != epoch:
            return f"epoch: {chunk.epoch} is void, now it is {epoch}"
        age = to_s(now - chunk.obs_stamp)
        if age < -_CLOCK_SLACK:
            return f"obs_stamp: {-age:.3f} s in the future"
        if age > self._rules.max_age:
            return f"obs_stamp: {age:.3f} s old, may be {self._rules.max_age} s at most"
        if self._last is not None:
            sequence, obs_stamp = self._last
            if chunk.sequence <= sequence:
                return f"sequence: {chunk.sequence} is not above {sequence}"
            if chunk.obs_stamp < obs_stamp:
                return f"obs_stamp: {to_s(obs_stamp - chunk.obs_stamp):.3f} s before the last one"
        if chunk.end < now:
            past = to_s(now - chunk.end)
            return f"obs_stamp: all {len(chunk.values)} rows are past by {past:.3f} s"
        return None


def _not_finite(chunk: Chunk) -> str:
    bad = np.argwhere(~np.isfinite(chunk.values))
    if not len(bad):
        return "values: too large to add up"
    row, column = bad[0].tolist()
    value = chunk.values[row, column]
    return f"values: {value} at row {row}, column {chunk.names[column]}; must be finite"


def _show(names: tuple[str, ...]) -> str:
    return f"({', '.join(names[:20])}{', ...' if len(names) > 20 else ''})"
