# SPDX-License-Identifier: Apache-2.0
"""Set-points as messages: what the controllers of ros2_control and their kin subscribe to.

A port publishes for one arm; a robot's controller is thereby its only listener, and it the
controller's only publisher.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import PoseStamped
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import QoSProfile
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from hiors_core.clock import NS, to_ns
from hiors_core.kinematics import ArmKinematics
from hiors_ros.conversions import doubles, to_pose

Array = NDArray[np.float64]

COMMAND_QOS = QoSProfile(depth=1)
"""Reliable; only the newest set-point counts."""


class Output(Protocol):
    """A way to send set-points (n,), or the gripper's position (1,)."""

    @property
    def failure(self) -> str | None:
        """Why nothing arrives, None while it does."""

    def send(self, values: Array) -> None:
        """Send a set-point."""

    def reset(self) -> None:
        """Forget a failure."""

    def cancel(self) -> None:
        """Give up what is under way, where the interface has such a thing."""


class TopicOutput:
    """Publishes set-points on a topic."""

    def __init__(
        self, node: Node, kind: type, topic: str, build: Callable[[Array], Any], parameter: str
    ) -> None:
        """``parameter`` names the parameter that chooses the topic, for the person to look at."""
        self._node, self._build, self._parameter = node, build, parameter
        self._publisher = node.create_publisher(kind, topic, COMMAND_QOS)
        self._topic = self._publisher.topic_name
        self._failure: str | None = None
        self.watch()

    @property
    def failure(self) -> str | None:
        """Why nothing arrives."""
        return self._failure

    def watch(self) -> None:
        """Look who else is on the topic; the node calls it now and then."""
        listeners = self._node.count_subscribers(self._topic)
        others = self._node.count_publishers(self._topic) - 1
        if others > 0:
            self._failure = (
                f"{others} other publisher(s) on {self._topic}: two would fight over the arm."
                " Stop the other one"
            )
        elif not listeners:
            self._failure = (
                f"nobody subscribes to {self._topic}: start the robot's controller, or name its"
                f" topic in {self._parameter}"
            )
        else:
            self._failure = None

    def send(self, values: Array) -> None:
        """Publish a set-point."""
        self._publisher.publish(self._build(values))

    def reset(self) -> None:
        """Nothing to forget: what fails is looked at anew by ``watch``."""

    def cancel(self) -> None:
        """Nothing to give up: a controller holds its last set-point."""


class Port:
    """One arm's outputs together, as ToraArm wants them."""

    def __init__(self, joints: Output, gripper: Output | None) -> None:
        self._joints, self._gripper = joints, gripper
        self.outputs = [joints] if gripper is None else [joints, gripper]

    @property
    def failure(self) -> str | None:
        """The first failure of the outputs."""
        return next((f for output in self.outputs if (f := output.failure)), None)

    def send(self, joints: Array) -> None:
        """Send joints (n,) [rad]."""
        self._joints.send(joints)

    def grip(self, position: float) -> None:
        """Send the gripper's position, in its own unit."""
        if self._gripper is not None:
            self._gripper.send(np.array([position]))

    def reset(self) -> None:
        """Forget failures."""
        for output in self.outputs:
            output.reset()

    def cancel(self) -> None:
        """Give up what is under way."""
        for output in self.outputs:
            output.cancel()


def float_array(values: Array) -> Float64MultiArray:
    """Return what forward_command_controller takes: values in the order of its joints."""
    return Float64MultiArray(data=doubles(values))


def trajectory(names: Sequence[str], seconds: float) -> Callable[[Array], JointTrajectory]:
    """Return a maker of trajectories of one point, to be reached in ``seconds`` from arrival."""
    whole, rest = divmod(to_ns(seconds), NS)

    def build(values: Array) -> JointTrajectory:
        # A stamp of zero means: begin now. It needs no agreement of clocks.
        point = JointTrajectoryPoint(
            positions=doubles(values), time_from_start=Duration(sec=whole, nanosec=rest)
        )
        return JointTrajectory(joint_names=list(names), points=[point])

    return build


def tool_pose(node: Node, chain: ArmKinematics, frame: str) -> Callable[[Array], PoseStamped]:
    """Return a maker of the tool pose in the arm's base frame that the joints mean."""

    def build(values: Array) -> PoseStamped:
        message = PoseStamped(pose=to_pose(chain.forward(values)))
        message.header.stamp = node.get_clock().now().to_msg()
        message.header.frame_id = frame
        return message

    return build
