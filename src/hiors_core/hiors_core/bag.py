# SPDX-License-Identifier: Apache-2.0
"""Bags: MCAP in rosbag2's format, written so that a crash costs little and read without ROS.

A bag is a folder with ``<name>_0.mcap`` and ``metadata.yaml``. Knows nothing of episodes and
labels.
"""

import shutil
import struct
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from mcap.exceptions import McapError
from mcap.reader import SeekingReader
from mcap.writer import CompressionType, Writer
from zstandard import ZstdError

from hiors_core.bag_metadata import (
    Qos,
    TopicEntry,
    bag_information,
    metadata_text,
    qos_text,
    record_text,
)
from hiors_core.cdr import decode, definition, encode, make, type_hash
from hiors_core.clock import to_ns
from hiors_core.durable import crash_point, fsync_path, write_atomic
from hiors_core.errors import HiorsError, IntegrityError, InvalidValue, StateError, UnknownName

__all__ = [
    "BagMessage",
    "BagReader",
    "BagWriteError",
    "BagWriter",
    "Qos",
    "decode",
    "encode",
    "full_name",
    "make",
]

CHUNK_BYTES = 32 * 1024
"""A chunk is written when it holds this much: what a crash may cost of a busy stream."""
FLUSH_PERIOD = 0.5
"""A chunk is written at least this often [s]: what a crash may cost of a quiet stream."""
MAX_RECORD = 256 * 1024 * 1024
DAMAGE = (
    McapError,
    ZstdError,
    struct.error,
    ValueError,
    EOFError,
    MemoryError,
    KeyError,
    RuntimeError,
)
"""What the mcap and zstandard packages raise on damaged bytes."""


class BagWriteError(HiorsError):
    """The disk refused a write: the bag is not to be trusted from there on."""


def full_name(topic: str) -> str:
    """Return the topic as rosbag2 stores it, with a leading slash."""
    return topic if topic.startswith("/") else f"/{topic}"


class BagWriter:
    """Writes one bag into an existing folder. Not for several threads at once.

    The first write error is kept: every later call raises it again, since the file may look whole
        afterwards and is not.

    Args:
        folder: where the files go; its name becomes the bag's name.
        qos: says how a topic (full name) is offered; reliable and volatile by default.
    """

    def __init__(self, folder: Path, qos: Callable[[str], Qos] = lambda _: Qos()) -> None:
        self.folder = folder
        self.path = folder / f"{folder.name}_0.mcap"
        self._qos = qos
        self._file: IO[bytes] = self.path.open("xb")
        self._mcap = _mcap_writer(self._file)
        self._channels: dict[str, tuple[int, str]] = {}
        self._counts: dict[str, int] = {}
        self._span: tuple[int, int] | None = None
        self._flushed = 0
        self._error: BagWriteError | None = None
        self._closed = False
        with _Latch(self):
            self._mcap.start(profile="ros2", library="hiors")

    @property
    def error(self) -> BagWriteError | None:
        """The first write error, if there was one."""
        return self._error

    def write(
        self, topic: str, type_name: str, data: bytes, stamp: int, sequence: int = 0
    ) -> None:
        """Append one message, CDR bytes received at ``stamp`` [ns]."""
        name = full_name(topic)
        with _Latch(self):
            channel = self._channel(name, type_name)
            self._mcap.add_message(channel, stamp, data, stamp, sequence % (1 << 32))
            self._counts[name] += 1
            first, last = self._span or (stamp, stamp)
            self._span = (min(first, stamp), max(last, stamp))
            if not self._flushed <= stamp < self._flushed + to_ns(FLUSH_PERIOD):
                self._flushed = stamp
                self._mcap.flush()

    def flush(self) -> None:
        """Hand what is buffered to the operating system."""
        with _Latch(self):
            self._mcap.flush()

    def close(self) -> None:
        """Finish the file, bring it to the disk and write metadata.yaml beside it."""
        entries = [
            TopicEntry(
                name=name,
                type_name=type_name,
                type_hash=type_hash(type_name),
                qos=self._qos(name),
                count=self._counts[name],
            )
            for name, (_, type_name) in self._channels.items()
        ]
        information = bag_information(self.path.name, entries, *(self._span or (0, 0)))
        with _Latch(self):
            self._mcap.flush()
            self._mcap.add_metadata("rosbag2", {"serialized_metadata": record_text(information)})
            self._mcap.finish()
            self._file.close()
            self._closed = True
            fsync_path(self.path)
            crash_point("bag:finished")
            write_atomic(
                self.folder / "metadata.yaml", metadata_text(information).encode(), "metadata"
            )

    def abandon(self) -> None:
        """Let go of the file as it is."""
        self._closed = True
        try:
            self._file.close()
        except OSError as error:
            self._error = self._error or _write_error(self.folder, error)

    def _channel(self, name: str, type_name: str) -> int:
        known = self._channels.get(name)
        if known is None:
            known = (self._register(name, type_name), type_name)
            self._channels[name] = known
            self._counts[name] = 0
        if known[1] != type_name:
            raise InvalidValue(f"Topic {name} carries {known[1]}, so it cannot carry {type_name}")
        return known[0]

    def _register(self, name: str, type_name: str) -> int:
        schema = self._mcap.register_schema(type_name, "ros2msg", definition(type_name).encode())
        metadata = {
            "offered_qos_profiles": qos_text(self._qos(name)),
            "topic_type_hash": type_hash(type_name),
        }
        return int(self._mcap.register_channel(name, "cdr", schema, metadata))


