# SPDX-License-Identifier: Apache-2.0
"""A robot that is where it is told, with the real arbiter: what a device drives in these tests."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROBOT = Path(__file__).parents[3] / "config" / "robots" / "xtrainer.yaml"
DEADLINE = 30.0


class Bench:
    """Robot, arbiter and label service as a device of a person meets them."""

    def __init__(self, folder: Path, driver: list[str] | None = None) -> None:
        import rclpy
        from geometry_msgs.msg import PoseStamped
        from sensor_msgs.msg import JointState

        from hiors_core.authority import Authority
        from hiors_core.kinematics import ArmKinematics
        from hiors_core.robot import load_robot
        from hiors_interfaces.msg import ControlCommand, ControlState, TeleopCommand
        from hiors_interfaces.srv import LabelEpisode, SetAuthority
        from hiors_ros import qos

        self._rclpy, self._qos, self._authorities = rclpy, qos, Authority
        self.robot = load_robot(ROBOT, ["left"])
        self.arm = self.robot.arms[0]
        self.kinematics = ArmKinematics(self.arm)
        self.position = self.robot.home.copy()
        self.node = rclpy.create_node("bench")
        self.authority = Authority.HOLD
        self.commands = 0
        self.largest = 0.0
        self.teleop: list[Any] = []
        self.labels: list[tuple[int, str, str]] = []
        self.errors = folder / "stderr.txt"
        self.processes: list[subprocess.Popen[bytes]] = []
        self._joints = self.advertise(JointState, "joint_states")
        self._tool = self.advertise(PoseStamped, "ee_pose/left")
        self._listen(ControlCommand, "control/command", self._on_command)
        self._listen(ControlState, "control/state", self._on_state)
        self._listen(TeleopCommand, "teleop/command", self.teleop.append)
        self.node.create_service(LabelEpisode, "episode/label_episode", self._on_label)
        self._requests = self.node.create_client(SetAuthority, "control/set_authority")
        if driver is None:
            self.node.create_timer(1 / 60, self._publish)
        else:
            self._listen(JointState, "joint_states", self._on_joints)
            self.run([*driver, "--ros-args", "-p", f"robot_file:={ROBOT}", "-p", "arms:=[left]"])
        self._simulates = driver is None
        patient = {"teleop_timeout": 1.0, "feedback_timeout": 2.0}
        self.start("hiors_control.arbiter_node", robot_file=ROBOT, arms="[left]", **patient)
        self.spin_until(lambda: self.commands > 3, "the arbiter")

    @property
    def tool(self) -> np.ndarray:
        """Pose (7,) of the tool."""
        return self.kinematics.forward(self.position[:6])

    def advertise(self, kind: Any, topic: str) -> Any:
        return self.node.create_publisher(kind, topic, self._qos.profile(topic))

    def start(self, module: str, **parameters: object) -> "subprocess.Popen[bytes]":
        words = [sys.executable, "-c", f"from {module} import main; raise SystemExit(main())"]
        return self.run([*words, "--ros-args", *_overrides(parameters)])

    def run(self, words: list[str], **options: Any) -> "subprocess.Popen[bytes]":
        with self.errors.open("ab") as errors:
            process = subprocess.Popen(words, stderr=errors, **options)
        self.processes.append(process)
        return process

    def spin_until(self, condition: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + DEADLINE
        while not condition():
            if time.monotonic() > end:
                pytest.fail(f"waited in vain for: {what}\n{self.errors.read_text()}")
            self._rclpy.spin_once(self.node, timeout_sec=0.02)

    def hear(self, count: int, what: str) -> None:
        """Wait for so many more commands of the device."""
        wanted = len(self.teleop) + count
        self.spin_until(lambda: len(self.teleop) >= wanted, what)

    def is_authority(self, name: str) -> Callable[[], bool]:
        return lambda: self.authority is self._authorities[name]

    def request(self, name: str) -> Any:
        """Ask the arbiter, as another front end does."""
        from hiors_core.authority import Request
        from hiors_interfaces.srv import SetAuthority

        self.spin_until(self._requests.service_is_ready, "control/set_authority")
        call = SetAuthority.Request(request=int(Request[name]), operator_name="somebody")
        future = self._requests.call_async(call)
        self.spin_until(future.done, name)
        return future.result()

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        self.node.destroy_node()

    def _listen(self, kind: Any, topic: str, callback: Callable[[Any], None]) -> None:
        self.node.create_subscription(kind, topic, callback, self._qos.profile(topic))

    def _on_command(self, message: Any) -> None:
        new = np.array(message.position)
        self.largest = max(self.largest, float(np.abs(new - self.position)[:6].max()))
        self.commands += 1
        if self._simulates:
            self.position = new

    def _on_joints(self, message: Any) -> None:
        self.position = np.array(message.position)

    def _on_state(self, message: Any) -> None:
        self.authority = self._authorities(message.authority)

    def _on_label(self, request: Any, response: Any) -> Any:
        self.labels.append((request.outcome, request.labeler, request.source))
        response.success = True
        return response

    def _publish(self) -> None:
        from geometry_msgs.msg import PoseStamped
        from sensor_msgs.msg import JointState

        from hiors_ros.conversions import to_pose

        stamp = self.node.get_clock().now().to_msg()
        joints = JointState(name=list(self.robot.names), position=self.position.tolist())
        tool = PoseStamped(pose=to_pose(self.tool))
        joints.header.stamp = tool.header.stamp = stamp
        self._joints.publish(joints)
        self._tool.publish(tool)


def _overrides(parameters: dict[str, object]) -> list[str]:
    return [word for name, value in parameters.items() for word in ("-p", f"{name}:={value}")]


@pytest.fixture
def make_bench(ros: None, tmp_path: Path) -> Iterator[Callable[[list[str]], Bench]]:
    """Make a bench with a driver of one's own in place of the simulated robot."""
    benches: list[Bench] = []

    def make(driver: list[str]) -> Bench:
        benches.append(Bench(tmp_path, driver))
        return benches[-1]

    yield make
    for bench in benches:
        bench.close()


@pytest.fixture
def bench(ros: None, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


@pytest.fixture
def robot_file() -> Path:
    return ROBOT
