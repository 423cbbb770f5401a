# SPDX-License-Identifier: Apache-2.0
"""A publisher that cannot be heard is told on /diagnostics, and when it has gone."""

from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("rclpy")

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseStamped
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState

from hiors_ros.diagnostics import Level
from hiors_ros.node import HiorsNode

TURNS = 400
"""Of a tenth of a second at most."""


@pytest.fixture
def other() -> Iterator[Node]:
    """A node of another process, as far as the middleware can tell."""
    rclpy.init()
    context = rclpy.Context()
    context.init()
    node = Node("other", namespace="/lab", context=context)
    yield node
    node.destroy_node()
    context.shutdown()
    rclpy.shutdown()


class Scene:
    """A node that hears joint_states reliably, and what it says on /diagnostics."""

    def __init__(self, other: Node) -> None:
        self.node, self.told = HiorsNode("hearer", namespace="/lab"), DiagnosticStatus()
        self.names: list[str] = []
        self.node.subscribe(
            JointState, "joint_states", lambda _: None, profile=QoSProfile(depth=1)
        )
        other.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        self._executors = [SingleThreadedExecutor(), SingleThreadedExecutor(context=other.context)]
        for executor, node in zip(self._executors, (self.node, other), strict=True):
            executor.add_node(node)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self.names.append(status.name)
            if status.name == "lab/hearer: qos joint_states":
                self.told = status

    def spin(self, until: Callable[[], bool]) -> None:
        for _ in range(TURNS):
            for executor in self._executors:
                executor.spin_once(timeout_sec=0.05)
            if until():
                return
        raise AssertionError(f"in vain; told: {self.told}")

    def close(self) -> None:
        for executor in self._executors:
            executor.shutdown()
        self.node.destroy_node()


@pytest.mark.parametrize(
    ("kind", "reliability", "reason"),
    [
        (JointState, ReliabilityPolicy.BEST_EFFORT, "/lab/other offers other QoS"),
        (
            PoseStamped,
            ReliabilityPolicy.RELIABLE,
            "/lab/other sends geometry_msgs/msg/PoseStamped instead of sensor_msgs/msg/JointState",
        ),
    ],
)
def test_a_publisher_that_cannot_be_heard_is_told_until_it_goes(
    other: Node, kind: type, reliability: ReliabilityPolicy, reason: str
) -> None:
    profile = QoSProfile(depth=1, reliability=reliability)
    publisher = other.create_publisher(kind, "joint_states", profile)
    scene = Scene(other)
    scene.spin(lambda: scene.told.level == DiagnosticStatus.ERROR)
    assert "1 of 1 publishers of 'joint_states' cannot be heard" in scene.told.message
    assert reason in scene.told.message
    other.destroy_publisher(publisher)
    scene.spin(lambda: scene.told.level == DiagnosticStatus.OK)
    scene.close()


def test_of_a_publisher_that_is_heard_nothing_is_told(other: Node) -> None:
    scene = Scene(other)
    publisher = other.create_publisher(JointState, "joint_states", QoSProfile(depth=1))
    scene.spin(lambda: publisher.get_subscription_count() == 1)
    scene.node.diagnostics.set("turn", Level.OK, "")
    scene.spin(lambda: len(scene.names) >= 3)
    assert set(scene.names) == {"lab/hearer: turn"}
    scene.close()
