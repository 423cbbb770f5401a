# SPDX-License-Identifier: Apache-2.0
"""What the policy node hears: the streams that its policy looks at, and whether a chunk is wanted.

Subscriptions write on the executor's thread, the inference thread reads. Knows no network.
"""

import threading
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import Image, JointState

from hiors_control.policy_parameters import PolicyParameters
from hiors_control.policy_streams import COMMAND, JOINTS, Streams, camera_topic, object_topic
from hiors_core.clock import to_ns, to_s
from hiors_core.errors import InvalidValue
from hiors_core.observation import Observation
from hiors_core.robot import RobotModel
from hiors_interfaces.msg import ControlCommand, ControlState
from hiors_policy.policy import PolicySpec
from hiors_ros.conversions import JointReader, to_array
from hiors_ros.conversions import to_ns as stamp_ns
from hiors_ros.diagnostics import Level
from hiors_ros.images import to_numpy
from hiors_ros.node import HiorsLifecycleNode


class PolicyInputs:
    """The subscriptions of ``node`` for a policy that looks at ``spec``."""

    def __init__(
        self,
        node: HiorsLifecycleNode,
        parameters: PolicyParameters,
        robot: RobotModel,
        spec: PolicySpec,
    ) -> None:
        self._node, self._parameters, self._robot = node, parameters, robot
        self._wake = threading.Condition()
        self._state: ControlState | None = None
        self._epoch = -1
        self._due = 0
        ages = {JOINTS: parameters.joints_max_age, COMMAND: parameters.command_max_age}
        ages |= {object_topic(n): parameters.objects_max_age for n in spec.objects}
        ages |= {camera_topic(n): parameters.cameras_max_age for n in spec.cameras}
        self._streams = Streams(
            ages, spec.objects, spec.cameras, lambda image: to_numpy(image, "rgb8")
        )
        self._joints = JointReader(robot.names)
        self._subscriptions = [
            node.subscribe(JointState, JOINTS, self._on_joints),
            node.subscribe(ControlCommand, COMMAND, self._on_command),
            node.subscribe(ControlState, "control/state", self._on_state),
            *(self._subscribe_object(name) for name in spec.objects),
            *(self._subscribe_camera(name) for name in spec.cameras),
        ]

    @property
    def wanted(self) -> bool:
        """Whether the arbiter takes chunks."""
        return self._state is not None and bool(self._state.wants_chunks)

    def wait(self, seconds: float) -> None:
        """Wait for something that a chunk may be due for."""
        with self._wake:
            self._wake.wait(seconds)

    def hurry(self) -> None:
        """Let the next chunk be due at once."""
        with self._wake:
            self._due = 0
            self._wake.notify()

    def close(self) -> None:
        """End the subscriptions; who waits goes on."""
        with self._wake:
            self._wake.notify()
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []

    def snapshot(self, now: int) -> tuple[Observation, int] | None:
        """Return an observation and its epoch when a chunk is due now [ns], else None.

        After a hand-over nothing is due until the executed command carries the new epoch.
        """
        with self._wake:
            state = self._state
            if state is None or now < self._due:
                return None
            if not self.wanted or self._epoch != state.epoch:
                return None
            if problems := self._problems(state, now):
                self._node.diagnostics.set(
                    "inference", Level.ERROR, f"no inference: {'; '.join(problems)}"
                )
                return None
            self._due = now + to_ns(self._parameters.replan_interval)
            return self._streams.observation(), int(state.epoch)

    def _problems(self, state: ControlState, now: int) -> list[str]:
        problems = self._streams.problems(now)
        age = to_s(now - stamp_ns(state.header.stamp))
        if age > self._parameters.state_max_age:
            problems.append(f"control/state: {age:.2f} s old")
        return problems

    def _subscribe_object(self, name: str) -> Any:
        topic = object_topic(name)
        return self._node.subscribe(
            PoseStamped, topic, lambda m: self._put(topic, m, to_array(m.pose))
        )

    def _subscribe_camera(self, name: str) -> Any:
        topic = camera_topic(name)
        return self._node.subscribe(Image, topic, lambda m: self._put(topic, m, m))

    def _put(self, topic: str, message: Any, value: Any) -> None:
        with self._wake:
            self._streams.put(topic, stamp_ns(message.header.stamp), value)

    def _on_joints(self, message: JointState) -> None:
        try:
            self._joints.update(message)
        except InvalidValue as error:
            self._node.diagnostics.set(JOINTS, Level.ERROR, str(error))
            return
        if self._joints.complete:
            self._put(JOINTS, message, self._joints.position.copy())

    def _on_command(self, message: ControlCommand) -> None:
        by_name = dict(zip(message.names, message.position, strict=False))
        if any(name not in by_name for name in self._robot.names):
            return
        position = np.array([by_name[name] for name in self._robot.names])
        with self._wake:
            self._epoch = int(message.epoch)
            self._streams.put(COMMAND, stamp_ns(message.header.stamp), position)
            self._wake.notify()

    def _on_state(self, message: ControlState) -> None:
        with self._wake:
            before, self._state = self._state, message
            if before is None or before.epoch != message.epoch:
                # After a change of authority the first chunk must come at once.
                self._due = 0
            self._wake.notify()
