# SPDX-License-Identifier: Apache-2.0
"""The arbiter's side of the driver node: commands it, hears it, starts it as a process."""

import subprocess
from pathlib import Path

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import JointState
from witness import Witness

from hiors_core.authority import Authority
from hiors_core.robot import load_robot
from hiors_interfaces.msg import ControlCommand, ExecutedAction

ROBOT = Path(__file__).parents[3] / "config" / "robots" / "tora_one.yaml"
TASK = ROBOT.parents[1] / "tasks" / "raise_hand.yaml"


class Graph(Witness):
    """The test's own node; robot and driver run beside it."""

    def __init__(self, arms: tuple[str, ...] = ()) -> None:
        self.robot = load_robot(ROBOT, arms or None)
        super().__init__("test_tora")
        self.problems: dict[str, str] = {}
        for kind, topic in (
            (JointState, "joint_states"),
            (PoseStamped, "ee_pose/left"),
            (ExecutedAction, "control/executed"),
        ):
            self.listen(kind, topic)
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._diagnose, 10)
        self.commands = self.advertise(ControlCommand, "control/command")
        self.position = self.robot.home.copy()
        self.goal = self.robot.home.copy()
        self.authority, self.epoch, self.tick = Authority.HOLD, 1, 0
        self.node.create_timer(1 / 30, self._send)

    def _diagnose(self, message: DiagnosticArray) -> None:
        self.problems.update({s.name: s.message for s in message.status})

    def explain(self) -> str:
        return f"diagnostics: {self.problems}"

    def _send(self) -> None:
        step = 0.5 / 30
        self.position += np.clip(self.goal - self.position, -step, step)
        self.tick += 1
        message = ControlCommand(
            tick=self.tick,
            epoch=self.epoch,
            authority=int(self.authority),
            names=list(self.robot.names),
            position=self.position.tolist(),
            policy_version="v000003",
        )
        message.header.stamp = self.node.get_clock().now().to_msg()
        self.commands.publish(message)

    def start(self, module: str, **parameters: object) -> "subprocess.Popen[str]":
        return super().start(module, **{"robot_file": ROBOT} | parameters)

    def robot_and_driver(self, **parameters: object) -> "subprocess.Popen[str]":
        self.start("hiors_sim_ros.tora_sim_node", task_file=TASK, images=False)
        driver = self.start("hiors_tora.driver_node", **parameters)
        self.spin_until(lambda: bool(self.heard["control/executed"]), "executed actions")
        return driver

    @property
    def measured(self) -> np.ndarray:
        return np.array(self.heard["joint_states"][-1].position)
