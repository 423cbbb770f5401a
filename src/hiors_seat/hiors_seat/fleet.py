# SPDX-License-Identifier: Apache-2.0
"""Every robot of the ROS domain at a glance: found by its control/state, told by its namespace."""

from collections.abc import Iterable, Sequence
from typing import Any

from rclpy.node import Node
from rclpy.subscription import Subscription

from hiors_core.clock import Clock, to_s
from hiors_interfaces.msg import CheckpointInfo, ControlState, EpisodeStatus, LearnerStatus
from hiors_ros import qos
from hiors_seat.health import Health
from hiors_seat.view import View, finite

MAX_ROBOTS = 64
_KIND = "hiors_interfaces/msg/ControlState"
_TOPIC = "/control/state"
_LOOK = 2.0
"""How often the graph is searched for robots [s]."""
_GONE = 60.0
"""A robot whose arbiter has been gone for this long is forgotten [s]."""
_JUDGED = 10
"""Success is the mean over this many judged episodes."""


class FleetRobot:
    """The newest of one robot of the fleet."""

    def __init__(self, node: Node, namespace: str, clock: Clock) -> None:
        self.namespace = namespace
        self.view = View(clock)
        self.health = Health(clock)
        self._clock = clock
        self._seen = clock.now()
        hear: tuple[tuple[Any, str, Any], ...] = (
            (ControlState, "control/state", self.view.on_control),
            (EpisodeStatus, "episode/status", self.view.on_episode),
            (LearnerStatus, "learner/status", self.health.on_learner),
            (CheckpointInfo, "policy/checkpoint", self.health.on_checkpoint),
        )
        self._subscriptions: list[Subscription] = [
            node.create_subscription(kind, f"{namespace}/{topic}", take, qos.profile(topic))
            for kind, topic, take in hear
        ]

    def is_gone(self, node: Node) -> bool:
        """Tell whether nobody has published its control/state for a minute."""
        if node.count_publishers(self.namespace + _TOPIC):
            self._seen = self._clock.now()
        return to_s(self._clock.now() - self._seen) > _GONE

    def close(self, node: Node) -> None:
        """Give the subscriptions back."""
        for subscription in self._subscriptions:
            node.destroy_subscription(subscription)

    def to_dict(self) -> dict[str, Any]:
        """Return what is known, JSON-ready."""
        state, health = self.view.to_dict(), self.health.to_dict()
        control, learner = state["control"], health["learner"]
        episodes = self.view.episodes()
        return {
            "name": self.namespace.strip("/") or "robot",
            "namespace": self.namespace,
            "authority": control["authority"],
            "operator": control.get("operator", ""),
            "problems": control["problems"],
            "rate": control.get("rate"),
            "task": episodes[0]["task"] if episodes else "",
            "waiting": len(state["label_pending"]),
            **success(episodes),
            "learner": learner["state"] if learner else None,
            "step": learner["step"] if learner else None,
            "checkpoint": (health["checkpoint"]["active"] or {}).get("version"),
        }


class Fleet:
    """The robots of the domain, the node's own among them."""

    def __init__(self, node: Node, clock: Clock) -> None:
        self._node = node
        self._clock = clock
        self._robots: dict[str, FleetRobot] = {}
        self._timer = node.create_timer(_LOOK, self.look)
        self.look()

    def look(self) -> None:
        """Find robots that came, forget those that are long gone."""
        for namespace in namespaces(self._node.get_topic_names_and_types()):
            new = namespace not in self._robots and len(self._robots) < MAX_ROBOTS
            if new and self._node.count_publishers(namespace + _TOPIC):
                self._robots[namespace] = FleetRobot(self._node, namespace, self._clock)
        for namespace, robot in list(self._robots.items()):
            if robot.is_gone(self._node):
                robot.close(self._node)
                del self._robots[namespace]

    def rows(self) -> list[dict[str, Any]]:
        """Return one row a robot, by name."""
        return [self._robots[name].to_dict() for name in sorted(self._robots)]

    def close(self) -> None:
        """Give everything back to the node, which lives on."""
        self._node.destroy_timer(self._timer)
        for robot in self._robots.values():
            robot.close(self._node)
        self._robots = {}


def namespaces(topics: Iterable[tuple[str, Sequence[str]]]) -> list[str]:
    """Return the namespaces (such as /robot1, or empty) that have the topic of an arbiter."""
    return sorted(
        name.removesuffix(_TOPIC)
        for name, kinds in topics
        if name.endswith(_TOPIC) and _KIND in kinds
    )


def success(episodes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the success of the newest judged episodes (newest first), and how many they are."""
    judged = [
        1.0 if e["outcome"] == "success" else min(1.0, max(0.0, e["return"] or 0.0))
        for e in episodes
        if e["outcome"] in ("success", "failure", "return")
    ][:_JUDGED]
    share = finite(sum(judged) / len(judged)) if judged else None
    return {"success": share, "judged": len(judged)}
