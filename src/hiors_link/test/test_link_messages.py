# SPDX-License-Identifier: Apache-2.0
"""The schema on the wire: what fits passes, everything else is refused with its name."""

import msgpack
import pytest

from hiors_core.errors import HiorsError, InvalidValue
from hiors_link.address import check_address, check_open, is_loopback
from hiors_link.messages import FROM_ACTOR, FROM_LEARNER, MAX_DATA, MAX_HEADER, make, read

OFFER = {
    "actor": "robot1",
    "episode_id": "20260131-154500-3fa91c22",
    "sha256": "0" * 64,
    "task": "insert",
    "files": [["manifest.json", 10]],
}


def test_a_message_comes_out_as_it_went_in():
    message = read([make("offer", **OFFER)], FROM_ACTOR)
    assert (message.kind, dict(message.fields), message.data) == ("offer", OFFER, None)


def test_data_are_not_copied():
    data = b"x" * 100
    message = read([make("part", actor="r", episode_id="e", offset=3), data], FROM_ACTOR)
    assert message.data.obj is data


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"actor": "../../root"}, "offer.actor"),
        ({"actor": ""}, "offer.actor"),
        ({"episode_id": "../../../etc/passwd"}, "an episode id"),
        ({"episode_id": "a/b"}, "an episode id"),
        ({"episode_id": 7}, "an episode id"),
        ({"sha256": "0" * 63 + "G"}, "SHA-256"),
        ({"files": [["../x", 1]]}, "without folders"),
        ({"files": [["a/b", 1]]}, "without folders"),
        ({"files": [[".hidden", 1]]}, "without folders"),
        ({"files": [["x", -1]]}, "whole number"),
        ({"files": [["x", 1 << 60]]}, "whole number"),
        ({"files": [["x", True]]}, "whole number"),
        ({"files": [["x"]]}, "offer.files"),
        ({"files": [["x", 1]] * 17}, "at most 16"),
        ({"files": "x"}, "offer.files"),
        ({"task": "x" * 65}, "at most 64"),
        ({"more": 1}, "has the fields"),
    ],
)
def test_every_field_is_checked(changes, word):
    with pytest.raises(InvalidValue, match=word):
        read([msgpack.packb(["offer", {**OFFER, **changes}])], FROM_ACTOR)


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [b""],
        [b"\x80\x04\x95pickle"],
        [b"\xc1"],
        [msgpack.packb(["poll"])],
        [msgpack.packb([["poll"], {}])],
        [msgpack.packb(["poll", {1: 2}])],
        [msgpack.packb(["shutdown", {}])],
        [msgpack.packb(["state", {}])],
        [b"\x91" * 5000 + b"\xc0"],
        [b"x" * (MAX_HEADER + 1)],
        [make("offer", **OFFER), b"data that does not belong"],
        [make("part", actor="r", episode_id="e", offset=0)],
        [make("part", actor="r", episode_id="e", offset=0), b""],
        [make("part", actor="r", episode_id="e", offset=0), b"x" * (MAX_DATA + 1)],
        [b"a", b"b", b"c"],
        [msgpack.packb(["poll", {"format": 2, "actor": "r", "ledger": 0}])],
    ],
)
def test_what_is_no_message_is_refused(frames):
    with pytest.raises(HiorsError):
        read(frames, FROM_ACTOR)


def test_another_version_of_the_protocol_is_named():
    text = msgpack.packb(["poll", {"format": 2, "actor": "r", "ledger": 0}])
    with pytest.raises(InvalidValue, match=r"poll.format must be 1, the same on both sides"):
        read([text], FROM_ACTOR)


def test_a_version_of_a_checkpoint_is_no_path():
    with pytest.raises(InvalidValue, match="a checkpoint version"):
        read([msgpack.packb(["gone", {"version": "../v1", "reason": ""}])], FROM_LEARNER)


@pytest.mark.parametrize("text", ["10.0.0.1:5750", "tcp://host", "ipc:///tmp/x", "tcp://h:99999"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(InvalidValue, match="write tcp://HOST:PORT"):
        check_address(text)


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("tcp://127.0.0.1:1", True),
        ("tcp://127.9.9.9:1", True),
        ("tcp://localhost:1", True),
        ("tcp://[::1]:1", True),
        ("tcp://0.0.0.0:1", False),
        ("tcp://*:1", False),
        ("tcp://10.0.0.1:1", False),
        ("tcp://[::]:1", False),
        ("tcp://localhost.evil.org:1", False),
    ],
)
def test_only_this_machine_goes_without_keys(address, inside):
    assert is_loopback(address) is inside
    check_open(address, keys=True)
    if not inside:
        with pytest.raises(InvalidValue, match="hiors keys new"):
            check_open(address, keys=False)
