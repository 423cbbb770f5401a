# SPDX-License-Identifier: Apache-2.0
"""The messages of a headset's page beside those of every page. Knows no connection.

Every field is required, unknown fields are refused, numbers are finite and bounded, quaternions
are unit.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from hiors_core.errors import InvalidValue, UnknownName
from hiors_quest.values import HANDS, Array, Frame, Hand
from hiors_seat.web import messages
from hiors_seat.web.messages import flag, keys, number

MAX_BYTES = 4096
"""The longest message that a client may send [bytes]; a frame has about 800."""

_BUTTONS = frozenset({"a", "b", "x", "y", "stick"})
_FAR = 100.0
_UNIT = 1e-2
_COUNT = 2.0**53


@dataclass(frozen=True, slots=True)
class End:
    """The XR session is over."""


def parse(text: str) -> Any:
    """Return the checked message, or raise InvalidValue with what is wrong."""
    return messages.parse(text, READERS, MAX_BYTES)


def _end(data: dict[str, Any]) -> End:
    keys(data, "t")
    return End()


def _frame(data: dict[str, Any]) -> Frame:
    keys(data, "t n time visible head left right")
    left, right = (_hand(data[name], name) for name in HANDS)
    head = data["head"]
    return Frame(
        sequence=int(number(data["n"], "n", 0.0, _COUNT)),
        time=number(data["time"], "time", 0.0, _COUNT),
        visible=flag(data["visible"], "visible"),
        head=None if head is None else _quaternion(_vector(head, 4, "head"), "head"),
        left=left,
        right=right,
    )


def _hand(data: Any, where: str) -> Hand | None:
    if data is None:
        return None
    if not isinstance(data, dict):
        raise InvalidValue(f"{where} must be an object or null")
    keys(data, "pose emulated trigger squeeze buttons", where)
    pose = _vector(data["pose"], 7, f"{where}.pose")
    if np.abs(pose[:3]).max() > _FAR:
        raise InvalidValue(f"{where}.pose must be within {_FAR:.0f} m of the origin")
    pose[3:] = _quaternion(pose[3:], f"{where}.pose")
    pose.setflags(write=False)
    return Hand(
        pose=pose,
        emulated=flag(data["emulated"], f"{where}.emulated"),
        trigger=number(data["trigger"], f"{where}.trigger", 0.0, 1.0),
        squeeze=number(data["squeeze"], f"{where}.squeeze", 0.0, 1.0),
        buttons=_buttons(data["buttons"], f"{where}.buttons"),
    )


def _buttons(value: Any, where: str) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(b, str) for b in value):
        raise InvalidValue(f"{where} must be a list of strings")
    if unknown := set(value) - _BUTTONS:
        raise UnknownName(where, min(unknown)[:20], _BUTTONS)
    return frozenset(value)


def _vector(value: Any, size: int, where: str) -> Array:
    if not isinstance(value, list) or len(value) != size:
        raise InvalidValue(f"{where} must be a list of {size} numbers")
    return np.array([number(v, where, -_COUNT, _COUNT) for v in value])


def _quaternion(quat: Array, where: str) -> Array:
    norm = float(np.linalg.norm(quat))
    if abs(norm - 1.0) > _UNIT:
        raise InvalidValue(f"{where} must hold a unit quaternion, its length is {norm:.3g}")
    return quat / norm


READERS = {**messages.READERS, "end": _end, "frame": _frame}
"""The messages that a headset's page may send."""
