# SPDX-License-Identifier: Apache-2.0
"""Markers stand where the tools are, in the colour of who drove."""

import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("visualization_msgs")

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from visualization_msgs.msg import Marker, MarkerArray

from hiors_control.markers_node import TOPIC, MarkersNode
from hiors_control.paths import Paths
from hiors_core.authority import Authority
from hiors_core.clock import NS, to_ns
from hiors_core.errors import InvalidValue
from hiors_core.kinematics import ArmKinematics
from hiors_core.robot import load_robot
from hiors_interfaces.msg import ActionChunk, ControlState, ExecutedAction
from hiors_ros import qos
from hiors_ros.conversions import doubles, floats, to_stamp

ROBOT_FILE = Path(__file__).resolve().parents[3] / "config" / "robots" / "xtrainer.yaml"
ROBOT = load_robot(ROBOT_FILE, ["left"])
TIP = ArmKinematics(ROBOT.arms[0]).forward(ROBOT.arms[0].home)[:3]


def test_both_kinds_of_chunk_lead_through_the_same_points() -> None:
    paths = Paths(ROBOT, 5.0)
    paths.on_chunk("joint", ROBOT.names, np.tile(ROBOT.home, (3, 1)), NS, 0.1)
    np.testing.assert_allclose(paths.future(NS)[0], np.tile(TIP, (3, 1)), atol=1e-9)
    names = [f"left_{p}" for p in ("x", "y", "z", "rx", "ry", "rz")] + ["left_gripper"]
    action = np.array([[*TIP, 0.0, 0.0, 0.0, 1.0]])
    paths.on_chunk("ee", names, action, NS, 0.1)
    np.testing.assert_allclose(paths.future(NS)[0], [TIP])
    assert paths.future(NS + to_ns(0.1)) is None, "a chunk that lies behind is not shown"
    with pytest.raises(InvalidValue, match="columns"):
        paths.on_chunk("ee", names[::-1], action, NS, 0.1)


def test_the_trail_has_its_length_and_the_edge_is_seen() -> None:
    paths = Paths(ROBOT, 1.0)
    values = dict(zip(ROBOT.names, ROBOT.home, strict=True))
    for k in range(30):
        paths.on_executed(values, Authority.HUMAN, to_ns(0.1 * k))
    paths.on_executed({"left_joint1": 0.0}, Authority.HUMAN, to_ns(3.0))
    trail = paths.executed(to_ns(2.9))
    assert len(trail) == 11
    assert trail[0][0] is Authority.HUMAN
    assert not paths.near_edge(0, (ROBOT.arms[0].limits.workspace_lower + 0.1), 0.03)
    assert paths.near_edge(0, ROBOT.arms[0].limits.workspace_lower + 0.02, 0.03)


def test_a_joint_near_its_limit_is_named() -> None:
    paths = Paths(ROBOT, 1.0)
    assert paths.near_limits(0, 0.03) == []
    values = dict(zip(ROBOT.names, ROBOT.home, strict=True))
    paths.on_executed(values, Authority.POLICY, NS)
    assert paths.near_limits(0, 0.03) == []
    paths.on_executed(values | {"left_joint3": -2.7, "left_joint1": 6.2}, Authority.POLICY, NS)
    assert paths.near_limits(0, 0.03) == ["left_joint1", "left_joint3"]


def test_the_node_shows_what_it_hears(ros: None) -> None:
    values = {"robot_file": str(ROBOT_FILE), "arms": ["left"]}
    node = MarkersNode(parameter_overrides=[Parameter(n, value=v) for n, v in values.items()])
    other = rclpy.create_node("other")
    heard: list[MarkerArray] = []
    other.create_subscription(MarkerArray, TOPIC, heard.append, qos.profile(TOPIC))
    kinds = ((ActionChunk, "policy/chunk"), (ExecutedAction, "control/executed"))
    chunk, executed = (other.create_publisher(k, t, qos.profile(t)) for k, t in kinds)
    state = other.create_publisher(ControlState, "control/state", qos.profile("control/state"))
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    executor.add_node(other)
    deadline = time.monotonic() + 30.0

    def shown() -> dict[str, Marker]:
        markers = {m.ns: m for m in heard[-1].markers} if heard else {}
        return {n: m for n, m in markers.items() if m.action == Marker.ADD}

    while set(shown()) != {"workspace", "policy", "executed", "authority"}:
        assert time.monotonic() < deadline, f"only {sorted(shown())}"
        now = node.now_ns()
        state.publish(ControlState(authority=ControlState.HUMAN, operator_name="Ada"))
        message = ExecutedAction(names=ROBOT.names, authority=3, position=doubles(ROBOT.home))
        message.header.stamp = to_stamp(now)
        executed.publish(message)
        message = ActionChunk(action_space="joint", names=ROBOT.names, horizon=2, dt=5.0)
        message.obs_stamp, message.values = to_stamp(now), floats(np.tile(ROBOT.home, 2))
        chunk.publish(message)
        for _ in range(6):
            executor.spin_once(timeout_sec=0.05)
    found = shown()
    assert found["authority"].text == "Ada"
    assert len(found["workspace"].points) == 24
    assert found["policy"].header.frame_id == "left_base_link"
    end = found["policy"].points[-1]
    np.testing.assert_allclose([end.x, end.y, end.z], TIP, atol=1e-6)
    assert found["executed"].colors[0].g > found["executed"].colors[0].r
    executor.shutdown(timeout_sec=1.0)
    node.destroy_node()
    other.destroy_node()
