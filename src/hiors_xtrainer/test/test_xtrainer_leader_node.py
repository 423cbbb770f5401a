# SPDX-License-Identifier: Apache-2.0
"""leader_node as a process, between the emulated leader and the real arbiter."""

import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")

from refusal import refusal
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger
from witness import DEADLINE, Witness

from hiors_core.authority import Authority
from hiors_core.robot import load_robot
from hiors_interfaces.msg import ControlCommand, ControlState, TeleopCommand
from hiors_sim.dynamixel import ButtonBoard, LeaderEmulator, leader_servos
from hiors_xtrainer.leader_calibration import save_calibration
from hiors_xtrainer.leader_mapping import LeaderMapping
from hiors_xtrainer.leader_node import LeaderNode
from hiors_xtrainer.leader_parameters import (
    SHIPPED_IDS,
    SHIPPED_SIGNS,
)
from hiors_xtrainer.leader_settings import LeaderCalibration

CALIBRATION = LeaderCalibration(
    offsets=(3631, 593, 3064, 2425, 1512, 4090), gripper_closed=2264, gripper_opened=1923
)


class Bench(Witness):
    """A robot that is where it is told, the arbiter, the leader and its node."""

    def __init__(self, robot_file: str, folder: Path) -> None:
        self.robot = load_robot(robot_file, ["left"])
        self.position = self.robot.home.copy()
        self.mapping = LeaderMapping(SHIPPED_SIGNS, CALIBRATION)
        self.leader = LeaderEmulator(leader_servos([*SHIPPED_IDS, 3, 8]), ButtonBoard())
        self.leader.start()
        self.place(self.robot.home[:6])
        self.calibration = folder / "leader.yaml"
        save_calibration(self.calibration, "left", CALIBRATION)
        super().__init__("test_leader", errors=folder / "stderr.txt")
        self.authority = Authority.HOLD
        self.engaged = False
        self.readings = 0
        self.steps: list[float] = []
        self._states = self.advertise(JointState, "joint_states")
        self.listen(ControlCommand, "control/command", self._on_command)
        self.listen(ControlState, "control/state", self._on_state)
        self.listen(TeleopCommand, "teleop/command", self._on_teleop)
        self.node.create_timer(1 / 60, self._publish)
        self.arguments = {
            "robot_file": robot_file,
            "arms": "[left]",
            "calibration_file": str(self.calibration),
            "left.port": self.leader.port,
            # A loaded machine must not look like a broken one.
            "patience": 1.0,
            "feedback_timeout": 2.0,
        }

    def _on_command(self, message: ControlCommand) -> None:
        new = np.array(message.position)
        self.steps.append(float(np.abs(new - self.position)[:6].max()))
        self.position = new

    def _on_state(self, message: ControlState) -> None:
        self.authority = Authority(message.authority)

    def _on_teleop(self, message: TeleopCommand) -> None:
        self.engaged = message.engaged
        self.readings += 1

    def _publish(self) -> None:
        message = JointState(name=list(self.robot.names), position=self.position.tolist())
        message.header.stamp = self.node.get_clock().now().to_msg()
        self._states.publish(message)

    def place(self, joints: np.ndarray, opening: float = 1.0) -> None:
        """Move the leader's joints by hand."""
        near = np.array([self.leader.servos[i].ticks for i in SHIPPED_IDS])
        for number, ticks in zip(SHIPPED_IDS, self.mapping.goal(joints, near), strict=True):
            self.leader.servos[number].place(int(ticks))
        stroke = CALIBRATION.gripper_opened - CALIBRATION.gripper_closed
        self.leader.servos[8].place(round(CALIBRATION.gripper_closed + opening * stroke))

    def start_leader(self, **other: object) -> subprocess.Popen[str]:
        return self.start("hiors_xtrainer.leader_node", **self.arguments | other)

    def start_arbiter(self) -> None:
        file = self.arguments["robot_file"]
        patient = {"teleop_timeout": 1.0, "feedback_timeout": 2.0}
        self.start("hiors_control.arbiter_node", robot_file=file, arms="[left]", **patient)

    def press(self, button: str, until: Callable[[], bool], what: str) -> None:
        """Hold a button down until something happens."""
        setattr(self.leader.board, button, True)
        self.spin_until(until, what)
        setattr(self.leader.board, button, False)

    def close(self) -> None:
        super().close()
        self.leader.stop()


