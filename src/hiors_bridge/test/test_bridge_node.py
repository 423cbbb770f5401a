# SPDX-License-Identifier: Apache-2.0
"""bridge_node over real topics, and the learner's status in its message."""

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("rclpy")

from bridge_samples import ROBOT, ROBOT_FILE, TASK_FILE, labelled, learn, publish
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter

from hiors_bridge.bridge_node import BridgeNode
from hiors_bridge.learner import learner_status
from hiors_bridge.parameters import BridgeParameters, acceptance_rule
from hiors_core.clock import NS, SteadyClock
from hiors_core.errors import InvalidValue
from hiors_core.link import Link
from hiors_core.store import EpisodeStore
from hiors_core.task import load_task
from hiors_interfaces.msg import CheckpointInfo, EpisodeStatus, LearnerStatus
from hiors_link.incoming import Limits
from hiors_link.keys import new_identity
from hiors_link.messages import MAX_DATA, Message, make
from hiors_link.server import Server
from hiors_ros import qos

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

STATUS = {
    "state": 2,
    "message": "training",
    "step": 5,
    "loss": None,
    "learning_rate": 1e-4,
    "demonstrations": 3,
    "episodes": 2,
    "transitions": 99,
    "samples_per_s": 12.5,
    "checkpoint": "v000005",
    "episode_ids": ["a"],
    "pid": 1,
    "stamp_ns": 100 * NS,
}


def told(tmp_path, text, now=101 * NS):
    link = Link(tmp_path)
    (tmp_path / "status.json").write_text(text if isinstance(text, str) else json.dumps(text))
    return learner_status(link, now, 5.0)


def test_the_learners_status_becomes_its_message(tmp_path):
    message = told(tmp_path, STATUS)
    assert (message.state, message.step, message.transitions) == (LearnerStatus.TRAINING, 5, 99)
    assert math.isnan(message.loss)
    assert message.episode_ids == ["a"]


def test_an_old_status_means_the_learner_is_gone(tmp_path):
    message = told(tmp_path, STATUS, now=110 * NS)
    assert (message.state, message.step) == (LearnerStatus.GONE, 5)
    assert message.message.startswith("no sign of life for 10 s")
    assert not message.message.endswith(("; last: ", ";"))


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", {**STATUS, "step": "x"}, {**STATUS, "state": 999}]
)
def test_a_damaged_status_means_the_learner_is_gone(tmp_path, text):
    message = told(tmp_path, text)
    assert message.state == LearnerStatus.GONE
    assert "cannot be read" in message.message


def test_a_learner_that_never_spoke_is_gone(tmp_path):
    message = learner_status(Link(tmp_path), 1, 5.0)
    assert (message.state, message.message) == (
        LearnerStatus.GONE,
        "the learner has not spoken yet",
    )


def test_the_rule_is_the_tasks_with_the_parameters_schedule():
    task = load_task(TASK_FILE)
    folders = dict.fromkeys(("store", "link", "checkpoints", "robot_file", "task_file"), "")
    rule = acceptance_rule(BridgeParameters(**folders, schedule="quantile", window=7), task)
    assert (rule.threshold, rule.min_length) == (task.threshold, task.min_length)
    assert (rule.schedule, rule.window) == ("quantile", 7)


def test_decisions_ledger_and_checkpoints_reach_the_topics(ros, tmp_path):
    store = EpisodeStore(tmp_path / "store")
    labelled(store, "a")
    values = {
        "store": str(store.root),
        "link": str(tmp_path / "link"),
        "checkpoints": str(tmp_path / "checkpoints"),
        "robot_file": str(ROBOT_FILE),
        "task_file": str(TASK_FILE),
        "arms": ["left"],
    }
    node = BridgeNode(parameter_overrides=[Parameter(k, value=v) for k, v in values.items()])
    panel = Node("panel")
    seen: dict[str, list] = {}
    for kind, topic in (
        (EpisodeStatus, "episode/status"),
        (LearnerStatus, "learner/status"),
        (CheckpointInfo, "learner/checkpoint"),
    ):
        panel.create_subscription(
            kind, topic, seen.setdefault(topic, []).append, qos.profile(topic)
        )
    executor = SingleThreadedExecutor()
    for each in (node, panel):
        executor.add_node(each)

    def until(true):
        end = time.monotonic() + 20.0
        while not true():
            assert time.monotonic() < end, "it did not happen in time"
            executor.spin_once(timeout_sec=0.05)

    try:
        until(lambda: seen["episode/status"])
        status = seen["episode/status"][0]
        assert (status.episode_id, status.state) == ("a", EpisodeStatus.ACCEPTED)
        assert status.threshold == pytest.approx(load_task(TASK_FILE).threshold)
        assert status.reasons
        learn(tmp_path / "link", "a")
        until(lambda: seen["episode/status"][-1].state == EpisodeStatus.LEARNED)
        until(lambda: seen["learner/status"])
        assert seen["learner/status"][0].state == LearnerStatus.GONE
        publish(tmp_path / "checkpoints", "v000120")
        until(lambda: seen["learner/checkpoint"])
        info = seen["learner/checkpoint"][0]
        assert (info.version, info.step, info.active) == ("v000120", 120, False)
        assert list(info.names) == list(ROBOT.names)
    finally:
        executor.shutdown()
        node.destroy_node()
        panel.destroy_node()


