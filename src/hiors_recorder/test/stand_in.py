# SPDX-License-Identifier: Apache-2.0
"""A stand-in for arbiter, driver and camera: answers requests and streams their topics."""

from pathlib import Path

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import Image, JointState

from hiors_core.authority import Authority, Request
from hiors_core.homing import AT_HOME
from hiors_core.robot import load_robot
from hiors_interfaces.msg import ControlState, ExecutedAction
from hiors_interfaces.srv import ResetScene, SetAuthority
from hiors_ros import qos
from hiors_ros.images import to_message

CONFIG = Path(__file__).parents[3] / "config"
ROBOT = CONFIG / "robots" / "xtrainer.yaml"
TASK = CONFIG / "tasks" / "insert_moisturizer.yaml"


class StandIn(Node):
    """Holds, drives and goes home at once; ``requests`` and ``seeds`` say what was asked.

    ``ways_home`` are who and what ends the next ones before they are gone to the end.
    """

    def __init__(self) -> None:
        super().__init__("stand_in")
        self.robot = load_robot(ROBOT, ["left"])
        self.authority = Authority.HOLD
        self.refuse: set[Request] = set()
        self.refuse_once: set[Request] = set()
        self.ways_home: list[tuple[str, str]] = []
        self.requests: list[Request] = []
        self.seeds: list[int] = []
        self.silent = False
        self.alarm = ""
        self._epoch = 0
        self._reason = self._operator = ""
        self._tick = 0
        self._states = self._publisher(ControlState, "control/state")
        self._executed = self._publisher(ExecutedAction, "control/executed")
        self._joints = self._publisher(JointState, "joint_states")
        self._images = self._publisher(Image, "camera/top/color/image_raw")
        self.create_service(SetAuthority, "control/set_authority", self._on_request)
        self.create_service(ResetScene, "sim/reset_scene", self._on_reset)
        self.create_timer(1.0 / 30.0, self._step)

    def _publisher(self, kind: type, topic: str):
        return self.create_publisher(kind, topic, qos.profile(topic))

    def _on_request(self, request, response):
        wish = Request(request.request)
        self.requests.append(wish)
        response.success = wish not in self.refuse
        self.refuse -= self.refuse_once & {wish}
        response.message = "" if response.success else "not now"
        after = {Request.POLICY: Authority.POLICY, Request.STOP: Authority.STOPPED}
        if response.success:
            self.authority = after.get(wish, Authority.HOLD)
            self._epoch += 1
            self._reason, self._operator = request.reason, request.operator_name
            if wish is Request.HOME:
                self._operator, self._reason = (
                    self.ways_home.pop(0) if self.ways_home else (request.operator_name, AT_HOME)
                )
        response.authority = int(self.authority)
        response.epoch = self._epoch
        return response

    def _on_reset(self, request, response):
        self.seeds.append(request.seed)
        response.success = True
        return response

    def _step(self) -> None:
        if self.silent:
            return
        stamp = self.get_clock().now().to_msg()
        self._tick += 1
        state = ControlState(authority=int(self.authority), epoch=self._epoch)
        state.reason, state.operator_name = self._reason, self._operator
        state.problems = [self.alarm] if self.alarm else []
        state.ready = not self.alarm
        self._states.publish(state)
        if self.alarm:
            return
        position = (self.robot.home + 0.001 * self._tick).tolist()
        executed = ExecutedAction(tick=self._tick, epoch=self._epoch, position=position)
        executed.names = list(self.robot.names)
        executed.authority = int(self.authority)
        executed.policy_version = "v000000" if self.authority == Authority.POLICY else ""
        joints = JointState(name=list(self.robot.names), position=position)
        image = to_message(np.full((48, 64, 3), 90, np.uint8), "rgb8")
        for message, publisher in (
            (executed, self._executed),
            (joints, self._joints),
            (image, self._images),
        ):
            message.header.stamp = stamp
            publisher.publish(message)
