# SPDX-License-Identifier: Apache-2.0
"""ROS 2 messages without ROS: their definitions, type hashes and CDR bytes.

The definitions are those of Jazzy and of the package hiors_interfaces. Knows nothing of bags and
topics.
"""

import dataclasses
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from rosbags.interfaces import Nodetype
from rosbags.serde import SerdeError
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from hiors_core.errors import IntegrityError, InvalidValue, UnknownName

MAX_SEQUENCE = 64 * 1024 * 1024
"""Longest sequence [elements] that decode accepts."""


@cache
def typestore() -> Typestore:
    """Return the store of all message definitions, made once."""
    store = get_typestore(Stores.ROS2_JAZZY)
    store.max_sequence_length = MAX_SEQUENCE
    own: dict[str, Any] = {}
    for entry in sorted(files("hiors_core").joinpath("msg").iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".msg"):
            name = f"hiors_interfaces/msg/{entry.name.removesuffix('.msg')}"
            own.update(get_types_from_msg(entry.read_text(encoding="utf-8"), name))
    if not own:
        raise IntegrityError(
            "hiors_core/msg holds no message definitions:"
            " install hiors_core again from a whole checkout"
        )
    store.register(own)
    return store


@cache
def definition(type_name: str) -> str:
    """Return the full definition text of a message (ros2msg), its parts appended."""
    _check_type(type_name)
    return str(typestore().generate_msgdef(type_name, ros_version=2)[0])


@cache
def type_hash(type_name: str) -> str:
    """Return the RIHS01 hash of a message type, as ROS 2 computes it."""
    _check_type(type_name)
    return str(typestore().hash_rihs01(type_name))


def make(type_name: str, **fields: Any) -> Any:
    """Make a message; fields not given get zero, empty or a default message.

    Nested messages may be given as mappings, arrays as any sequence of numbers.
    """
    shape = _shape(type_name)
    for name in fields:
        if name not in shape.casts:
            raise UnknownName("field", name, shape.casts, f"In {type_name}.")
    values = {
        name: convert(fields[name]) if name in fields else convert(None)
        for name, convert in shape.casts.items()
    }
    return shape.cls(**values)


def encode(type_name: str, message: Any) -> bytes:
    """Return the message as little-endian CDR, as rclpy serialises it."""
    _check_type(type_name)
    try:
        return bytes(typestore().serialize_cdr(message, type_name))
    except (AttributeError, TypeError, ValueError, SerdeError) as error:
        raise InvalidValue(f"Cannot encode a {type_name}: {error}") from error


def decode(type_name: str, data: bytes | memoryview) -> Any:
    """Return the message in ``data`` (CDR from rclpy, this module or any ROS 2 node)."""
    _check_type(type_name)
    try:
        return typestore().deserialize_cdr(data, type_name)
    except (SerdeError, IndexError, AssertionError, OverflowError, MemoryError) as error:
        raise IntegrityError(f"Not a {type_name}: {error}") from error


def prepare(*type_names: str) -> None:
    """Generate the code of these types now, so that their first message is not a late one."""
    for name in type_names:
        decode(name, encode(name, make(name)))
        definition(name)
        type_hash(name)


@dataclasses.dataclass(frozen=True, slots=True)
class _Shape:
    cls: type
    casts: Mapping[str, Callable[[Any], Any]]


@cache
def _shape(type_name: str) -> _Shape:
    _check_type(type_name)
    store = typestore()
    _, fields = store.fielddefs[type_name]
    casts = {name: _cast(description) for name, description in fields}
    return _Shape(store.types[type_name], casts)


def _cast(description: Any) -> Callable[[Any], Any]:
    kind, detail = description
    if kind == Nodetype.BASE:
        return _scalar(detail[0])
    if kind == Nodetype.NAME:
        return lambda value: _nested(detail, value)
    (item_kind, item), count = detail
    if item_kind == Nodetype.NAME:
        return lambda value: [_nested(item, v) for v in ([] if value is None else value)]
    if item[0] == "string":
        return lambda value: [str(v) for v in ([] if value is None else value)]
    dtype = np.dtype(_DTYPES.get(item[0], item[0]))
    length = count if kind == Nodetype.ARRAY else 0
    return lambda value: _array(value, dtype, length)


_DTYPES = {"byte": "uint8", "char": "uint8", "octet": "uint8"}


def _scalar(name: str) -> Callable[[Any], Any]:
    cast: type = str if name == "string" else bool if name == "bool" else int
    if name.startswith("float"):
        cast = float
    return lambda value: cast() if value is None else cast(value)


def _array(value: Any, dtype: "np.dtype[Any]", length: int) -> Any:
    if value is None:
        return np.zeros(length, dtype)
    if isinstance(value, bytes | bytearray | memoryview):
        return np.frombuffer(value, dtype)
    return np.ascontiguousarray(value, dtype).reshape(-1)


def _nested(type_name: str, value: Any) -> Any:
    if value is None:
        return make(type_name)
    return make(type_name, **value) if isinstance(value, Mapping) else value


def _check_type(type_name: str) -> None:
    known = typestore().fielddefs
    if type_name not in known:
        package = f"{type_name.split('/', 1)[0]}/"
        near = [n for n in known if n.startswith((package, "hiors_interfaces/"))]
        raise UnknownName("message type", type_name, near, "Write it as package/msg/Name.")