@contextmanager
def linked(tmp_path: Path, server: Server, keys: str = "") -> Iterator[tuple[dict, Callable]]:
    """Run the node with an accepted episode and that learner; give what /diagnostics says by name,
    and what waits for a condition.
    """
    labelled(EpisodeStore(tmp_path / "store"), "a")
    node = BridgeNode(parameter_overrides=overrides(tmp_path, server.address, keys))
    panel = Node("panel")
    told: dict[str, str] = {}
    panel.create_subscription(
        DiagnosticArray,
        "/diagnostics",
        lambda array: told.update({s.name.split(": ")[1]: s.message for s in array.status}),
        10,
    )
    executor = SingleThreadedExecutor()
    for each in (node, panel):
        executor.add_node(each)

    def until(true: Callable[[], bool]) -> None:
        end = time.monotonic() + 60.0
        while not true():
            assert time.monotonic() < end, told
            executor.spin_once(timeout_sec=0.02)
            server.step(0.02)

    try:
        yield told, until
    finally:
        node.close()
        executor.shutdown()
        node.destroy_node()
        panel.destroy_node()
        server.close()


def overrides(tmp_path: Path, address: str, keys: str) -> list[Parameter]:
    values = {
        "store": str(tmp_path / "store"),
        "link": str(tmp_path / "link"),
        "checkpoints": str(tmp_path / "checkpoints"),
        "robot_file": str(ROBOT_FILE),
        "task_file": str(TASK_FILE),
        "arms": ["left"],
        "learner": address,
        "actor": "robot1",
        "keys": keys,
    }
    return [Parameter(k, value=v) for k, v in values.items()]


def test_a_wrong_key_keeps_the_episode_here_and_is_told(ros, tmp_path):
    for side in ("here", "there"):
        for name in ("learner", "robot1"):
            new_identity(tmp_path / side, name)
    server = Server(
        tmp_path / "learner", "tcp://127.0.0.1:0", SteadyClock(), keys=tmp_path / "there"
    )
    with linked(tmp_path, server, keys=str(tmp_path / "here")) as (told, until):
        until(lambda: "key" in told.get("link", "") and any((tmp_path / "link/inbox").iterdir()))
        assert "no answer from the learner" in told["link"]
        assert not list(tmp_path.glob("learner/robots/*"))
    (tmp_path / "here" / "robot1.key").write_text("{}")
    with pytest.raises(InvalidValue, match=r"robot1\.key"):
        BridgeNode(parameter_overrides=overrides(tmp_path, server.address, str(tmp_path / "here")))


def test_a_learner_elsewhere_gets_the_episodes_and_diagnostics_tell_of_the_link(ros, tmp_path):
    server = Server(tmp_path / "learner", "tcp://127.0.0.1:0", SteadyClock(), limits=Limits())
    folder = tmp_path / "learner" / "robots" / "robot1" / "episodes" / "a"
    with linked(tmp_path, server) as (told, until):
        until(lambda: folder.is_dir() and told.get("link", "").startswith("learner at"))
        assert "episodes wait" in told["spool"]


def test_an_oversized_frame_of_the_learner_is_refused_and_told(ros, tmp_path, monkeypatch):
    def fetch(server: Server, sender: bytes, message: Message) -> None:
        header = make("chunk", version=message["version"], offset=message["offset"])
        server._send(sender, header, b"x" * (MAX_DATA + 1))

    monkeypatch.setattr(Server, "_fetch", fetch)
    server = Server(tmp_path / "learner", "tcp://127.0.0.1:0", SteadyClock(), limits=Limits())
    publish(tmp_path / "learner" / "checkpoints", "v000120")
    with linked(tmp_path, server) as (told, until):
        until(lambda: "checkpoint v000120 cannot be fetched" in told.get("link", ""))
        assert f"data must have 1 .. {MAX_DATA} bytes, got {MAX_DATA + 1}" in told["link"]
        until((tmp_path / "learner/robots/robot1/episodes/a").is_dir)
        assert not list((tmp_path / "checkpoints").glob("[!.]*")), "nothing for the policy to load"
