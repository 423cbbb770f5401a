# SPDX-License-Identifier: Apache-2.0
"""Any rosbag2 recording, hiors's own or not: its topics, how they were offered, its messages.

Reads MCAP and SQLite, folders and bare files, by the definitions that lie in the file or those of
Jazzy and hiors. Knows nothing of robots and episodes.
"""

import sqlite3
import struct
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rosbags.highlevel import AnyReader
from rosbags.highlevel.anyreader import AnyReaderError
from rosbags.rosbag2 import ReaderError
from rosbags.serde import SerdeError

from hiors_core.cdr import MAX_SEQUENCE, typestore
from hiors_core.errors import HiorsError, IntegrityError, InvalidValue, UnknownName

SUFFIXES = (".mcap", ".db3")
DAMAGE = (
    AnyReaderError,
    ReaderError,
    sqlite3.Error,
    struct.error,
    AssertionError,
    AttributeError,
    EOFError,
    KeyError,
    IndexError,
    MemoryError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What the rosbags package raises on bytes that are not a whole bag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic of a recording.

    Attributes:
        reliable, latched, depth: how it was offered; reliable, volatile and 10 when unknown.
    """

    name: str
    type_name: str
    count: int
    reliable: bool = True
    latched: bool = False
    depth: int = 10


@dataclass(frozen=True, slots=True)
class Message:
    """One message: CDR bytes received at ``stamp`` [ns]."""

    topic: str
    type_name: str
    stamp: int
    data: bytes


class Recording:
    """An open recording; use it in a ``with``. Damage is an IntegrityError naming the file."""

    def __init__(self, path: str | Path) -> None:
        self.path = _checked(Path(path))
        self._stack = ExitStack()
        try:
            reader = AnyReader([self.path], default_typestore=typestore())
            self._reader = self._stack.enter_context(reader)
        except (*DAMAGE, OSError) as error:
            raise self._damaged(error) from error
        self._reader.typestore.max_sequence_length = MAX_SEQUENCE
        self.topics: Mapping[str, Topic] = _topics(self._reader)

    def __enter__(self) -> "Recording":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def topic(self, name: str) -> Topic:
        """Return the topic of that full name, or raise UnknownName with those that exist."""
        if name not in self.topics:
            raise UnknownName("topic", name, self.topics, f"In {self.path}.")
        return self.topics[name]

    def messages(self, topics: Collection[str] | None = None) -> Iterator[Message]:
        """Yield the messages of the topics (all of them by default) by log time."""
        for name in topics or ():
            self.topic(name)
        chosen = [c for c in self._reader.connections if topics is None or c.topic in topics]
        if not chosen:
            return
        try:
            for connection, stamp, data in self._reader.messages(chosen):
                yield Message(connection.topic, connection.msgtype, stamp, bytes(data))
        except (*DAMAGE, OSError) as error:
            raise self._damaged(error) from error

    def decode(self, message: Message) -> Any:
        """Return the message as an object with its fields."""
        try:
            return self._reader.deserialize(message.data, message.type_name)
        except (*DAMAGE, SerdeError) as error:
            raise IntegrityError(
                f"{self.path}: a message of {message.topic} at {message.stamp} ns is not a"
                f" {message.type_name}: {error!r}"
            ) from error

    def _damaged(self, error: Exception) -> HiorsError:
        return IntegrityError(
            f"{self.path} cannot be read as a rosbag2 recording: {_one_line(error)}. If its"
            " recorder was killed, `mcap recover` or `ros2 bag reindex` may save what is there."
        )


def _checked(path: Path) -> Path:
    if not path.exists():
        raise InvalidValue(f"There is no recording {path}.")
    if path.is_dir():
        if not (path / "metadata.yaml").is_file():
            return _bare_file(path)
    elif path.suffix not in SUFFIXES:
        raise InvalidValue(
            f"{path} is not a recording: give a rosbag2 folder (with metadata.yaml) or a file"
            f" ending in {' or '.join(SUFFIXES)}."
        )
    return path


def _bare_file(folder: Path) -> Path:
    found = sorted(p for p in folder.iterdir() if p.suffix in SUFFIXES)
    if len(found) != 1:
        raise InvalidValue(
            f"{folder} is not a recording: it has no metadata.yaml and"
            f" {len(found)} files ending in {' or '.join(SUFFIXES)}."
        )
    return found[0]


def _topics(reader: AnyReader) -> dict[str, Topic]:
    found: dict[str, Topic] = {}
    for connection in reader.connections:
        known = found.get(connection.topic)
        if known and known.type_name != connection.msgtype:
            raise IntegrityError(
                f"Topic {connection.topic} carries {known.type_name} and {connection.msgtype}"
            )
        profiles = getattr(connection.ext, "offered_qos_profiles", None) or []
        found[connection.topic] = Topic(
            name=connection.topic,
            type_name=connection.msgtype,
            count=connection.msgcount + (known.count if known else 0),
            reliable=all(p.reliability.name != "BEST_EFFORT" for p in profiles),
            latched=any(p.durability.name == "TRANSIENT_LOCAL" for p in profiles),
            depth=max([p.depth for p in profiles if p.depth > 0], default=10),
        )
    return dict(sorted(found.items()))


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__
