# SPDX-License-Identifier: Apache-2.0
"""The learner's status file as LearnerStatus, GONE when it is old or unreadable."""

from collections.abc import Mapping
from typing import Any

from hiors_core.clock import to_ns, to_s
from hiors_core.errors import HiorsError, InvalidValue
from hiors_core.link import Link
from hiors_interfaces.msg import LearnerStatus
from hiors_ros.conversions import to_stamp

_NUMBERS = ("loss", "learning_rate", "samples_per_s")
_COUNTS = {
    "state": LearnerStatus.FAILED,
    "step": 2**64 - 1,
    "demonstrations": 2**32 - 1,
    "episodes": 2**32 - 1,
    "transitions": 2**64 - 1,
}


def learner_status(link: Link, now: int, timeout: float) -> LearnerStatus:
    """Return what the learner says of itself at ``now`` [ns]; GONE after ``timeout`` [s]."""
    try:
        data = link.status()
        message = LearnerStatus() if data is None else _message(data)
        age = None if data is None else now - int(data["stamp_ns"])
    except (HiorsError, OSError, KeyError, TypeError, ValueError) as error:
        message, age, data = LearnerStatus(), None, {}
        message.message = f"status.json cannot be read: {error!r}"
    if data is None:
        message.message = "the learner has not spoken yet"
    elif age is not None and age > to_ns(timeout):
        last = f"; last: {message.message}" if message.message else ""
        message.message = f"no sign of life for {to_s(age):.0f} s{last}"
    if age is None or age > to_ns(timeout):
        message.state = LearnerStatus.GONE
    message.header.stamp = to_stamp(now)
    return message


def _message(data: Mapping[str, Any]) -> LearnerStatus:
    message = LearnerStatus(message=str(data["message"]))
    for name, most in _COUNTS.items():
        count = int(data[name])
        if not 0 <= count <= most:
            raise InvalidValue(f"{name} must be within 0 .. {most}, got {count}")
        setattr(message, name, count)
    for name in _NUMBERS:
        value = data[name]
        setattr(message, name, float("nan") if value is None else float(value))
    message.checkpoint = str(data["checkpoint"])
    message.episode_ids = [str(i) for i in data["episode_ids"]]
    return message
