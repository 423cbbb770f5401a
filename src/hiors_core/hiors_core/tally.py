# SPDX-License-Identifier: Apache-2.0
"""Counts what goes into an episode while it is written or salvaged, and makes the manifest of it.

Knows no disk.
"""

from dataclasses import dataclass

from hiors_core.bag import full_name
from hiors_core.cdr import decode
from hiors_core.clock import to_s
from hiors_core.errors import InvalidValue
from hiors_core.manifest import EpisodeMeta, FileEntry, Manifest, Segment, Stream
from hiors_core.stamps import stamp_of
from hiors_core.topics import EXECUTED, EXECUTED_TYPE, TRANSITION


@dataclass(slots=True)
class _Stream:
    type_name: str
    first: int
    last: int
    count: int = 0
    max_gap: int = 0
    missing: int = 0
    sequence: int | None = None


@dataclass(slots=True)
class _Segment:
    authority: int
    start: int
    end: int
    ticks: int = 0


class Tally:
    """Fed with every message in the order of its arrival."""

    def __init__(self, meta: EpisodeMeta) -> None:
        self._meta = meta
        self._streams: dict[str, _Stream] = {}
        self._dropped: dict[str, int] = {}
        self._segments: list[_Segment] = []
        self._versions: dict[str, None] = {}
        self.ticks = 0
        self.transitions = 0

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Who drove when, so far."""
        return tuple(
            Segment(authority=s.authority, start=s.start, end=s.end, ticks=s.ticks)
            for s in self._segments
        )

    @property
    def policy_versions(self) -> tuple[str, ...]:
        """Versions that drove, so far."""
        return tuple(self._versions)

    @property
    def missing(self) -> int:
        """Control ticks that never came, so far."""
        stream = self._streams.get(EXECUTED)
        return stream.missing if stream else 0

    def add(self, topic: str, type_name: str, data: bytes, stamp: int) -> int:
        """Count a message and return its sequence number: control tick or place in the stream."""
        name = full_name(topic)
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = _Stream(type_name, stamp, stamp)
        if name == EXECUTED:
            sequence = self._executed(type_name, data)
        else:
            self.transitions += name == TRANSITION
            sequence = stream.count
        _advance(stream, stamp, sequence)
        return sequence

    def drop(self, topic: str, count: int = 1) -> None:
        """Count messages that were lost on the way."""
        name = full_name(topic)
        self._dropped[name] = self._dropped.get(name, 0) + count

    def manifest(
        self, *, end_reason: str, aborted: bool, files: tuple[FileEntry, ...]
    ) -> Manifest:
        """Return the manifest of what was counted."""
        return Manifest(
            meta=self._meta,
            start=self._segments[0].start if self._segments else 0,
            end=self._segments[-1].end if self._segments else 0,
            end_reason=end_reason,
            aborted=aborted,
            ticks=self.ticks,
            transitions=self.transitions,
            segments=self.segments,
            policy_versions=self.policy_versions,
            streams=tuple(self._stream(name) for name in sorted({*self._streams, *self._dropped})),
            files=files,
        )

    def _stream(self, name: str) -> Stream:
        s = self._streams.get(name) or _Stream("", 0, 0)
        return Stream(
            topic=name,
            type_name=s.type_name,
            count=s.count,
            first=s.first,
            last=s.last,
            max_gap=to_s(s.max_gap),
            missing=s.missing,
            dropped=self._dropped.get(name, 0),
        )

    def _executed(self, type_name: str, data: bytes) -> int:
        if type_name != EXECUTED_TYPE:
            raise InvalidValue(f"Topic {EXECUTED} carries {EXECUTED_TYPE}, not {type_name}")
        message = decode(type_name, data)
        stamp = stamp_of(message)
        if not self._segments or self._segments[-1].authority != message.authority:
            self._segments.append(_Segment(message.authority, stamp, stamp))
        segment = self._segments[-1]
        segment.end = stamp
        segment.ticks += 1
        self.ticks += 1
        if message.policy_version:
            self._versions[message.policy_version] = None
        return int(message.tick)


def _advance(stream: _Stream, stamp: int, sequence: int) -> None:
    if stream.sequence is not None:
        stream.max_gap = max(stream.max_gap, stamp - stream.last)
        stream.missing += max(0, sequence - stream.sequence - 1)
    stream.first = min(stream.first, stamp)
    stream.last = max(stream.last, stamp)
    stream.sequence = sequence
    stream.count += 1
