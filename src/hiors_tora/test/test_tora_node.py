# SPDX-License-Identifier: Apache-2.0
"""The driver node against the simulated robot, both as processes: every way to send set-points."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")

from refusal import refusal
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import SetBool, Trigger
from tora_bench import ROBOT, Graph

from hiors_core.authority import Authority
from hiors_core.kinematics import ArmKinematics
from hiors_ros.conversions import to_array
from hiors_tora.driver_node import ToraNode

PACKAGE = Path(__file__).parents[1]


@pytest.fixture
def graph(ros: None) -> Iterator[Graph]:
    graph = Graph()
    yield graph
    graph.close()


def test_node_enables_drives_stops_at_the_estop_and_ends(graph: Graph) -> None:
    driver = graph.robot_and_driver()
    graph.authority = Authority.POLICY
    graph.goal[[3, 7, 8]] += [0.2, -0.5, -0.1]
    graph.spin_until(lambda: np.abs(graph.measured - graph.goal).max() < 0.01, "the goal")
    assert graph.heard["joint_states"][-1].name == list(graph.robot.names)
    executed = graph.heard["control/executed"][-1]
    assert (executed.epoch, executed.policy_version) == (1, "v000003")
    left = graph.robot.arms[0]
    pose = graph.heard["ee_pose/left"][-1]
    assert pose.header.frame_id == "torso_link"
    wanted = ArmKinematics(left).forward(graph.measured[:7])
    np.testing.assert_allclose(to_array(pose.pose)[:3], wanted[:3], atol=0.02)

    graph.call(SetBool, "sim/estop", data=True)
    graph.spin_until(lambda: "e-stop" in graph.problems.get("driver: arm left", ""), "the e-stop")
    refused = graph.call(Trigger, "driver/enable")
    assert (refused.success, "release it" in refused.message) == (False, True)
    graph.call(SetBool, "sim/estop", data=False)
    before = graph.measured
    graph.goal[3] -= 0.1
    graph.spin_until(lambda: abs(graph.position[3] - graph.goal[3]) < 1e-6, "the arbiter's way")
    np.testing.assert_allclose(graph.measured, before, atol=1e-6)
    graph.spin_until(lambda: graph.call(Trigger, "driver/enable").success, "being enabled")
    graph.spin_until(
        lambda: "HOLD or hand over" in graph.problems["driver: stream"], "wait for the arbiter"
    )
    np.testing.assert_allclose(graph.measured, before, atol=1e-6)
    graph.authority = Authority.HOLD
    graph.spin_until(
        lambda: "brings the command to the robot" in graph.problems["driver: stream"],
        "a command from where the robot stands",
    )
    np.testing.assert_allclose(graph.measured, before, atol=1e-6)
    graph.goal[3] += 0.1
    graph.spin_until(lambda: graph.problems["driver: stream"] == "streaming", "the stream")
    graph.goal[3] -= 0.1
    graph.spin_until(lambda: np.abs(graph.measured - graph.goal).max() < 0.01, "the new goal")
    driver.send_signal(signal.SIGTERM)
    assert driver.wait(timeout=10) == 0


@pytest.mark.parametrize("output", ["trajectory", "cartesian"])
def test_other_interfaces_reach_the_same_pose(graph: Graph, output: str) -> None:
    names = {"left.output": output, "right.output": output}
    graph.robot_and_driver(**names)
    graph.goal[[0, 3]] += [-0.1, 0.15]
    chain = ArmKinematics(graph.robot.arms[0])
    goal = chain.position(graph.goal[:7])

    def near() -> bool:
        return np.linalg.norm(chain.position(graph.measured[:7]) - goal) < 1e-3

    graph.spin_until(near, "the goal")
    # The robot's own inverse kinematics may leave the elbow elsewhere.
    tolerance = 0.1 if output == "cartesian" else 0.02
    np.testing.assert_allclose(graph.measured, graph.goal, atol=tolerance)


def test_another_publisher_on_the_arms_topic_is_a_fault(graph: Graph) -> None:
    graph.robot_and_driver()
    topic = "tora/left_arm_controller/commands"
    other = graph.node.create_publisher(Float64MultiArray, topic, 1)
    graph.spin_until(
        lambda: "would fight" in graph.problems.get("driver: arm left", ""), "the fault"
    )
    graph.node.destroy_publisher(other)
    graph.spin_until(lambda: graph.call(Trigger, "driver/enable").success, "being enabled")


def test_without_a_robot_it_waits_and_says_for_what(graph: Graph) -> None:
    graph.start("hiors_tora.driver_node")
    graph.spin_until(
        lambda: "left_shoulder_pitch" in graph.problems.get("driver: arm left", ""), "a reason"
    )
    refused = graph.call(Trigger, "driver/enable")
    assert not refused.success
    assert "no fresh joint state of left_shoulder_pitch" in refused.message
    assert "no service for it" in graph.call(Trigger, "driver/clear_error").message


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"left.ouput": "forward"}, "Unknown parameter 'left.ouput'.*Did you mean 'left.output'"),
        ({"left.output": "velocity"}, "Unknown value .*'velocity'.*cartesian, forward"),
        ({"robot_namespace": "''"}, "/joint_states, where the driver itself publishes.*namespace"),
        ({"left.joint_names": "[a, b]"}, "left.joint_names must be 7 different names.*got a, b"),
        ({"left.gripper_opened": 0.0}, "left.gripper_closed and gripper_opened must differ"),
        (
            {"enable_type": "trigger", "stop_action": "disable"},
            "stop_action: disable needs disable_service",
        ),
    ],
)
def test_wrong_parameters_are_refused_with_what_is_allowed(
    wrong: dict[str, object], message: str
) -> None:
    text = refusal(ToraNode, **{"robot_file": ROBOT} | wrong)
    assert re.search(message, text), text