class _Latch:
    """Keeps the first OSError of a writer and raises it for ever after."""

    def __init__(self, writer: BagWriter) -> None:
        self._writer = writer

    def __enter__(self) -> None:
        if self._writer._error is not None:
            raise self._writer._error
        if self._writer._closed:
            raise StateError(f"The bag {self._writer.folder.name} is closed")

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            self._writer._error = _write_error(self._writer.folder, error)
            raise self._writer._error from error


@dataclass(frozen=True, slots=True)
class BagMessage:
    """One message of a bag: CDR bytes received at ``stamp`` [ns]."""

    topic: str
    type_name: str
    stamp: int
    data: bytes


class BagReader:
    """Reads a whole bag: a folder or its .mcap file. Damage is an IntegrityError."""

    def __init__(self, path: Path) -> None:
        self.path = path if path.is_file() else _only_file(path)
        self._topics: dict[str, tuple[str, int]] | None = None

    @property
    def topics(self) -> Mapping[str, tuple[str, int]]:
        """Type name and number of messages of every topic, by full name."""
        if self._topics is None:
            self._topics = self._read_topics()
        return self._topics

    def messages(self, topics: Collection[str] | None = None) -> Iterator[BagMessage]:
        """Yield the messages of the topics (all of them by default) by log time."""
        wanted = None if topics is None else [full_name(t) for t in topics]
        for name in wanted or ():
            if name not in self.topics:
                raise UnknownName("topic", name, self.topics, f"In {self.path.name}.")
        try:
            with self.path.open("rb") as file:
                reader = SeekingReader(file, validate_crcs=True, record_size_limit=MAX_RECORD)
                for schema, channel, message in reader.iter_messages(wanted):
                    kind = schema.name if schema else ""
                    yield BagMessage(channel.topic, kind, message.log_time, message.data)
        except DAMAGE as error:
            raise IntegrityError(f"{self.path} is damaged: {error!r}") from error

    def _read_topics(self) -> dict[str, tuple[str, int]]:
        try:
            with self.path.open("rb") as file:
                summary = SeekingReader(file, record_size_limit=MAX_RECORD).get_summary()
        except DAMAGE as error:
            raise IntegrityError(f"{self.path} is damaged: {error!r}") from error
        if summary is None or summary.statistics is None:
            raise IntegrityError(f"{self.path} has no summary: it was not closed")
        counts = summary.statistics.channel_message_counts
        return {
            c.topic: (summary.schemas[c.schema_id].name, counts.get(c.id, 0))
            for c in summary.channels.values()
        }


def _mcap_writer(file: IO[bytes]) -> Any:
    """Any, since half of the writer's methods have no annotations."""
    # zstd costs less time than the bytes it saves: state messages shrink to a fifth.
    return Writer(file, CHUNK_BYTES, CompressionType.ZSTD)


def _only_file(folder: Path) -> Path:
    files = sorted(folder.glob("*.mcap"))
    if len(files) != 1:
        raise IntegrityError(f"{folder} must hold one .mcap file, it holds {len(files)}")
    return files[0]


def _write_error(folder: Path, error: OSError) -> BagWriteError:
    return BagWriteError(f"Cannot write the bag {folder.name}: {error}. {free_space(folder)}")


def free_space(folder: Path) -> str:
    """Say in one sentence how much room the disk of ``folder`` has."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError as error:
        return f"The disk does not answer: {error}."
    return f"The disk of {folder} has {usage.free} bytes free of {usage.total}."
