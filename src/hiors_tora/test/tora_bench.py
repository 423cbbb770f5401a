# SPDX-License-Identifier: Apache-2.0
"""The arbiter's side of the driver node: commands it, hears it, starts it as a process."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import JointState

from hiors_core.authority import Authority
from hiors_core.robot import load_robot
from hiors_interfaces.msg import ControlCommand, ExecutedAction
from hiors_ros import qos

DEADLINE = 30.0
ROBOT = Path(__file__).parents[3] / "config" / "robots" / "tora_one.yaml"
TASK = ROBOT.parents[1] / "tasks" / "raise_hand.yaml"


class Graph:
    """The test's own node; robot and driver run beside it."""

    def __init__(self, arms: tuple[str, ...] = ()) -> None:
        self.robot = load_robot(ROBOT, arms or None)
        self.node = rclpy.create_node("test_tora")
        self.processes: list[subprocess.Popen[str]] = []
        self.heard: dict[str, list[Any]] = {}
        self.problems: dict[str, str] = {}
        for kind, topic in (
            (JointState, "joint_states"),
            (PoseStamped, "ee_pose/left"),
            (ExecutedAction, "control/executed"),
        ):
            heard = self.heard.setdefault(topic, [])
            self.node.create_subscription(kind, topic, heard.append, qos.profile(topic))
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._diagnose, 10)
        self.commands = self.node.create_publisher(
            ControlCommand, "control/command", qos.profile("control/command")
        )
        self.position = self.robot.home.copy()
        self.goal = self.robot.home.copy()
        self.authority, self.epoch, self.tick = Authority.HOLD, 1, 0
        self.node.create_timer(1 / 30, self._send)

    def _diagnose(self, message: DiagnosticArray) -> None:
        self.problems.update({s.name: s.message for s in message.status})

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
        words = [sys.executable, "-m", module, "--ros-args"]
        for name, value in ({"robot_file": ROBOT} | parameters).items():
            words += ["-p", f"{name}:={value}"]
        process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        self.processes.append(process)
        return process

    def robot_and_driver(self, **parameters: object) -> "subprocess.Popen[str]":
        self.start("hiors_sim_ros.tora_sim_node", task_file=TASK, images=False)
        driver = self.start("hiors_tora.driver_node", **parameters)
        self.until(lambda: bool(self.heard["control/executed"]), "executed actions")
        return driver

    def until(self, condition: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + DEADLINE
        while not condition():
            if time.monotonic() > end:
                pytest.fail(f"waited in vain for: {what}; diagnostics: {self.problems}")
            rclpy.spin_once(self.node, timeout_sec=0.02)

    def call(self, kind: Any, name: str, **request: object) -> Any:
        client = self.node.create_client(kind, name)
        self.until(client.service_is_ready, name)
        future = client.call_async(kind.Request(**request))
        self.until(future.done, f"an answer of {name}")
        return future.result()

    @property
    def measured(self) -> np.ndarray:
        return np.array(self.heard["joint_states"][-1].position)

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.communicate()
        self.node.destroy_node()
