# SPDX-License-Identifier: Apache-2.0
"""The messages of the socket: strict JSON in, checked values out. Knows no connection.

Every field is required, unknown fields are refused, numbers are finite and bounded, quaternions
are unit.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from hiors_core.errors import InvalidValue, UnknownName
from hiors_quest.values import HANDS, Action, Array, Frame, Hand

MAX_BYTES = 4096
"""The longest message that a client may send [bytes]; a frame has about 800."""

_NAME = re.compile(r"\w[\w .'-]{0,39}")
_BUTTONS = frozenset({"a", "b", "x", "y", "stick"})
_FAR = 100.0
_UNIT = 1e-2
_COUNT = 2.0**53


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message: the token that opens the door."""

    token: str


@dataclass(frozen=True, slots=True)
class Claim:
    """Asks to become the operator, under this name."""

    name: str


@dataclass(frozen=True, slots=True)
class Leave:
    """The operator lets go of the role."""


@dataclass(frozen=True, slots=True)
class End:
    """The XR session is over."""


@dataclass(frozen=True, slots=True)
class Press:
    """A button of the page."""

    action: Action


Message = Hello | Claim | Leave | End | Press | Frame


def parse(text: str) -> Message:
    """Return the checked message, or raise InvalidValue with what is wrong."""
    if len(text) > MAX_BYTES:
        raise InvalidValue(f"A message has at most {MAX_BYTES} bytes, got {len(text)}")
    try:
        data = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidValue(f"Not JSON: {str(error)[:80]}") from error
    if not isinstance(data, dict) or not isinstance(data.get("t"), str):
        raise InvalidValue("A message is an object with a string 't'")
    reader = _READERS.get(data["t"])
    if reader is None:
        raise UnknownName("message type", data["t"][:20], _READERS)
    return reader(data)


def _hello(data: dict[str, Any]) -> Hello:
    _keys(data, "t token")
    token = data["token"]
    if not isinstance(token, str) or len(token) > 128 or not token.isascii():
        raise InvalidValue("token must be a string of at most 128 ASCII characters")
    return Hello(token)


def _claim(data: dict[str, Any]) -> Claim:
    _keys(data, "t name")
    name = data["name"]
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidValue("name must be 1 to 40 letters, digits, spaces or . ' - _")
    return Claim(name.strip())


def _leave(data: dict[str, Any]) -> Leave:
    _keys(data, "t")
    return Leave()


def _end(data: dict[str, Any]) -> End:
    _keys(data, "t")
    return End()


def _press(data: dict[str, Any]) -> Press:
    _keys(data, "t action")
    try:
        return Press(Action(data["action"]))
    except ValueError as error:
        raise InvalidValue(f"action must be one of {', '.join(Action)}") from error


def _frame(data: dict[str, Any]) -> Frame:
    _keys(data, "t n time visible head left right")
    left, right = (_hand(data[name], name) for name in HANDS)
    head = data["head"]
    return Frame(
        sequence=int(_number(data["n"], "n", 0.0, _COUNT)),
        time=_number(data["time"], "time", 0.0, _COUNT),
        visible=_flag(data["visible"], "visible"),
        head=None if head is None else _quaternion(_vector(head, 4, "head"), "head"),
        left=left,
        right=right,
    )


def _hand(data: Any, where: str) -> Hand | None:
    if data is None:
        return None
    if not isinstance(data, dict):
        raise InvalidValue(f"{where} must be an object or null")
    _keys(data, "pose emulated trigger squeeze buttons", where)
    pose = _vector(data["pose"], 7, f"{where}.pose")
    if np.abs(pose[:3]).max() > _FAR:
        raise InvalidValue(f"{where}.pose must be within {_FAR:.0f} m of the origin")
    pose[3:] = _quaternion(pose[3:], f"{where}.pose")
    pose.setflags(write=False)
    return Hand(
        pose=pose,
        emulated=_flag(data["emulated"], f"{where}.emulated"),
        trigger=_number(data["trigger"], f"{where}.trigger", 0.0, 1.0),
        squeeze=_number(data["squeeze"], f"{where}.squeeze", 0.0, 1.0),
        buttons=_buttons(data["buttons"], f"{where}.buttons"),
    )


def _buttons(value: Any, where: str) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(b, str) for b in value):
        raise InvalidValue(f"{where} must be a list of strings")
    if unknown := set(value) - _BUTTONS:
        raise UnknownName(where, min(unknown)[:20], _BUTTONS)
    return frozenset(value)


def _keys(data: dict[str, Any], wanted: str, where: str = "message") -> None:
    names = set(wanted.split())
    if missing := names - set(data):
        raise InvalidValue(f"{where} lacks {', '.join(sorted(missing))}")
    if unknown := set(data) - names:
        raise UnknownName(f"field of {where}", min(unknown)[:20], names)


def _vector(value: Any, size: int, where: str) -> Array:
    if not isinstance(value, list) or len(value) != size:
        raise InvalidValue(f"{where} must be a list of {size} numbers")
    return np.array([_number(v, where, -_COUNT, _COUNT) for v in value])


def _quaternion(quat: Array, where: str) -> Array:
    norm = float(np.linalg.norm(quat))
    if abs(norm - 1.0) > _UNIT:
        raise InvalidValue(f"{where} must hold a unit quaternion, its length is {norm:.3g}")
    return quat / norm


def _number(value: Any, where: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidValue(f"{where} must be a number")
    # Comparing first: an integer too long for a float, and 1e999, end here.
    if not low <= value <= high:
        raise InvalidValue(f"{where} must be within {low:g} .. {high:g}")
    return float(value)


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidValue(f"{where} must be true or false")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not allowed")


_READERS = {
    "hello": _hello,
    "claim": _claim,
    "leave": _leave,
    "end": _end,
    "press": _press,
    "frame": _frame,
}
