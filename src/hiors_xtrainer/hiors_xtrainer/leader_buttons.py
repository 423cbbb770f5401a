# SPDX-License-Identifier: Apache-2.0
"""The button board of a leader arm: its answers, and what a press means. Knows no port."""

from dataclasses import dataclass
from enum import Enum, auto

from hiors_core.clock import to_s

QUERY = b"\xaa\x55\xaa"
SHORT, LONG = 0.5, 1.0
"""A press below the first is short, one above the second is long [s]; between them is neither."""

SILENCE = 0.25
"""Time without an answer after which what is down does not count as pressed [s]."""


@dataclass(frozen=True, slots=True)
class Buttons:
    """Which buttons are down."""

    a: bool
    b: bool


class Gesture(Enum):
    """What a person asked for with the buttons."""

    LOCK = auto()
    """A short press of A: hold the leader where it is, or let it go."""
    FOLLOW = auto()
    """A long press of A: the follower follows, or ends to."""
    RECORD = auto()
    """A short press of B: begin an episode, or end it as a success."""
    FAIL = auto()
    """A long press of B: end the episode as a failure."""


def read_buttons(answer: bytes, size: int) -> Buttons | None:
    """Read an answer of ``size`` bytes, 2 or 4: each byte is followed by its inverse, a half byte
    of 1 is a released button. None when it is no answer.
    """
    if len(answer) != size:
        return None
    pairs = zip(answer[::2], answer[1::2], strict=True)
    if any(byte ^ 0xFF != inverse for byte, inverse in pairs):
        return None
    a, b = answer[0] >> 4, answer[0] & 0x0F
    if a > 1 or b > 1:
        return None
    return Buttons(a == 0, b == 0)


class _Press:
    """One button over time. A button that is down from the beginning does not count."""

    def __init__(self, short: Gesture, long: Gesture) -> None:
        self._short, self._long = short, long
        self._since: int | None = None
        self._armed = False

    def update(self, down: bool, now: int) -> Gesture | None:
        """Take the state at ``now`` [ns]; a long press counts as soon as it is long enough."""
        held = to_s(now - self._since) if self._since is not None else 0.0
        if not down:
            done = self._since is not None and self._armed and held < SHORT
            self._since, self._armed = None, True
            return self._short if done else None
        if not self._armed:
            return None
        if self._since is None:
            self._since = now
        elif held >= LONG:
            self._since, self._armed = None, False
            return self._long
        return None

    def forget(self) -> None:
        """Take whatever is down now as not pressed."""
        self._since, self._armed = None, False


class Gestures:
    """Turns the board's states into gestures."""

    def __init__(self) -> None:
        self._heard = 0
        self._presses = (
            _Press(Gesture.LOCK, Gesture.FOLLOW),
            _Press(Gesture.RECORD, Gesture.FAIL),
        )

    def update(self, buttons: Buttons | None, now: int) -> list[Gesture]:
        """Take the buttons at ``now`` [ns], None when the board did not answer."""
        if buttons is None:
            # A serial bus loses an answer now and then; a press outlives that.
            if to_s(now - self._heard) > SILENCE:
                for press in self._presses:
                    press.forget()
            return []
        self._heard = now
        states = (buttons.a, buttons.b)
        found = [p.update(s, now) for p, s in zip(self._presses, states, strict=True)]
        return [gesture for gesture in found if gesture]
