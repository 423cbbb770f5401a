# SPDX-License-Identifier: Apache-2.0
"""The text of the Dobot V3 protocol as a controller reads and answers it. Knows no robot and no
socket.

Request ``Name(p1,p2,key=value)``; reply ``ErrorID,{v1,...},Name(p1,...);``. Lengths in mm, angles
in degrees.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

OK = 0
FAILED = -1
NO_SUCH_COMMAND = -10000
PARAMETER_COUNT = -20000
PARAMETER_TYPE = -30000
PARAMETER_RANGE = -40000


class Port(Enum):
    """Where a command arrives."""

    DASHBOARD = "dashboard"
    MOTION = "motion"


class Refusal(Exception):
    """The command is answered with this error id."""

    def __init__(self, error_id: int) -> None:
        super().__init__(str(error_id))
        self.error_id = error_id


@dataclass(frozen=True, slots=True)
class Request:
    """One parsed command; ``text`` is what was received and is echoed."""

    name: str
    args: tuple[str, ...]
    options: Mapping[str, str]
    text: str

    def count(self, *allowed: int) -> None:
        """Refuse another number of positional parameters."""
        if len(self.args) not in allowed:
            raise Refusal(PARAMETER_COUNT)

    def number(self, index: int, low: float = -math.inf, high: float = math.inf) -> float:
        """Return positional parameter ``index`` (from 0), within the range."""
        return _number(self.args[index], index + 1, low, high)

    def integer(self, index: int, low: int, high: int) -> int:
        """Return positional parameter ``index`` as a whole number within the range."""
        value = self.number(index, low, high)
        if value != int(value):
            raise Refusal(PARAMETER_TYPE - index - 1)
        return int(value)

    def numbers(self, start: int, count: int) -> list[float]:
        """Return ``count`` positional parameters from ``start`` on."""
        return [self.number(i) for i in range(start, start + count)]

    def tuple(self, index: int, count: int) -> list[float]:
        """Return a parameter that is written ``{a,b,...}``."""
        return _numbers(self.args[index], index + 1, count)

    def tuple_option(self, key: str, count: int) -> list[float]:
        """Return a parameter that is written ``key={a,b,...}`` and must be there."""
        position = len(self.args) + 1 + list(self.options).index(key)
        return _numbers(self.options[key], position, count)

    def option(self, key: str, default: float, low: float, high: float) -> float:
        """Return a ``key=value`` parameter (the key in any case), or the default."""
        for position, (name, text) in enumerate(self.options.items(), len(self.args) + 1):
            if name == key.lower():
                return _number(text, position, low, high)
        return default

    def only(self, *keys: str) -> None:
        """Refuse options that the command does not have."""
        allowed = {key.lower() for key in keys}
        for position, name in enumerate(self.options, len(self.args) + 1):
            if name not in allowed:
                raise Refusal(PARAMETER_TYPE - position)


def parse(text: str) -> Request:
    """Read one request; Refusal when it is not one."""
    text = text.strip()
    name, bracket, rest = text.partition("(")
    if not bracket or not rest.endswith(")") or not name.strip().isalnum():
        raise Refusal(NO_SUCH_COMMAND)
    args: list[str] = []
    options: dict[str, str] = {}
    for part in _split(rest[:-1]):
        key, equals, value = part.partition("=")
        if equals:
            options[key.strip().lower()] = value.strip()
        else:
            args.append(part)
    return Request(name.strip().lower(), tuple(args), options, text)


def reply(error_id: int, value: str, text: str) -> str:
    """Compose the answer to the request ``text``."""
    return f"{error_id},{{{value}}},{text};"


def values(numbers: "list[float]") -> str:
    """Write numbers as the controller does."""
    return ",".join(f"{number:.6f}" for number in numbers)


class RequestSplitter:
    """Cuts a byte stream into requests: each ends with ``)``."""

    def __init__(self, limit: int = 4096) -> None:
        self._rest = ""
        self._limit = limit

    def feed(self, data: bytes) -> list[str]:
        """Take bytes as they arrive and return the requests that are complete."""
        self._rest += data.decode("ascii", errors="replace")
        *whole, self._rest = self._rest.split(")")
        self._rest = self._rest[-self._limit :]
        return [f"{text.strip()})" for text in whole]


def _split(text: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for i, char in enumerate(text):
        depth += (char == "{") - (char == "}")
        if char == "," and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
    tail = text[start:].strip()
    return [*parts, tail] if parts or tail else []


def _numbers(text: str, position: int, count: int) -> list[float]:
    if not (text.startswith("{") and text.endswith("}")):
        raise Refusal(PARAMETER_TYPE - position)
    parts = _split(text[1:-1])
    if len(parts) != count:
        raise Refusal(PARAMETER_COUNT)
    return [_number(part, position, -math.inf, math.inf) for part in parts]


def _number(text: str, position: int, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        raise Refusal(PARAMETER_TYPE - position) from None
    if not math.isfinite(value):
        raise Refusal(PARAMETER_TYPE - position)
    if not low <= value <= high:
        raise Refusal(PARAMETER_RANGE - position)
    return value
