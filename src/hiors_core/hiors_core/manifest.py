# SPDX-License-Identifier: Apache-2.0
"""What a sealed episode says of itself: streams, gaps, who drove when, versions, hashes.

Knows no files but their names.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hiors_core.authority import Authority
from hiors_core.clock import to_s
from hiors_core.errors import IntegrityError
from hiors_core.names import check_episode_id

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeMeta:
    """What is known of an episode before it begins.

    Attributes:
        episode_id: name of its folder. task, robot: names of their files.
        instruction: language input of the policy. arms: those in use.
        names: (N,) columns of the robot's vectors, in order.
        f_low, f_high: logging rates of eq. 6 [Hz].
        seed: of the scene. operator: person who was in charge, or "".
    """

    episode_id: str
    task: str
    instruction: str = ""
    robot: str = ""
    arms: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    f_low: float = 0.5
    f_high: float = 10.0
    seed: int = 0
    operator: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A run of control ticks under one authority.

    Attributes:
        authority: 0 HOLD, 1 POLICY, 2 HANDOVER, 3 HUMAN, 4 STOPPED.
        start, end: stamps of its first and last tick [ns]. ticks: how many.
    """

    authority: int
    start: int
    end: int
    ticks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One topic of the bag.

    Attributes:
        topic, type_name: full names. count: messages in the bag.
        first, last: log times [ns]. max_gap: longest time between two messages [s].
        missing: sequence numbers that never came. dropped: messages refused or lost on the way,
            as the recorder counted.
    """

    topic: str
    type_name: str
    count: int
    first: int
    last: int
    max_gap: float
    missing: int
    dropped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """A file of the episode.

    Attributes:
        name: without folder. size: [bytes]. sha256: of its content, in hexadecimal digits.
    """

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a sealed episode holds.

    Attributes:
        meta: what was known before it began.
        start, end: stamps of the first and the last control tick [ns].
        end_reason: why it ended. ticks: control ticks that were recorded.
        segments: who drove when. streams: one entry a topic. files: of the bag.
        transitions: logged ones (eq. 6). policy_versions: those that drove, in order of
            appearance.
        aborted: it did not end as an episode ends; never accepted by itself.
    """

    meta: EpisodeMeta
    start: int
    end: int
    end_reason: str
    aborted: bool
    ticks: int
    transitions: int
    segments: tuple[Segment, ...]
    policy_versions: tuple[str, ...]
    streams: tuple[Stream, ...]
    files: tuple[FileEntry, ...]

    @property
    def episode_id(self) -> str:
        """Id of the episode."""
        return self.meta.episode_id

    @property
    def task(self) -> str:
        """Task of the episode."""
        return self.meta.task

    @property
    def duration(self) -> float:
        """From the first to the last control tick [s]."""
        return to_s(self.end - self.start)

    @property
    def interventions(self) -> int:
        """Number of segments in which a person drove."""
        return sum(s.authority == Authority.HUMAN for s in self.segments)

    @property
    def human_fraction(self) -> float:
        """Share of the control ticks in which a person drove."""
        human = sum(s.ticks for s in self.segments if s.authority == Authority.HUMAN)
        return human / self.ticks if self.ticks else 0.0

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(f.size for f in self.files)

    def stream(self, topic: str) -> Stream | None:
        """Return the stream of that full topic name, if the episode has it."""
        return next((s for s in self.streams if s.topic == topic), None)


def manifest_to_json(manifest: Manifest) -> dict[str, Any]:
    """Return the manifest as JSON values."""
    return {"format": FORMAT, **dataclasses.asdict(manifest)}


def manifest_from_json(data: Mapping[str, Any]) -> Manifest:
    """Read what manifest_to_json wrote, or raise IntegrityError."""
    try:
        if data["format"] != FORMAT:
            raise IntegrityError(f"Manifest format {data['format']!r} is not {FORMAT}")
        fields = {k: v for k, v in data.items() if k != "format"}
        fields["meta"] = meta_from_json(fields["meta"])
        fields["segments"] = tuple(Segment(**s) for s in fields["segments"])
        fields["streams"] = tuple(Stream(**s) for s in fields["streams"])
        fields["files"] = tuple(FileEntry(**f) for f in fields["files"])
        fields["policy_versions"] = _strings(fields["policy_versions"])
        return Manifest(**fields)
    except (KeyError, TypeError) as error:
        raise IntegrityError(f"Not a manifest: {error!r}") from error


def meta_from_json(data: Mapping[str, Any]) -> EpisodeMeta:
    """Read the EpisodeMeta that dataclasses.asdict made."""
    fields = dict(data)
    check_episode_id(fields["episode_id"])
    for name in ("arms", "names"):
        fields[name] = _strings(fields[name])
    return EpisodeMeta(**fields)


def _strings(values: Iterable[Any]) -> tuple[str, ...]:
    return tuple(str(v) for v in values)
