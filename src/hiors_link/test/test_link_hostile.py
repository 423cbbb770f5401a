# SPDX-License-Identifier: Apache-2.0
"""Malformed and hostile messages, strangers, replays: refused, counted, the server lives and the
next honest episode is stored (reliability: row 24).
"""

import os
import pickle
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import msgpack
import pytest
import zmq
from link_scene import Oversized, Robot, publish, pump, serve, stored

from hiors_core.clock import SteadyClock
from hiors_link.incoming import Limits
from hiors_link.keys import LEARNER, new_identity, read_identity, read_public
from hiors_link.messages import FORMAT, FROM_LEARNER, MAX_DATA, MAX_FRAME, make, read
from hiors_link.server import Server

pytestmark = pytest.mark.timeout(300)
LINES: list[zmq.Socket] = []
"""Kept until the context closes them: one that is forgotten before would block its end."""


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch /tmp/hiors-pickle-was-run",)


@pytest.fixture
def context() -> Iterator[zmq.Context]:
    made = zmq.Context()
    yield made
    made.destroy(linger=0)
    LINES.clear()


def stranger(context: zmq.Context, server: Server) -> zmq.Socket:
    made = context.socket(zmq.DEALER)
    LINES.append(made)
    made.connect(server.address)
    return made


def ask(server: Server, line: zmq.Socket, *frames: bytes) -> object:
    """Send the frames and return the server's answer."""
    line.send_multipart(list(frames))
    pump(lambda: line.poll(0), server)
    return read(line.recv_multipart(), FROM_LEARNER)


def still_works(tmp_path: Path, server: Server, keys: Path | None = None) -> None:
    robot = Robot(tmp_path / "robot1")
    robot.accept("honest", size=100_000)
    actor = robot.actor(server.address, keys)
    pump(lambda: actor.health.stored == 1, server, actor)
    assert "robot1/honest" in stored(tmp_path / "learner")
    actor.close()
    server.close()


