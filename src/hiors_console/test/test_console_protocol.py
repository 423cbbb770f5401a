# SPDX-License-Identifier: Apache-2.0
"""What a page may say, and what is refused."""

import json
from typing import Any

import pytest

from hiors_console.protocol import MAX_BYTES, READERS, DriveWish, LabelWish, Watch
from hiors_core.errors import HiorsError
from hiors_seat.actions import Action
from hiors_seat.web.messages import parse

LABEL = {"t": "label", "episode": "", "action": "success", "rewards": [], "name": "Ada"}
DRIVE = {"t": "drive", "arm": "left", "engaged": True, "linear": [0, 0, 1]}
DRIVE |= {"angular": [0, 0, 0], "gripper": None}


def read(message: dict[str, Any]) -> Any:
    return parse(json.dumps(message), READERS, MAX_BYTES)


def test_good_messages() -> None:
    assert read({"t": "watch", "rate": 10}) == Watch(10.0)
    label = LabelWish(episode_id="", action=Action.SUCCESS, rewards=(), labeler="Ada")
    assert read(LABEL) == label
    rewards = read({**LABEL, "action": "", "rewards": [0.5, 1], "episode": "e1"})
    assert (rewards.action, rewards.rewards, rewards.episode_id) == (None, (0.5, 1.0), "e1")
    assert isinstance(read(DRIVE), DriveWish)


@pytest.mark.parametrize(
    "message",
    [
        {**LABEL, "episode": "../../etc"},
        {**LABEL, "episode": "<b>"},
        {**LABEL, "action": "stop"},
        {**LABEL, "action": "explode"},
        {**LABEL, "rewards": [1e7]},
        {**LABEL, "rewards": [0.1] * 65},
        {**LABEL, "rewards": "1"},
        {**LABEL, "name": "x" * 41},
        {**LABEL, "name": "a\nb"},
        {**LABEL, "more": 1},
        {**DRIVE, "linear": [0, 0]},
        {**DRIVE, "linear": [0, 0, 2]},
        {**DRIVE, "engaged": 1},
        {**DRIVE, "gripper": 1.5},
        {"t": "watch", "rate": 1000},
        {"t": "watch"},
        {"t": "frame"},
    ],
)
def test_bad_messages_are_refused(message: dict[str, Any]) -> None:
    with pytest.raises(HiorsError):
        read(message)
