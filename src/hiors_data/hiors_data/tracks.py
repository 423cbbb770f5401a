# SPDX-License-Identifier: Apache-2.0
"""The streams of a recording as tracks in a robot's columns, checked: rates, gaps, limits.

Knows the topic map and the robot; writes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hiors_core.clock import to_s
from hiors_core.errors import HiorsError, InvalidValue, UnknownName
from hiors_core.geometry import compose
from hiors_core.robot import RobotModel
from hiors_core.track import Stamps, Track, make_track
from hiors_data.locate import header_stamp, locators, pick, pose_of
from hiors_data.recording import Message, Recording
from hiors_data.topic_map import PoseSource, Source, TopicMap

Array = NDArray[np.float64]

LEAST_RATE = 5.0
"""Rate below which positions say too little of a motion [Hz]."""
JOINT_SLACK, GRIPPER_SLACK = 0.1, 0.1
"""By how much positions may lie beyond the limits: [rad], [1]."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some columns of the robot, by time."""

    columns: NDArray[np.intp]
    track: Track
    topic: str


@dataclass(frozen=True, slots=True)
class Streams:
    """What a recording holds of a robot. Empty ``executed``: nothing was recorded of commands."""

    measured: tuple[Part, ...]
    executed: tuple[Part, ...]
    objects: Mapping[str, Track]

    def span(self) -> tuple[int, int]:
        """Return the time that all positions cover [ns]."""
        parts = (*self.measured, *self.executed)
        start = max(int(p.track.stamps[0]) for p in parts)
        end = min(int(p.track.stamps[-1]) for p in parts)
        if end <= start:
            spans = "; ".join(
                f"{p.topic} {int(p.track.stamps[0])} .. {int(p.track.stamps[-1])} ns"
                for p in parts
            )
            raise InvalidValue(
                f"The topics have no time in common: {spans}. If their clocks differ, say"
                " 'clock: received' in the topic map."
            )
        return start, end


def sample(parts: Iterable[Part], stamps: Stamps) -> Array:
    """Return the robot's positions (K, N) at the stamps (K,), linear between messages."""
    chosen = tuple(parts)
    width = sum(len(p.columns) for p in chosen)
    rows = np.empty((len(stamps), width))
    for part in chosen:
        rows[:, part.columns] = part.track.interpolate(stamps)
    return rows


def read_streams(recording: Recording, topics: TopicMap, robot: RobotModel) -> Streams:
    """Read all that is not an image; InvalidValue or IntegrityError says what is wrong where."""
    for name in (*topics.state_topics, *topics.cameras.values()):
        if not recording.topic(name).count:
            raise InvalidValue(f"Topic {name} of {recording.path} has no messages.")
    readers = [
        *(_Positions(s, recording, robot, topics.clock) for s in topics.measured),
        *(_Positions(s, recording, robot, topics.clock) for s in topics.executed),
    ]
    poses = {n: _Poses(s, recording, topics.clock) for n, s in topics.objects.items()}
    by_topic: dict[str, list[_Positions | _Poses]] = {}
    every: list[_Positions | _Poses] = [*readers, *poses.values()]
    for reader in every:
        by_topic.setdefault(reader.topic, []).append(reader)
    for message in recording.messages(list(by_topic)):
        decoded = recording.decode(message)
        for reader in by_topic[message.topic]:
            reader.read(message, decoded)
    parts = [positions.part() for positions in readers]
    count = len(topics.measured)
    return Streams(
        measured=tuple(parts[:count]),
        executed=tuple(parts[count:]),
        objects={name: reader.track() for name, reader in poses.items()},
    )


def check_stretch(streams: Streams, start: int, end: int, max_gap: float) -> None:
    """Raise InvalidValue where a topic is too slow or has a gap within the stretch [ns]."""
    for part in (*streams.measured, *streams.executed):
        stamps = part.track.stamps
        inside = stamps[(stamps >= start) & (stamps <= end)]
        edges = np.concatenate([[start], inside, [end]])
        gaps = np.diff(edges)
        widest = int(np.argmax(gaps))
        rate = len(inside) / max(to_s(end - start), 1e-9)
        if to_s(int(gaps[widest])) > max_gap or rate < LEAST_RATE:
            at = to_s(int(edges[widest]) - int(stamps[0]))
            raise InvalidValue(
                f"{part.topic} comes at {rate:.1f} Hz, and {to_s(int(gaps[widest])):.2f} s pass"
                f" without a message {at:.2f} s after its first one. Allowed: at least"
                f" {LEAST_RATE:g} Hz and no gap above {max_gap:g} s. Raise max_gap in the topic"
                " map (up to 10 s), or cut the gap out by 'episodes:'."
            )
    for name, track in streams.objects.items():
        _check_object(name, track, start, end, max_gap)


