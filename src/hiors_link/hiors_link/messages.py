# SPDX-License-Identifier: Apache-2.0
"""What goes over the wire: a msgpack header of a strict schema, for some kinds one frame of data.

Every field of a kind must be there, nothing else may be. Knows no socket and no file.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgpack

from hiors_core.errors import HiorsError, InvalidValue, UnknownName
from hiors_core.names import check_episode_id, check_version

FORMAT = 1
"""Version of the protocol; both sides must have the same."""
MAX_HEADER = 64 * 1024
"""Bytes of a header."""
MAX_DATA = 2 * 1024 * 1024
"""Bytes of a frame of data; a larger one is refused."""
MAX_FRAME = 2 * MAX_DATA
"""Bytes of a frame that is read at all; a larger one ends the connection before it is read."""
MAX_FILES = 16
"""Files of an episode or a checkpoint."""
MAX_ENTRIES = 100
"""Episodes in one list of a message."""
WITH_DATA = ("part", "chunk")
"""Kinds that carry a frame of data."""

_ACTOR = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,31}")
_FILE = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.-]{0,95}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class _Field:
    """What a value must be, in words and as a test."""

    expected: str
    fits: Callable[[Any], bool]


def _matches(pattern: "re.Pattern[str]") -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _accepts(check: Callable[[str], object]) -> Callable[[Any], bool]:
    def fits(value: Any) -> bool:
        try:
            check(value)
        except HiorsError:
            return False
        return True

    return fits


def _whole(most: int) -> _Field:
    return _Field(
        f"a whole number within 0 .. {most}",
        lambda value: type(value) is int and 0 <= value <= most,
    )


def _text(most: int) -> _Field:
    return _Field(
        f"a text of at most {most} characters",
        lambda value: isinstance(value, str) and len(value) <= most,
    )


def _rows(most: int, *columns: _Field) -> _Field:
    def fits(value: Any) -> bool:
        return (
            isinstance(value, list)
            and len(value) <= most
            and all(
                isinstance(row, list)
                and len(row) == len(columns)
                and all(column.fits(cell) for column, cell in zip(columns, row, strict=True))
                for row in value
            )
        )

    return _Field(f"a list of at most {most} [{', '.join(c.expected for c in columns)}]", fits)


_BYTES = _whole(1 << 48)
_COUNT = _whole(1 << 48)
_NAME = _Field("a name of 1 to 32 letters, digits, '_' or '-'", _matches(_ACTOR))
_EPISODE = _Field("an episode id", _accepts(check_episode_id))
_HASH = _Field("a SHA-256 in hexadecimal", _matches(_SHA256))
_PLAIN = _Field("a file name without folders", _matches(_FILE))
_VERSION = _Field("a checkpoint version", _accepts(check_version))
_NO_VERSION = _Field("a version or ''", lambda value: value == "" or _VERSION.fits(value))
_FLAG = _Field("true or false", lambda value: isinstance(value, bool))
_FILES = _rows(MAX_FILES, _PLAIN, _whole(1 << 44))
_SPEAKS = _Field(f"{FORMAT}, the same on both sides: update the older", lambda v: v == FORMAT)

FROM_ACTOR: Mapping[str, Mapping[str, _Field]] = {
    "poll": {"format": _SPEAKS, "actor": _NAME, "ledger": _COUNT},
    "offer": {
        "actor": _NAME,
        "episode_id": _EPISODE,
        "sha256": _HASH,
        "task": _text(64),
        "files": _FILES,
    },
    "part": {"actor": _NAME, "episode_id": _EPISODE, "offset": _BYTES},
    "fetch": {"actor": _NAME, "version": _VERSION, "offset": _BYTES, "size": _whole(MAX_DATA)},
}
"""What a robot sends.