HOSTILE = {
    "random": [os.urandom(1000)],
    "empty": [b""],
    "pickle": [pickle.dumps(Bomb())],
    "list": [msgpack.packb([1, 2, 3])],
    "deep": [b"\x91" * 60_000 + b"\xc0"],
    "lying length": [b"\xdd\xff\xff\xff\xff"],
    "lying text": [b"\x92\xdb\xff\xff\xff\xff"],
    "many frames": [b"x"] * 1000,
    "path in actor": [
        msgpack.packb(["poll", {"format": FORMAT, "actor": "../../x", "ledger": 0}])
    ],
    "path in version": [
        msgpack.packb(["fetch", {"actor": "r", "version": "../../x", "offset": 0, "size": 9}])
    ],
    "negative offset": [
        msgpack.packb(["part", {"actor": "r", "episode_id": "e", "offset": -1}]),
        b"x",
    ],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_malformed_message_is_refused_and_the_server_lives(
    tmp_path: Path, context: zmq.Context, name: str
):
    server = serve(tmp_path / "learner")
    answer = ask(server, stranger(context, server), *HOSTILE[name])
    assert answer.kind == "error"
    assert server.bad == 1
    still_works(tmp_path, server)
    assert not Path("/tmp/hiors-pickle-was-run").exists()


def offer(episode_id: str, files: list[list[object]], sha256: str = "0" * 64) -> bytes:
    return make(
        "offer", actor="robot1", episode_id=episode_id, sha256=sha256, task="t", files=files
    )


@pytest.mark.parametrize(
    ("files", "word"),
    [
        ([["manifest.json", 5]], "an episode has the files"),
        ([["manifest.json", 5], ["metadata.yaml", 5], ["e_0.mcap", 5], ["x.sh", 5]], "has the"),
        ([["manifest.json", 5], ["metadata.yaml", 5], ["other_0.mcap", 5]], "has the files"),
        ([["manifest.json", 5], ["manifest.json", 5]], "different names"),
        ([["manifest.json", 0], ["metadata.yaml", 5], ["e_0.mcap", 5]], "must not be empty"),
        ([["manifest.json", 5], ["metadata.yaml", 5], ["e_0.mcap", 1 << 40]], "more than the"),
        ([], "different names"),
    ],
)
def test_an_offer_that_is_no_episode_is_refused(
    tmp_path: Path, context: zmq.Context, files: list[list[object]], word: str
):
    server = serve(tmp_path / "learner")
    answer = ask(server, stranger(context, server), offer("e", files))
    assert answer.kind == "refused"
    assert word in answer["reason"]
    still_works(tmp_path, server)


def test_bytes_that_are_not_the_episode_offered_are_thrown_away(
    tmp_path: Path, context: zmq.Context
):
    server, files = serve(tmp_path / "learner"), [["manifest.json", 4], ["metadata.yaml", 4]]
    line = stranger(context, server)
    assert ask(server, line, offer("e", [*files, ["e_0.mcap", 4]])).kind == "resume"
    header = make("part", actor="robot1", episode_id="e", offset=0)
    answer = ask(server, line, header, b"x" * 12)
    assert (answer.kind, answer["again"]) == ("refused", True)
    assert "is not the one offered" in answer["reason"]
    assert list((tmp_path / "learner").glob("robots/*/episodes/*")) == []
    still_works(tmp_path, server)


def test_more_bytes_than_offered_and_wrong_places_are_refused(
    tmp_path: Path, context: zmq.Context
):
    server, files = serve(tmp_path / "learner"), [["manifest.json", 4], ["metadata.yaml", 4]]
    line = stranger(context, server)
    ask(server, line, offer("e", [*files, ["e_0.mcap", 4]]))
    beyond = make("part", actor="robot1", episode_id="e", offset=5)
    assert ask(server, line, beyond, b"x").kind == "resume"
    unknown = make("part", actor="robot1", episode_id="f", offset=0)
    assert ask(server, line, unknown, b"x").kind == "resume"
    first = make("part", actor="robot1", episode_id="e", offset=0)
    assert "more than the 12 agreed" in ask(server, line, first, b"x" * 13)["reason"]
    still_works(tmp_path, server)


def test_an_oversized_frame_ends_that_connection_only(tmp_path: Path, context: zmq.Context):
    server = serve(tmp_path / "learner")
    line = stranger(context, server)
    header = make("part", actor="robot1", episode_id="e", offset=0)
    line.send_multipart([header, b"x" * (4 * MAX_DATA)])
    for _ in range(20):
        server.step(0.01)
    assert server.robots == {}
    still_works(tmp_path, server)


def test_a_frame_that_is_a_little_too_large_is_answered_with_the_reason(
    tmp_path: Path, context: zmq.Context
):
    server = serve(tmp_path / "learner")
    header = make("part", actor="robot1", episode_id="e", offset=0)
    answer = ask(server, stranger(context, server), header, b"x" * (MAX_DATA + 1))
    assert f"data must have 1 .. {MAX_DATA} bytes, got {MAX_DATA + 1}" in answer["reason"]
    still_works(tmp_path, server)


@pytest.mark.parametrize(
    ("size", "reason"),
    [(MAX_DATA + 1, f"got {MAX_DATA + 1}"), (MAX_FRAME + 1, f"more than {MAX_FRAME} bytes")],
)
def test_a_learners_oversized_frame_is_refused_and_the_robot_goes_on(
    tmp_path: Path, size: int, reason: str
):
    run, robot = tmp_path / "learner", Robot(tmp_path / "robot")
    weights = publish(run, "v000100", size=3_000_000)
    server = Oversized(run, "tcp://127.0.0.1:0", SteadyClock(), limits=Limits(reserve=0))
    server.size = size
    actor = robot.actor(server.address, silence=1.0)
    told = f"checkpoint v000100 cannot be fetched: .*{reason}"
    pump(lambda: re.search(told, actor.health.text), server, actor)
    robot.accept("e1", size=1000)
    pump(lambda: actor.health.stored == 1, server, actor)
    assert list(robot.checkpoints.glob("v*")) == []
    address = server.address
    server.close()
    honest = serve(run, address)
    pump((robot.checkpoints / "latest.json").exists, honest, actor)
    assert (robot.checkpoints / "v000100" / "model.safetensors").read_bytes() == weights
    assert actor.health.text.startswith("learner at")


def test_garbage_on_the_bare_socket_changes_nothing(tmp_path: Path):
    server = serve(tmp_path / "learner")
    port = int(server.address.rsplit(":", 1)[1])
    for data in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(5000), b"\xff" * 10 + b"\x7f"):
        with socket.create_connection(("127.0.0.1", port)) as plain:
            plain.sendall(data)
            server.step(0.01)
    still_works(tmp_path, server)


