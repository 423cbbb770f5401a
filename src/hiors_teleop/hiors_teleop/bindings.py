# SPDX-License-Identifier: Apache-2.0
"""What a button, an axis or a key means, read from parameters such as ``success=0``."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from hiors_core.errors import InvalidValue, UnknownName


class Action(Enum):
    """What a person can ask for."""

    DEADMAN = "deadman"
    TAKE_OVER = "take_over"
    HAND_BACK = "hand_back"
    TOGGLE = "toggle"
    HOLD = "hold"
    HOME = "home"
    STOP = "stop"
    RESUME = "resume"
    SUCCESS = "success"
    FAILURE = "failure"
    DISCARD = "discard"
    UNDO = "undo"
    GRIPPER = "gripper"
    OPEN = "open"
    CLOSE = "close"
    NEXT_ARM = "next_arm"


AXES = ("x", "y", "z", "rx", "ry", "rz")
"""Translation along and rotation about the axes of the arm's base frame (REP-103)."""


@dataclass(frozen=True, slots=True)
class AxisBinding:
    """Which of AXES a device's axis moves, and in which sense (+1 or -1)."""

    target: int
    source: int
    sign: int


def read_buttons(parameter: str, items: Iterable[str]) -> dict[int, Action]:
    """Read ``action=index`` items; two actions on one button are refused."""
    found: dict[int, Action] = {}
    for item in items:
        name, text = _split(parameter, item)
        index = _index(parameter, item, text)
        action = _action(parameter, name)
        if index in found:
            raise InvalidValue(
                f"Parameter '{parameter}': button {index} is both {found[index].value} and {name}."
            )
        found[index] = action
    return found


def read_keys(parameter: str, items: Iterable[str]) -> dict[str, Action]:
    """Read ``action=key`` items; a key is one character or a name such as space."""
    found: dict[str, Action] = {}
    for item in items:
        name, key = _split(parameter, item)
        action = _action(parameter, name)
        if key in found:
            raise InvalidValue(
                f"Parameter '{parameter}': key '{key}' is both {found[key].value} and {name}."
            )
        found[key] = action
    return found


def read_axes(parameter: str, items: Iterable[str]) -> tuple[AxisBinding, ...]:
    """Read ``target=+source`` or ``target=-source`` items."""
    found = []
    for item in items:
        name, text = _split(parameter, item)
        if name not in AXES:
            raise UnknownName(f"axis in parameter '{parameter}'", name, AXES)
        if text[:1] not in "+-" or not text:
            raise InvalidValue(
                f"Parameter '{parameter}': '{item}' needs a sign before the index, like x=+1."
            )
        source = _index(parameter, item, text[1:])
        found.append(AxisBinding(AXES.index(name), source, -1 if text[0] == "-" else 1))
    return tuple(found)


def _split(parameter: str, item: str) -> tuple[str, str]:
    name, sign, text = item.partition("=")
    if not sign or not text:
        raise InvalidValue(f"Parameter '{parameter}': '{item}' must be written name=value.")
    return name.strip(), text.strip()


def _action(parameter: str, name: str) -> Action:
    try:
        return Action(name)
    except ValueError:
        known = [action.value for action in Action]
        raise UnknownName(f"action in parameter '{parameter}'", name, known) from None


def _index(parameter: str, item: str, text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise InvalidValue(
            f"Parameter '{parameter}': '{item}' must end in a whole number from 0, got '{text}'."
        )
    return int(text)