poll: what is new? ``ledger`` is the number of its own entries that it knows. offer: an accepted
episode, ``sha256`` is that of manifest.json. part: bytes of it. fetch: bytes of a checkpoint.
"""
FROM_LEARNER: Mapping[str, Mapping[str, _Field]] = {
    "state": {
        "format": _SPEAKS,
        "instance": _text(32),
        "run": _text(32),
        "status": _text(32 * 1024),
        "age_ms": _COUNT,
        "ledger": _COUNT,
        "entries": _rows(MAX_ENTRIES, _EPISODE, _HASH, _COUNT),
        "refused": _rows(MAX_ENTRIES, _EPISODE, _text(400)),
        "version": _NO_VERSION,
        "sha256": _text(64),
        "files": _FILES,
    },
    "resume": {"episode_id": _EPISODE, "offset": _BYTES},
    "got": {"episode_id": _EPISODE, "offset": _BYTES},
    "stored": {"episode_id": _EPISODE, "sha256": _HASH},
    "refused": {"episode_id": _EPISODE, "reason": _text(1000), "again": _FLAG},
    "chunk": {"version": _VERSION, "offset": _BYTES},
    "gone": {"version": _VERSION, "reason": _text(1000)},
    "error": {"reason": _text(1000)},
}
"""What the learner answers.

state: status.json with its age, entries of the ledger from number ``ledger`` on, refusals, newest
checkpoint. resume: send the episode from ``offset`` on. got: bytes up to ``offset`` arrived.
stored: the episode is on the disk. refused: ``again`` when a later offer may succeed.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message that fits its schema."""

    kind: str
    fields: Mapping[str, Any]
    data: memoryview | None = None

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]


def make(kind: str, **fields: Any) -> bytes:
    """Return the header of a message; InvalidValue when it does not fit the schema."""
    schema = FROM_ACTOR.get(kind) or FROM_LEARNER[kind]
    _check(kind, fields, schema)
    packed: bytes = msgpack.packb([kind, fields])
    if len(packed) > MAX_HEADER:
        raise InvalidValue(f"The header of '{kind}' has {len(packed)} bytes, {MAX_HEADER} fit")
    return packed


def read(
    frames: "list[memoryview] | list[bytes]", schemas: Mapping[str, Mapping[str, _Field]]
) -> Message:
    """Return the message in the frames, or raise InvalidValue or UnknownName."""
    if not 1 <= len(frames) <= 2:
        raise InvalidValue(f"A message has 1 or 2 frames, this one has {len(frames)}")
    kind, fields = _header(frames[0])
    if kind not in schemas:
        raise UnknownName("kind of message", kind[:_SHOWN], schemas)
    _check(kind, fields, schemas[kind])
    data = memoryview(frames[1]) if len(frames) == 2 else None
    if (data is not None) != (kind in WITH_DATA):
        raise InvalidValue(f"'{kind}' comes {'with' if data is None else 'without'} data")
    if data is not None and not 1 <= len(data) <= MAX_DATA:
        raise InvalidValue(f"data must have 1 .. {MAX_DATA} bytes, got {len(data)}")
    return Message(kind=kind, fields=fields, data=data)


def _header(frame: memoryview | bytes) -> tuple[str, dict[str, Any]]:
    if len(frame) > MAX_HEADER:
        raise InvalidValue(f"A header has at most {MAX_HEADER} bytes, this one {len(frame)}")
    try:
        content = msgpack.unpackb(frame, strict_map_key=True)
    except (ValueError, msgpack.UnpackException, RecursionError) as error:
        raise InvalidValue(f"The header is not msgpack: {_shown(error)}") from error
    match content:
        case [str(kind), dict(fields)]:
            return kind, fields
    raise InvalidValue(f"A header is [kind, fields], got {_shown(content)}")


def _check(kind: str, fields: Mapping[str, Any], schema: Mapping[str, _Field]) -> None:
    if fields.keys() != schema.keys():
        raise InvalidValue(
            f"'{kind}' has the fields {', '.join(schema)}; got {_shown(list(fields))}"
        )
    for name, field in schema.items():
        if not field.fits(fields[name]):
            raise InvalidValue(
                f"{kind}.{name} must be {field.expected}, got {_shown(fields[name])}"
            )


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