def _check_object(name: str, track: Track, start: int, end: int, max_gap: float) -> None:
    """One pose alone is that of a thing that stands still; others must keep coming."""
    if len(track) < 2:
        return
    inside = track.stamps[(track.stamps >= start) & (track.stamps <= end)]
    gap = to_s(int(np.diff(np.concatenate([[start], inside, [end]])).max()))
    if gap > max_gap:
        raise InvalidValue(
            f"The pose of object {name} is missing for {gap:.2f} s; at most {max_gap:g} s are"
            " bridged. Raise max_gap in the topic map, or cut the gap out by 'episodes:'."
        )


def check_limits(parts: Iterable[Part], robot: RobotModel) -> None:
    """Raise InvalidValue for a column beyond the robot's limits: other units, most likely."""
    lower = np.concatenate([[*a.limits.lower, 0.0] for a in robot.arms])
    upper = np.concatenate([[*a.limits.upper, 1.0] for a in robot.arms])
    slack = np.where([u == "rad" for u in robot.units], JOINT_SLACK, GRIPPER_SLACK)
    for part in parts:
        for k, column in enumerate(part.columns):
            values = part.track.values[:, k]
            low, high = float(values.min()), float(values.max())
            if low < lower[column] - slack[column] or high > upper[column] + slack[column]:
                unit = robot.units[column]
                hint = (
                    "degrees become radians by scale: 0.017453293"
                    if unit == "rad"
                    else "a gripper is 0 closed .. 1 open; see scale and offset"
                )
                raise InvalidValue(
                    f"{robot.names[column]} from {part.topic} goes from {low:.4g} to {high:.4g};"
                    f" the robot allows {lower[column]:.4g} .. {upper[column]:.4g} [{unit}]:"
                    f" {hint} in the topic map."
                )


class _Stream:
    """Rows of one source, with stamps of the chosen clock."""

    def __init__(self, topic: str, clock: str) -> None:
        self.topic, self._clock = topic, clock
        self.stamps: list[int] = []
        self.rows: list[Array] = []

    def add(self, message: Message, decoded: Any, row: Array) -> None:
        if not np.isfinite(row).all():
            raise InvalidValue(f"{self.topic} at {message.stamp} ns holds {row}, not numbers")
        header = header_stamp(decoded) if self._clock == "header" else None
        self.stamps.append(message.stamp if header is None else header)
        self.rows.append(row)


class _Positions(_Stream):
    def __init__(
        self, source: Source, recording: Recording, robot: RobotModel, clock: str
    ) -> None:
        super().__init__(source.topic, clock)
        self._values, self._names = locators(
            recording.topic(source.topic).type_name, source.values, source.names
        )
        self._columns = np.array([robot.names.index(c.name) for c in source.columns], np.intp)
        self._wanted = tuple(c.at for c in source.columns)
        self._scale = np.array([c.scale for c in source.columns])
        self._offset = np.array([c.offset for c in source.columns])
        self._partly: set[str] = set()

    def read(self, message: Message, decoded: Any) -> None:
        try:
            found = pick(decoded, self._values, self._names, self._wanted)
        except KeyError:
            # Drivers may publish arm and gripper in turn on one topic: each message has a part.
            listed = self._names.find(decoded) if self._names else ()
            self._partly |= {str(n) for n in listed}
            return
        except HiorsError as error:
            raise InvalidValue(f"{self.topic} at {message.stamp} ns: {error}") from error
        self.add(message, decoded, found * self._scale + self._offset)

    def part(self) -> Part:
        if not self.rows:
            wanted = [str(w) for w in self._wanted if str(w) not in self._partly]
            if not wanted:
                raise InvalidValue(
                    f"{self.topic} never has {', '.join(map(str, self._wanted))} in one message:"
                    " list the topic twice in the map, with the columns that come together."
                )
            raise UnknownName("name", wanted[0], self._partly, f"In messages of {self.topic}.")
        return Part(
            self._columns, make_track(self.stamps, self.rows, len(self._wanted)), self.topic
        )


class _Poses(_Stream):
    def __init__(self, source: PoseSource, recording: Recording, clock: str) -> None:
        super().__init__(source.topic, clock)
        self._type = recording.topic(source.topic).type_name
        self._transform = source.transform

    def read(self, message: Message, decoded: Any) -> None:
        try:
            pose = pose_of(decoded, self._type)
        except HiorsError as error:
            raise InvalidValue(f"{self.topic} at {message.stamp} ns: {error}") from error
        if self._transform is not None:
            pose = compose(self._transform, pose)
        self.add(message, decoded, pose)

    def track(self) -> Track:
        return make_track(self.stamps, self.rows, 7)
