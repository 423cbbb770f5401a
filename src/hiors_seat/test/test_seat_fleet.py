# SPDX-License-Identifier: Apache-2.0
"""Robots are found by their control/state, told apart by namespace, forgotten when long gone."""

import time
from typing import Any

import pytest

pytest.importorskip("rclpy")

import rclpy
from rclpy.executors import SingleThreadedExecutor

from hiors_core.clock import FakeClock
from hiors_interfaces.msg import ControlState, EpisodeStatus, LearnerStatus
from hiors_ros import qos
from hiors_seat.fleet import Fleet, namespaces, success

KIND = ["hiors_interfaces/msg/ControlState"]


def episode(outcome: str, value: float = 0.0) -> dict[str, Any]:
    return {"outcome": outcome, "return": value}


def test_namespaces_of_arbiters_only() -> None:
    topics = [
        ("/lab/robot2/control/state", KIND),
        ("/control/state", KIND),
        ("/other/control/state", ["std_msgs/msg/String"]),
        ("/robot1/control/command", ["hiors_interfaces/msg/ControlCommand"]),
    ]
    assert namespaces(topics) == ["", "/lab/robot2"]


def test_success_is_of_the_newest_judged() -> None:
    assert success([episode("none"), episode("discard")]) == {"success": None, "judged": 0}
    newest = [episode("none"), episode("success", 1.0), episode("return", 0.5)]
    assert success(newest) == {"success": 0.75, "judged": 2}
    assert success([episode("success")] * 10 + [episode("failure")] * 9)["success"] == 1.0


def test_the_fleet_follows_the_graph(ros: None) -> None:
    clock = FakeClock(10**9)
    watcher, robot = rclpy.create_node("watcher"), rclpy.create_node("arbiter", namespace="robot1")
    kinds = (
        (ControlState, "control/state"),
        (LearnerStatus, "learner/status"),
        (EpisodeStatus, "episode/status"),
    )
    control, learner, status = (
        robot.create_publisher(kind, topic, qos.profile(topic)) for kind, topic in kinds
    )
    control.publish(ControlState(authority=ControlState.HUMAN, operator_name="Ada", rate_hz=30.0))
    learner.publish(LearnerStatus(state=LearnerStatus.TRAINING, step=7))
    status.publish(EpisodeStatus(episode_id="e1", task="insert", state=EpisodeStatus.SEALED))
    # Who only listens is no robot.
    watcher.create_subscription(
        ControlState, "nobody/control/state", print, qos.profile("control/state")
    )
    fleet = Fleet(watcher, clock)
    executor = SingleThreadedExecutor()
    executor.add_node(watcher)
    deadline = time.monotonic() + 30.0

    def found() -> dict[str, Any]:
        # Nodes of an earlier test may be in the graph for a moment still.
        return next((row for row in fleet.rows() if row["name"] == "robot1"), {})

    while not all(found().get(what) for what in ("step", "waiting", "authority")):
        assert time.monotonic() < deadline, fleet.rows()
        fleet.look()
        executor.spin_once(timeout_sec=0.1)
    row = found()
    assert (row["name"], row["authority"], row["operator"]) == ("robot1", "HUMAN", "Ada")
    assert (row["learner"], row["task"], row["success"]) == ("training", "insert", None)
    assert not any(row["name"] == "nobody" for row in fleet.rows())
    clock.advance(3.0)
    assert found()["authority"] is None, "an arbiter that is silent drives nothing"
    robot.destroy_node()
    while watcher.count_publishers("/robot1/control/state"):
        assert time.monotonic() < deadline
        executor.spin_once(timeout_sec=0.1)
    clock.advance(30.0)
    fleet.look()
    assert found()
    clock.advance(61.0)
    fleet.look()
    assert not found()
    fleet.close()
    executor.shutdown(timeout_sec=1.0)
    watcher.destroy_node()
