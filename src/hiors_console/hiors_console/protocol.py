# SPDX-License-Identifier: Apache-2.0
"""The messages of the console's page beside those of every page. Knows no connection."""

from dataclasses import dataclass
from typing import Any

from hiors_core.errors import InvalidValue
from hiors_core.label import MAX_STAGES
from hiors_core.names import check_episode_id
from hiors_seat.actions import LABELS, Action
from hiors_seat.web import messages
from hiors_seat.web.messages import action_of, flag, keys, number, numbers, word

MAX_BYTES = 4096
"""The longest message that a client may send [bytes]."""
_MAX_REWARD = 1e6


@dataclass(frozen=True, slots=True)
class Watch:
    """At most this many images a second of each camera; 0 none."""

    rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelWish:
    """A judgement: ``rewards`` make it a return; an empty id means the one that waits."""

    episode_id: str
    action: Action | None
    rewards: tuple[float, ...]
    labeler: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DriveWish:
    """What keys or sticks ask of one arm, each axis -1 .. 1 along the base frame.

    Attributes:
        engaged: the deadman is held. gripper: 0 closed .. 1 open, None as it is.
    """

    arm: str
    engaged: bool
    linear: tuple[float, ...]
    angular: tuple[float, ...]
    gripper: float | None


def _watch(data: dict[str, Any]) -> Watch:
    keys(data, "t rate")
    return Watch(number(data["rate"], "rate", 0.0, 30.0))


def _label(data: dict[str, Any]) -> LabelWish:
    keys(data, "t episode action rewards name")
    rewards = tuple(numbers(data["rewards"], "rewards", -_MAX_REWARD, _MAX_REWARD, MAX_STAGES))
    action = None if rewards else action_of(data["action"])
    if action is not None and action not in LABELS:
        raise InvalidValue(f"action of a label must be one of {', '.join(LABELS)}")
    episode = word(data["episode"], "episode")
    return LabelWish(
        episode_id=check_episode_id(episode) if episode else "",
        action=action,
        rewards=rewards,
        labeler=word(data["name"], "name", 40).strip() or "console",
    )


def _drive(data: dict[str, Any]) -> DriveWish:
    keys(data, "t arm engaged linear angular gripper")
    gripper = data["gripper"]
    return DriveWish(
        arm=word(data["arm"], "arm"),
        engaged=flag(data["engaged"], "engaged"),
        linear=_axes(data["linear"], "linear"),
        angular=_axes(data["angular"], "angular"),
        gripper=None if gripper is None else number(gripper, "gripper", 0.0, 1.0),
    )


def _axes(value: Any, where: str) -> tuple[float, ...]:
    axes = tuple(numbers(value, where, -1.0, 1.0, 3))
    if len(axes) != 3:
        raise InvalidValue(f"{where} must be a list of 3 numbers")
    return axes


READERS = {**messages.READERS, "watch": _watch, "label": _label, "drive": _drive}
"""The messages that the console's page may send."""
