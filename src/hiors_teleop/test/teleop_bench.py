# SPDX-License-Identifier: Apache-2.0
"""A robot that is where it is told, with the real arbiter: what a device drives in these tests."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import JointState
from witness import Witness, overrides

from hiors_core.authority import Authority, Request
from hiors_core.kinematics import ArmKinematics
from hiors_core.robot import load_robot
from hiors_interfaces.msg import ControlCommand, ControlState, TeleopCommand
from hiors_interfaces.srv import LabelEpisode, SetAuthority
from hiors_ros.conversions import to_pose

ROBOT = Path(__file__).parents[3] / "config" / "robots" / "xtrainer.yaml"


class Bench(Witness):
    """Robot, arbiter and label service as a device of a person meets them."""

    def __init__(self, folder: Path, driver: list[str] | None = None) -> None:
        self.robot = load_robot(ROBOT, ["left"])
        self.arm = self.robot.arms[0]
        self.kinematics = ArmKinematics(self.arm)
        self.position = self.robot.home.copy()
        super().__init__("bench", errors=folder / "stderr.txt")
        self.authority = Authority.HOLD
        self.commands = 0
        self.largest = 0.0
        self.teleop: list[Any] = []
        self.labels: list[tuple[int, str, str]] = []
        self._joints = self.advertise(JointState, "joint_states")
        self._tool = self.advertise(PoseStamped, "ee_pose/left")
        self.listen(ControlCommand, "control/command", self._on_command)
        self.listen(ControlState, "control/state", self._on_state)
        self.listen(TeleopCommand, "teleop/command", self.teleop.append)
        self.node.create_service(LabelEpisode, "episode/label_episode", self._on_label)
        if driver is None:
            self.node.create_timer(1 / 60, self._publish)
        else:
            self.listen(JointState, "joint_states", self._on_joints)
            self.run([*driver, *overrides({"robot_file": ROBOT, "arms": "[left]"})])
        self._simulates = driver is None
        patient = {"teleop_timeout": 1.0, "feedback_timeout": 2.0}
        self.start("hiors_control.arbiter_node", robot_file=ROBOT, arms="[left]", **patient)
        self.spin_until(lambda: self.commands > 3, "the arbiter")

    @property
    def tool(self) -> np.ndarray:
        """Pose (7,) of the tool."""
        return self.kinematics.forward(self.position[:6])

    def hear(self, count: int, what: str) -> None:
        """Wait for so many more commands of the device."""
        wanted = len(self.teleop) + count
        self.spin_until(lambda: len(self.teleop) >= wanted, what)

    def is_authority(self, name: str) -> Callable[[], bool]:
        return lambda: self.authority is Authority[name]

    def request(self, name: str) -> Any:
        """Ask the arbiter, as another front end does."""
        wanted = {"request": int(Request[name]), "operator_name": "somebody"}
        return self.call(SetAuthority, "control/set_authority", **wanted)

    def _on_command(self, message: Any) -> None:
        new = np.array(message.position)
        self.largest = max(self.largest, float(np.abs(new - self.position)[:6].max()))
        self.commands += 1
        if self._simulates:
            self.position = new

    def _on_joints(self, message: Any) -> None:
        self.position = np.array(message.position)

    def _on_state(self, message: Any) -> None:
        self.authority = Authority(message.authority)

    def _on_label(self, request: Any, response: Any) -> Any:
        self.labels.append((request.outcome, request.labeler, request.source))
        response.success = True
        return response

    def _publish(self) -> None:
        stamp = self.node.get_clock().now().to_msg()
        joints = JointState(name=list(self.robot.names), position=self.position.tolist())
        tool = PoseStamped(pose=to_pose(self.tool))
        joints.header.stamp = tool.header.stamp = stamp
        self._joints.publish(joints)
        self._tool.publish(tool)
