# SPDX-License-Identifier: Apache-2.0
"""The driver node as a process: topics, services, refusals, and its end."""

import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

from geometry_msgs.msg import PoseStamped
from refusal import refusal
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger
from witness import DEADLINE, Witness

from hiors_core.authority import Authority
from hiors_core.clock import SteadyClock
from hiors_core.kinematics import ArmKinematics
from hiors_core.robot import load_robot
from hiors_interfaces.msg import ControlCommand, DriverState, ExecutedAction
from hiors_ros.conversions import to_array
from hiors_sim.dobot import DobotEmulator
from hiors_sim.plant import KinematicArm
from hiors_xtrainer.driver_node import XTrainerNode


class Graph(Witness):
    """A node in the test's process and the driver in another."""

    def __init__(self, robot_file: str, folder: str) -> None:
        self.robot = load_robot(robot_file, ["left"])
        self.clock = SteadyClock()
        arm = self.robot.arms[0]
        self.emulator = DobotEmulator(KinematicArm(arm.home, self.clock), arm)
        self.emulator.start()
        super().__init__("test_driver")
        self.listen(JointState, "joint_states")
        self.listen(PoseStamped, "ee_pose/left")
        self.listen(ExecutedAction, "control/executed")
        self.listen(DriverState, "driver/state")
        self.publisher = self.advertise(ControlCommand, "control/command")
        ports = self.emulator.ports
        self.arguments = {
            "robot_file": robot_file,
            "arms": "[left]",
            "lock_folder": folder,
            "left.host": self.emulator.host,
            "left.dashboard_port": ports.dashboard,
            "left.motion_port": ports.motion,
            "left.feedback_port": ports.feedback,
            "left.timeout": 1.0,
        }

    def start(self, **other: object) -> subprocess.Popen[str]:
        return super().start("hiors_xtrainer.driver_node", **self.arguments | other)

    def told(self, state: int, words: str = "") -> None:
        """Wait until driver/state says so of the left arm."""

        def said() -> bool:
            heard = [m for m in self.heard["driver/state"] if m.states]
            return bool(heard) and heard[-1].states[0] == state and words in heard[-1].reasons[0]

        self.spin_until(said, f"{state} on driver/state, with '{words}'")

    def close(self) -> None:
        super().close()
        self.emulator.stop()


@pytest.fixture
def graph(ros: None, robot_file: str, tmp_path: Any) -> Iterator[Graph]:
    graph = Graph(robot_file, str(tmp_path))
    yield graph
    graph.close()


def test_node_drives_reports_recovers_and_ends(graph: Graph) -> None:
    process = graph.start()
    try:
        states, executed = graph.heard["joint_states"], graph.heard["control/executed"]
        graph.spin_until(lambda: len(states) > 3, "joint_states")
        assert states[-1].name == list(graph.robot.names)
        np.testing.assert_allclose(states[-1].position[:6], graph.robot.home[:6], atol=1e-4)
        graph.spin_until(lambda: bool(graph.heard["ee_pose/left"]), "ee_pose")
        pose = graph.heard["ee_pose/left"][-1]
        assert pose.header.frame_id == "left_base_link"
        wanted = ArmKinematics(graph.robot.arms[0]).forward(graph.robot.home[:6])
        np.testing.assert_allclose(to_array(pose.pose), wanted, atol=1e-4)

        goal = graph.robot.home.copy()
        sent = iter(range(1, 10_000))

        def send() -> None:
            goal[0] = min(goal[0] + 0.01, graph.robot.home[0] + 0.2)
            message = ControlCommand(
                tick=next(sent),
                epoch=4,
                authority=int(Authority.POLICY),
                names=list(graph.robot.names),
                position=goal.tolist(),
                policy_version="v000003",
                chunk_sequence=9,
            )
            message.header.stamp = graph.node.get_clock().now().to_msg()
            graph.publisher.publish(message)

        timer = graph.node.create_timer(1 / 30, send)
        graph.spin_until(
            lambda: bool(executed) and executed[-1].tick > 5,
            "executed actions that follow",
        )
        graph.spin_until(
            lambda: abs(states[-1].position[0] - graph.robot.home[0] - 0.2) < 0.01, "the goal"
        )
        assert (executed[-1].epoch, executed[-1].policy_version) == (4, "v000003")
        assert executed[-1].chunk_sequence == 9

        graph.told(DriverState.READY)
        graph.emulator.call(lambda c: c.state.raise_alarm(117))
        graph.told(DriverState.FAULT, "collision detected")
        refused = graph.call(Trigger, "driver/enable")
        assert not refused.success
        assert "collision detected" in refused.message
        assert graph.call(Trigger, "driver/clear_error").success
        assert graph.call(Trigger, "driver/enable").message == "left: enabled"
        graph.told(DriverState.READY)
        timer.cancel()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
        graph.told(DriverState.DISCONNECTED, "its driver ended")
    finally:
        process.kill()
        process.communicate()


def test_a_second_driver_of_the_arm_is_refused_and_the_first_drives_on(
    graph: Graph, tmp_path_factory: pytest.TempPathFactory
) -> None:
    first = graph.start()
    try:
        graph.spin_until(lambda: bool(graph.heard["joint_states"]), "the first driver")
        second = graph.start()
        _, text = second.communicate(timeout=DEADLINE)
        assert second.returncode == 2
        assert f"is already driven by process {first.pid}. Stop that driver first" in text
        assert graph.emulator.call(lambda c: c.commands["enablerobot"]) == 1
        elsewhere = graph.start(lock_folder=tmp_path_factory.mktemp("another_machine"))
        _, text = elsewhere.communicate(timeout=DEADLINE)
        assert elsewhere.returncode == 2
        wanted = f"left of /driver/state is already driven by {socket.gethostname()}:{first.pid}"
        assert wanted in text
        heard = len(graph.heard["joint_states"])
        graph.spin_until(lambda: len(graph.heard["joint_states"]) > heard + 10, "its feedback")
        graph.told(DriverState.READY)
        assert graph.emulator.call(lambda c: c.commands["enablerobot"]) == 1
    finally:
        first.kill()
        first.communicate()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"left.hots": "10.0.0.1"}, "Unknown parameter 'left.hots'.*Did you mean 'left.host'"),
        ({"left.stop_action": "brake"}, "Unknown value .*'brake'.*emergency_stop, hold, reset"),
        ({"servo_rate": 500.0}, "'servo_rate'.* must be within 10.0 .. 50.0, got 500.0"),
        ({"arms": "[middle]"}, "Unknown arm 'middle'.*left, right"),
    ],
)
def test_wrong_parameters_are_refused_with_what_is_allowed(
    robot_file: str, wrong: dict[str, object], message: str
) -> None:
    right = {"robot_file": robot_file, "arms": "[left]", "left.host": "127.0.0.1"}
    text = refusal(XTrainerNode, **right | wrong)
    assert re.search(message, text), text