def test_a_replayed_upload_is_stored_once(tmp_path: Path, context: zmq.Context):
    run, robot = tmp_path / "learner", Robot(tmp_path / "other")
    folder = robot.accept("e1", size=1000)
    names = ["manifest.json", "metadata.yaml", "label.json", "e1_0.mcap"]
    files = [[name, (folder / name).stat().st_size] for name in names]
    opening = offer("e1", files, robot.link.notice("e1").sha256)
    opening = make("offer", **{**msgpack.unpackb(opening)[1], "task": "insert"})
    data = b"".join((folder / name).read_bytes() for name in names)
    part = make("part", actor="robot1", episode_id="e1", offset=0)
    server = serve(run)
    line = stranger(context, server)
    first = [ask(server, line, opening).kind, ask(server, line, part, data).kind]
    again = [ask(server, line, opening).kind, ask(server, line, part, data).kind]
    assert first == ["resume", "stored"]
    assert again == ["stored", "resume"], "the part belongs to nothing any more"
    assert set(stored(run)) == {"robot1/e1"}
    still_works(tmp_path, server)


def test_a_checkpoint_that_is_not_there_is_gone(tmp_path: Path, context: zmq.Context):
    server = serve(tmp_path / "learner")
    header = make("fetch", actor="r", version="v000001", offset=0, size=100)
    assert ask(server, stranger(context, server), header).kind == "gone"
    still_works(tmp_path, server)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    folder = tmp_path / "keys"
    for name in (LEARNER, "robot1"):
        new_identity(folder, name)
    return folder


def attempt(robot: Robot, server: Server, keys: Path | None, word: str) -> None:
    robot.accept("e1")
    actor = robot.actor(server.address, keys)
    pump(lambda: word in actor.health.text, server, actor)
    assert not actor.health.connected
    assert robot.link.waiting() == ["e1"], "it is kept"
    assert server.robots == {}
    actor.close()


def test_a_robot_with_an_unknown_key_is_kept_out_and_told(tmp_path: Path, keys: Path):
    server = serve(tmp_path / "learner", keys=keys)
    others = tmp_path / "others"
    new_identity(others, "robot9")
    (others / "learner.pub").write_bytes((keys / "learner.pub").read_bytes())
    robot = Robot(tmp_path / "robot9", "robot9")
    attempt(robot, server, others, "does not know this robot's key")
    (keys / "robot9.pub").write_bytes((others / "robot9.pub").read_bytes())
    actor = robot.actor(server.address, others)
    pump(lambda: actor.health.stored == 1, server, actor)
    actor.close()
    still_works(tmp_path, server, keys)


def test_a_robot_does_not_talk_to_a_false_learner(tmp_path: Path, keys: Path):
    server = serve(tmp_path / "learner", keys=keys)
    others = tmp_path / "others"
    new_identity(others, LEARNER)
    (others / "robot1.key").write_bytes((keys / "robot1.key").read_bytes())
    (others / "robot1.key").chmod(0o600)
    attempt(Robot(tmp_path / "r"), server, others, "learner.pub")
    still_works(tmp_path, server, keys)


def test_a_robot_without_keys_is_kept_out(tmp_path: Path, keys: Path):
    server = serve(tmp_path / "learner", keys=keys)
    attempt(Robot(tmp_path / "r"), server, None, "only one side uses keys")
    still_works(tmp_path, server, keys)


def test_nobody_speaks_in_anothers_name(tmp_path: Path, keys: Path, context: zmq.Context):
    server = serve(tmp_path / "learner", keys=keys)
    own = read_identity(keys, "robot1")
    line = context.socket(zmq.DEALER)
    LINES.append(line)
    line.curve_publickey, line.curve_secretkey = own.public, own.secret
    line.curve_serverkey = read_public(keys, LEARNER)
    line.connect(server.address)
    answer = ask(server, line, make("poll", format=FORMAT, actor="robot2", ledger=0))
    assert "'robot1' may not speak as 'robot2'" in answer["reason"]
    assert server.robots == {}
    still_works(tmp_path, server, keys)


def test_too_many_names_are_refused(
    tmp_path: Path, context: zmq.Context, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("hiors_link.server._MAX_ROBOTS", 3)
    server = serve(tmp_path / "learner")
    line = stranger(context, server)
    kinds = [
        ask(server, line, make("poll", format=FORMAT, actor=f"r{i}", ledger=0)).kind
        for i in range(5)
    ]
    assert kinds == ["state"] * 3 + ["error"] * 2
    server.close()
