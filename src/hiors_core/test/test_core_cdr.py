# SPDX-License-Identifier: Apache-2.0
import json
import os
from pathlib import Path

import numpy as np
import pytest

from hiors_core.cdr import decode, definition, encode, make, type_hash, typestore
from hiors_core.errors import IntegrityError, InvalidValue, UnknownName
from hiors_core.stamps import stamp_of, time_fields

EXECUTED = "hiors_interfaces/msg/ExecutedAction"
MESSAGES = Path(__file__).parents[2] / "hiors_interfaces" / "msg"


def executed(**fields):
    return make(EXECUTED, names=["a", "b"], position=[0.5, 1], policy_version="v000000", **fields)


def test_fields_not_given_are_zero_empty_or_a_default_message():
    message = make("geometry_msgs/msg/PoseStamped", pose={"position": {"x": 2}})
    assert (message.pose.position.x, message.pose.position.z) == (2.0, 0.0)
    assert message.header.frame_id == ""


def test_a_misspelt_field_is_refused_with_the_nearest():
    with pytest.raises(UnknownName, match="Did you mean 'position'"):
        make(EXECUTED, positon=[1.0])


def test_a_misspelt_type_is_refused():
    with pytest.raises(UnknownName, match="ExecutedAction"):
        make("hiors_interfaces/msg/ExecutedActio")


def test_a_message_survives_the_wire():
    message = executed(header={"stamp": time_fields(1_500_000_000)}, limited=["step of a"])
    again = decode(EXECUTED, encode(EXECUTED, message))
    assert stamp_of(again) == 1_500_000_000
    assert list(again.position) == [0.5, 1.0]
    assert (again.names, again.limited) == (["a", "b"], ["step of a"])


def test_what_does_not_fit_is_refused():
    with pytest.raises(InvalidValue, match="Cannot encode"):
        encode(EXECUTED, make("std_msgs/msg/Header"))


def test_damaged_bytes_never_pass_for_a_message_by_accident_of_python():
    data = encode(EXECUTED, executed())
    rng = np.random.default_rng(1)
    for length in range(len(data) - 8):
        with pytest.raises(IntegrityError):
            decode(EXECUTED, data[:length])
    for _ in range(500):
        noisy = bytearray(data)
        noisy[rng.integers(len(data))] ^= 1 << rng.integers(8)
        try:
            decode(EXECUTED, bytes(noisy))
        except IntegrityError:
            continue


@pytest.mark.parametrize("path", sorted(MESSAGES.glob("*.msg")), ids=lambda p: p.stem)
def test_every_own_message_is_known_and_survives_the_wire(path):
    name = f"hiors_interfaces/msg/{path.stem}"
    message = make(name)
    assert type(decode(name, encode(name, message))) is type(message)
    assert definition(name)


def test_a_definition_holds_its_parts():
    text = definition("sensor_msgs/msg/JointState")
    assert "MSG: std_msgs/Header" in text
    assert "MSG: builtin_interfaces/Time" in text


@pytest.mark.parametrize("path", sorted(MESSAGES.glob("*.msg")), ids=lambda p: p.stem)
def test_type_hashes_are_those_that_rosidl_computed(path):
    places = [Path(p) for p in os.environ.get("AMENT_PREFIX_PATH", "").split(":") if p]
    files = [p / "share/hiors_interfaces/msg" / f"{path.stem}.json" for p in places]
    built = next((f for f in files if f.exists()), None)
    if built is None:
        pytest.skip("hiors_interfaces is not built")
    hashes = {
        h["type_name"]: h["hash_string"] for h in json.loads(built.read_text())["type_hashes"]
    }
    name = f"hiors_interfaces/msg/{path.stem}"
    assert type_hash(name) == hashes[name]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_bytes_go_both_ways_between_here_and_rclpy():
    serialization = pytest.importorskip("rclpy.serialization")
    messages = pytest.importorskip("hiors_interfaces.msg")
    theirs = messages.ExecutedAction(
        tick=7, authority=3, names=["a", "é"], position=[0.25, -1.0], policy_version="v000001"
    )
    theirs.header.stamp.sec = 12
    ours = decode(EXECUTED, serialization.serialize_message(theirs))
    assert (ours.tick, ours.authority, ours.names) == (7, 3, ["a", "é"])
    assert list(ours.position) == [0.25, -1.0]
    back = serialization.deserialize_message(encode(EXECUTED, ours), messages.ExecutedAction)
    assert back == theirs


def test_sequences_are_bounded():
    assert typestore().max_sequence_length < 2**28
