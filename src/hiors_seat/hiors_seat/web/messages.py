# SPDX-License-Identifier: Apache-2.0
"""Strict JSON in, checked values out: what every page of hiors may say. Knows no connection.

Every field is required, unknown fields are refused, numbers are finite and bounded.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from hiors_core.errors import InvalidValue, UnknownName
from hiors_seat.actions import Action

_NAME = re.compile(r"\w[\w .'-]{0,39}")

Fields = dict[str, Any]
Readers = Mapping[str, Callable[[Fields], Any]]
"""Makes a value of a message's fields, by its type 't'."""


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
class Press:
    """A button of the page."""

    action: Action


def parse(text: str, readers: Readers, max_bytes: int) -> Any:
    """Return the checked message, or raise InvalidValue with what is wrong."""
    if len(text) > max_bytes:
        raise InvalidValue(f"A message has at most {max_bytes} bytes, got {len(text)}")
    try:
        data = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidValue(f"Not JSON: {str(error)[:80]}") from error
    if not isinstance(data, dict) or not isinstance(data.get("t"), str):
        raise InvalidValue("A message is an object with a string 't'")
    reader = readers.get(data["t"])
    if reader is None:
        raise UnknownName("message type", data["t"][:20], readers)
    return reader(data)


def keys(data: Fields, wanted: str, where: str = "message") -> None:
    """Refuse an object that has not exactly these fields (names between spaces)."""
    names = set(wanted.split())
    if missing := names - set(data):
        raise InvalidValue(f"{where} lacks {', '.join(sorted(missing))}")
    if unknown := set(data) - names:
        raise UnknownName(f"field of {where}", min(unknown)[:20], names)


def number(value: Any, where: str, low: float, high: float) -> float:
    """Return a number within the bounds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidValue(f"{where} must be a number")
    # Comparing first: an integer too long for a float, and 1e999, end here.
    if not low <= value <= high:
        raise InvalidValue(f"{where} must be within {low:g} .. {high:g}")
    return float(value)


def numbers(value: Any, where: str, low: float, high: float, most: int) -> list[float]:
    """Return a list of at most ``most`` numbers within the bounds."""
    if not isinstance(value, list) or len(value) > most:
        raise InvalidValue(f"{where} must be a list of at most {most} numbers")
    return [number(v, where, low, high) for v in value]


def flag(value: Any, where: str) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise InvalidValue(f"{where} must be true or false")
    return value


def word(value: Any, where: str, longest: int = 64) -> str:
    """Return a short printable text."""
    if not isinstance(value, str) or len(value) > longest or not value.isprintable():
        raise InvalidValue(f"{where} must be at most {longest} printable characters")
    return value


def action_of(value: Any) -> Action:
    """Return the action of that name."""
    try:
        return Action(value)
    except ValueError as error:
        raise InvalidValue(f"action must be one of {', '.join(Action)}") from error


def _hello(data: Fields) -> Hello:
    keys(data, "t token")
    token = data["token"]
    if not isinstance(token, str) or len(token) > 128 or not token.isascii():
        raise InvalidValue("token must be a string of at most 128 ASCII characters")
    return Hello(token)


def _claim(data: Fields) -> Claim:
    keys(data, "t name")
    name = data["name"]
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidValue("name must be 1 to 40 letters, digits, spaces or . ' - _")
    return Claim(name.strip())


def _leave(data: Fields) -> Leave:
    keys(data, "t")
    return Leave()


def _press(data: Fields) -> Press:
    keys(data, "t action")
    return Press(action_of(data["action"]))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not allowed")


READERS: Readers = {"hello": _hello, "claim": _claim, "leave": _leave, "press": _press}
"""The messages that every page knows."""
