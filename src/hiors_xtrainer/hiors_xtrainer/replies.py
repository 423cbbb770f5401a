# SPDX-License-Identifier: Apache-2.0
"""Replies of the Dobot V3 protocol as a client reads them. Knows no socket.

A reply is ``ErrorID,{values},Name(parameters);``. TCP may split or merge replies, so they are
framed on the ``;`` outside braces.
"""

import re
from dataclasses import dataclass

from hiors_core.errors import HiorsError

_REPLY = re.compile(r"(-?\d+)\s*,\s*\{(.*)\}\s*,\s*([A-Za-z0-9]+\(.*\))$", re.DOTALL)

NO_SUCH_COMMAND = -10000
_MEANINGS = {
    NO_SUCH_COMMAND: "the arm does not know the command",
    -20000: "wrong number of parameters",
    -2: "the arm is in alarm: clear the error first",
    -3: "the emergency stop is on",
    -4: "the arm is powered off",
    -5: "a script is running",
    -6: "the axis does not fit the kind of motion",
    -7: "a script is paused",
    -8: "the controller's licence does not allow it",
}


class LinkLost(HiorsError):
    """The connection to a device is gone, silent or makes no sense."""


class CommandRefused(HiorsError):
    """The device answered with an error id."""

    def __init__(self, message: str, error_id: int = -1) -> None:
        super().__init__(message)
        self.error_id = error_id


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: its error id, the text between the braces, and the echoed command."""

    error_id: int
    value: str
    echo: str

    @property
    def name(self) -> str:
        """Name of the echoed command in small letters."""
        return self.echo.partition("(")[0].lower()

    @property
    def numbers(self) -> list[float]:
        """The values as numbers."""
        try:
            return [float(v) for v in self.value.split(",")] if self.value.strip() else []
        except ValueError as error:
            raise LinkLost(f"The arm answered {self.value!r} where numbers belong") from error


class ReplyParser:
    """Cuts a byte stream into replies; what is no reply is counted and skipped."""

    def __init__(self, limit: int = 65536) -> None:
        self._text = ""
        self._limit = limit
        self.skipped = 0

    def feed(self, data: bytes) -> list[Reply]:
        """Take bytes as they arrive and return the replies that are complete."""
        self._text += data.decode("ascii", errors="replace")
        replies = []
        while (end := self._end()) is not None:
            frame, self._text = self._text[:end].strip(), self._text[end + 1 :]
            if match := _REPLY.search(frame):
                replies.append(Reply(int(match[1]), match[2], match[3]))
            elif frame:
                self.skipped += 1
        if len(self._text) > self._limit:
            self._text = ""
            self.skipped += 1
        return replies

    def _end(self) -> int | None:
        depth = 0
        for i, char in enumerate(self._text):
            if char == "{":
                depth += 1
            elif char == "}":
                depth = max(0, depth - 1)
            elif char == ";" and depth == 0:
                return i
        # An unmatched brace in noise must not swallow the replies behind it.
        if depth and self._text.count(";") > 1:
            return self._text.index(";")
        return None


def explain(error_id: int) -> str:
    """Say what a generic error id means."""
    if error_id in _MEANINGS:
        return _MEANINGS[error_id]
    for base, what in ((-30000, "type"), (-40000, "range"), (-50000, "type"), (-60000, "range")):
        if base - 100 < error_id < base + 1:
            return f"parameter {base - error_id}: wrong {what}"
    return "the arm could not carry it out"