@pytest.fixture
def bench(ros: None, robot_file: str, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(robot_file, tmp_path)
    yield bench
    bench.close()


def test_a_person_takes_over_with_the_button_drives_and_lets_go(bench: Bench) -> None:
    home = bench.robot.home[:6]
    away = home + np.array([0.3, 0.1, -0.2, 0.1, 0.2, -0.3])
    bench.place(away)
    bench.start_arbiter()
    process = bench.start_leader()
    bench.spin_until(lambda: len(bench.steps) > 3, "the arbiter")
    bench.spin_until(lambda: bench.readings > 10, "the leader")

    bench.press("a", lambda: bench.authority is Authority.HUMAN and bench.engaged, "the take-over")
    bench.spin_until(lambda: np.allclose(bench.position[:6], away, atol=0.01), "the leader's pose")
    moved = away + 0.15
    bench.place(moved, opening=0.4)
    bench.spin_until(lambda: np.allclose(bench.position[:6], moved, atol=0.01), "following")
    bench.spin_until(lambda: abs(bench.position[6] - 0.4) < 0.02, "the gripper")
    limits = bench.robot.arms[0].limits.velocity.max() / bench.robot.control_rate_hz
    assert max(bench.steps) <= limits + 1e-6

    bench.leader.fault.stall = True
    bench.spin_until(
        lambda: "no answer" in bench.call(Trigger, "leader/left/follow").message, "the loss"
    )
    bench.place(moved - 0.1)
    bench.leader.fault.stall = False
    bench.engaged = True
    bench.spin_until(lambda: not bench.engaged, "the stream after the loss, not engaged")
    np.testing.assert_allclose(bench.position[:6], moved, atol=0.01)

    answer = bench.call(Trigger, "leader/left/follow")
    assert answer.success, answer.message
    bench.spin_until(lambda: np.allclose(bench.position[:6], moved - 0.1, atol=0.02), "again")
    assert bench.call(Trigger, "leader/left/release").success
    bench.spin_until(lambda: bench.authority is Authority.HOLD, "the hold")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=DEADLINE) == 0


def test_alignment_brings_the_leader_to_the_robot_and_frees_it(bench: Bench) -> None:
    home = bench.robot.home[:6]
    bench.place(home + np.array([0, 0.8, 0, 0, 0, 0]))
    bench.start_leader()
    bench.spin_until(lambda: bench.node.count_publishers("teleop/command") > 0, "the node")
    refused = ""

    def refuses() -> bool:
        nonlocal refused
        refused = bench.call(Trigger, "leader/left/follow").message
        return "0.80 rad" in refused

    bench.spin_until(refuses, "the refusal")
    assert "left_joint2: the leader is 0.80 rad from the robot" in refused
    answer = bench.call(Trigger, "leader/left/align")
    assert answer.success, answer.message
    ticks = np.array([round(bench.leader.servos[i].ticks) for i in SHIPPED_IDS])
    np.testing.assert_allclose(bench.mapping.joints(ticks, home), home, atol=0.06)
    bench.spin_until(lambda: not bench.leader.servos[2].torque, "torque off")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"left.prot": "/dev/x"}, "Unknown parameter 'left.prot'.*Did you mean 'left.port'"),
        ({"left.read_address": 136}, "'left.read_address' must be 132 or 140, got 136"),
        ({"left.ids": "[1, 2]"}, "signs and gains must have one value for each of the 2 ids"),
        ({"left.board": "big"}, "Unknown value .*'big'.*none, plain, sensor"),
        ({"engage_limit": 2.0}, "'engage_limit'.* must be within 0.05 .. 0.6, got 2.0"),
    ],
)
def test_wrong_leader_parameters_are_refused(
    robot_file: str, wrong: dict[str, object], message: str
) -> None:
    right = {"robot_file": robot_file, "arms": "[left]", "left.port": "/dev/null"}
    text = refusal(LeaderNode, **right | wrong)
    assert re.search(message, text), text


def test_an_uncalibrated_leader_refuses_to_drive(bench: Bench) -> None:
    bench.calibration.unlink()
    bench.start_leader()
    told = ""

    def says_so() -> bool:
        nonlocal told
        told = bench.call(Trigger, "leader/left/follow").message
        return "calibrate" in told

    bench.spin_until(says_so, "the refusal")
    assert told == "left leader is not calibrated: run `hiors calibrate leader`"
