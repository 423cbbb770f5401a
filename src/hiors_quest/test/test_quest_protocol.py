# SPDX-License-Identifier: Apache-2.0
"""Only well-formed messages get through, whatever is sent."""

import copy
import json
import random
from typing import Any

import numpy as np
import pytest

from hiors_core.errors import HiorsError
from hiors_quest.protocol import MAX_BYTES, parse
from hiors_quest.values import Frame
from hiors_seat.actions import Action
from hiors_seat.web.messages import Claim, Hello, Press

HAND = {
    "pose": [0.1, 1.2, -0.3, 0.0, 0.0, 0.0, 1.0],
    "emulated": False,
    "trigger": 0.5,
    "squeeze": 1,
    "buttons": ["a"],
}
FRAME = {
    "t": "frame",
    "n": 3,
    "time": 12.5,
    "visible": True,
    "head": [0.0, 0.6, 0.0, 0.8],
    "left": None,
    "right": HAND,
}


def changed(path: str, value: Any) -> str:
    data = copy.deepcopy(FRAME)
    *parents, last = path.split(".")
    target: Any = data
    for key in parents:
        target = target[int(key) if key.isdigit() else key]
    target[int(last) if last.isdigit() else last] = value
    return json.dumps(data)


def test_a_frame_arrives_as_it_was_sent() -> None:
    frame = parse(json.dumps(FRAME))
    assert isinstance(frame, Frame)
    assert (frame.sequence, frame.time, frame.visible, frame.left) == (3, 12.5, True, None)
    assert frame.right is not None
    np.testing.assert_array_equal(frame.right.pose, HAND["pose"])
    assert (frame.right.trigger, frame.right.squeeze) == (0.5, 1.0)
    assert frame.right.buttons == {"a"}
    assert not frame.right.pose.flags.writeable


def test_a_quaternion_that_is_nearly_unit_is_made_so() -> None:
    frame = parse(changed("right.pose.6", 1.005))
    assert isinstance(frame, Frame)
    assert frame.right is not None
    assert np.linalg.norm(frame.right.pose[3:]) == pytest.approx(1.0, abs=1e-12)


def test_the_small_messages() -> None:
    assert parse('{"t":"hello","token":"abc"}') == Hello("abc")
    assert parse('{"t":"claim","name":"Ada Løvelace"}') == Claim("Ada Løvelace")
    assert parse('{"t":"press","action":"stop"}') == Press(Action.STOP)


MALFORMED = [
    ("", "Not JSON"),
    ("[]", "object"),
    ('{"t":1}', "object"),
    ('{"t":"reboot"}', "Unknown message type"),
    ('{"t":"press","action":"selfdestruct"}', "one of"),
    ('{"t":"press","action":["stop"]}', "one of"),
    ('{"t":"claim","name":"<img src=x onerror=alert(1)>"}', "name must"),
    ('{"t":"claim","name":"../../etc"}', "name must"),
    ('{"t":"claim","name":"%s"}' % ("x" * 41), "name must"),
    ('{"t":"hello","token":7}', "token"),
    ('{"t":"end","extra":1}', "Unknown field"),
    ("[" * 4000, "Not JSON"),
    ('{"t":"end"}' + " " * MAX_BYTES, "at most"),
    (changed("right.pose", [0.0] * 6), "7 numbers"),
    (changed("right.pose.3", 0.5), "unit quaternion"),
    (changed("right.pose.0", 101.0), "within 100 m"),
    (changed("right.pose.0", "1"), "number"),
    (changed("right.pose.0", True), "number"),
    (changed("right.pose.0", float("nan")), "NaN"),
    (changed("right.pose.0", float("inf")), "Infinity"),
    (changed("time", float("-inf")), "Infinity"),
    (json.dumps(FRAME).replace("12.5", "1e999"), "within"),
    (changed("right.trigger", 1.01), "within"),
    (changed("right.squeeze", None), "number"),
    (changed("right.buttons", ["power"]), "Unknown"),
    (changed("right.buttons", "a"), "list of strings"),
    (changed("right.extra", 1), "Unknown field"),
    (changed("right", []), "object or null"),
    (changed("n", -1), "within"),
    (changed("n", 10**400), "within"),
    (changed("visible", 1), "true or false"),
    (changed("head", [0, 0, 0, 0]), "unit quaternion"),
]


@pytest.mark.parametrize(("text", "why"), MALFORMED, ids=[str(i) for i in range(len(MALFORMED))])
def test_malformed_messages_are_refused_with_a_reason(text: str, why: str) -> None:
    with pytest.raises(HiorsError, match=why):
        parse(text)


@pytest.mark.parametrize("key", [k for k in FRAME if k != "t"])
def test_every_field_is_required(key: str) -> None:
    with pytest.raises(HiorsError, match=f"lacks {key}"):
        parse(json.dumps({k: v for k, v in FRAME.items() if k != key}))


def test_random_damage_is_refused_or_harmless() -> None:
    dice = random.Random(3)
    good = json.dumps(FRAME)
    for _ in range(3000):
        text = list(good)
        for _ in range(dice.randint(1, 4)):
            text[dice.randrange(len(text))] = chr(dice.randrange(1, 0x250))
        try:
            message = parse("".join(text))
        except HiorsError:
            continue
        assert isinstance(message, Frame)
        for hand in (message.left, message.right):
            assert hand is None or np.all(np.isfinite(hand.pose))
