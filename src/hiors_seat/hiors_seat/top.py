# SPDX-License-Identifier: Apache-2.0
"""A node that listens to everything of a robot and says how it flows: what `hiors top` shows."""

from collections.abc import Callable
from functools import partial
from typing import Any

from geometry_msgs.msg import PoseStamped
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rich.console import RenderableType
from sensor_msgs.msg import Image, JointState

from hiors_core.clock import SteadyClock, to_s
from hiors_interfaces.msg import (
    ActionChunk,
    CheckpointInfo,
    ControlCommand,
    ControlState,
    EpisodeLabel,
    EpisodeStatus,
    ExecutedAction,
    LearnerStatus,
    TeleopCommand,
)
from hiors_ros import qos
from hiors_seat.board import board
from hiors_seat.seat import Seat
from hiors_seat.traffic import Flow, Traffic, stamp_of

TOPICS: dict[str, Any] = {
    "joint_states": JointState,
    "policy/chunk": ActionChunk,
    "control/command": ControlCommand,
    "control/executed": ExecutedAction,
    "teleop/command": TeleopCommand,
    "control/state": ControlState,
    "episode/status": EpisodeStatus,
    "episode/label": EpisodeLabel,
    "learner/status": LearnerStatus,
    "learner/checkpoint": CheckpointInfo,
    "policy/checkpoint": CheckpointInfo,
}
"""Listened to always. Cameras cost much and are listened to only when asked for."""
_STREAMS = {"camera/": Image, "objects/": PoseStamped, "ee_pose/": PoseStamped}


class Top:
    """Listens on a node that somebody else spins.

    Args:
        namespace: of the robot, such as robot1; empty for the root.
        cameras: listen to the images too, all of their bytes.
    """

    def __init__(self, node: Node, namespace: str = "", *, cameras: bool = False) -> None:
        self._node = node
        self._robot = f"/{namespace.strip('/')}".rstrip("/")
        self._seat = Seat(node, "top", lambda level, text: None, SteadyClock(), self._robot)
        streams = self._found(cameras)
        kinds = TOPICS | streams
        self._topics = (*streams, *TOPICS)
        self._traffic = Traffic(SteadyClock(), self._topics)
        for topic in self._topics:
            self._listen(kinds[topic], topic)

    def render(self) -> RenderableType:
        """Return the table as it is now."""
        flows = [self._flow(topic) for topic in self._topics]
        robot, view = self._robot or "/", self._seat.view
        return board(self._seat.state(), flows, robot, view.episodes())

    def _found(self, cameras: bool) -> dict[str, Any]:
        """Return the streams of the graph whose names are the robot's own."""
        found = {}
        for name, _ in sorted(self._node.get_topic_names_and_types()):
            topic = name.removeprefix(f"{self._robot}/")
            for family, kind in _STREAMS.items():
                wanted = cameras or family != "camera/"
                image = topic.endswith("/image_raw") or family != "camera/"
                if name != topic and topic.startswith(family) and wanted and image:
                    found[topic] = kind
        return found

    def _listen(self, kind: Any, topic: str) -> None:
        hear: Callable[[bytes], None] = partial(self._on_message, topic)
        events = SubscriptionEventCallbacks(
            message_lost=lambda event: self._traffic.on_lost(topic, event.total_count)
        )
        self._node.create_subscription(
            kind,
            f"{self._robot}/{topic}",
            hear,
            qos.profile(topic),
            raw=True,
            event_callbacks=events,
        )

    def _on_message(self, topic: str, raw: bytes) -> None:
        stamp = stamp_of(raw)
        now = self._node.get_clock().now().nanoseconds
        self._traffic.on_message(topic, None if stamp is None else to_s(now - stamp))

    def _flow(self, topic: str) -> Flow:
        return self._traffic.flow(topic, self._node.count_publishers(f"{self._robot}/{topic}"))
