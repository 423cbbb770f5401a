# SPDX-License-Identifier: Apache-2.0
"""A person's seat at the graph, on any rclpy node: what is shown, and what is asked for.

Every callback runs in the node's thread; ``press`` and ``label`` may be called from any other.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node

from hiors_core.clock import Clock
from hiors_interfaces.msg import (
    ActionChunk,
    CheckpointInfo,
    ControlCommand,
    ControlState,
    EpisodeLabel,
    EpisodeStatus,
    LearnerStatus,
)
from hiors_ros import qos
from hiors_ros.person import Notice, Requests
from hiors_seat.actions import LABELS, REQUESTS, Action
from hiors_seat.health import Health
from hiors_seat.view import View

_POLL = 0.05


class Seat:
    """Subscribes to everything that a person wants to see and calls the two services.

    Args:
        source: front end, as labels and reasons name it.
        notice: takes one line of text for the person, in the node's thread.
        namespace: of the graph, from the root; empty: names are relative to the node.
    """

    def __init__(
        self, node: Node, source: str, notice: Notice, clock: Clock, namespace: str = ""
    ) -> None:
        self._node = node
        self.view = View(clock)
        self.health = Health(clock, namespace or node.get_namespace())
        self._requests = Requests(node, notice, clock, source, _prefix(namespace))
        self._wishes: deque[Callable[[], None]] = deque(maxlen=64)
        hear: tuple[tuple[Any, str, Callable[[Any], object]], ...] = (
            (ControlState, "control/state", self.view.on_control),
            (EpisodeStatus, "episode/status", self.view.on_episode),
            (EpisodeLabel, "episode/label", self.view.on_label),
            (ControlCommand, "control/command", self.health.on_command),
            (ActionChunk, "policy/chunk", self.health.on_chunk),
            (LearnerStatus, "learner/status", self.health.on_learner),
            (CheckpointInfo, "learner/checkpoint", self.health.on_checkpoint),
            (CheckpointInfo, "policy/checkpoint", self.health.on_checkpoint),
        )
        self._subscriptions = [
            node.create_subscription(kind, _prefix(namespace) + topic, take, qos.profile(topic))
            for kind, topic, take in hear
        ]
        self._subscriptions.append(
            node.create_subscription(
                DiagnosticArray, "/diagnostics", self.health.on_diagnostics, 10
            )
        )
        self._timer = node.create_timer(_POLL, self._poll)

    def press(self, action: Action, operator: str, episode_id: str = "") -> None:
        """Ask for what the button means."""
        if action is Action.TOGGLE:
            action = self.view.toggle
        if action in LABELS:
            outcome, what = LABELS[action]
            self._wish(
                lambda: self._requests.label(outcome, operator, what, episode_id=episode_id)
            )
        elif action in REQUESTS:
            request, what = REQUESTS[action]
            self._wish(lambda: self._requests.authority(request, operator, what))

    def label_stages(
        self, outcome: int, rewards: Sequence[float], labeler: str, episode_id: str
    ) -> None:
        """Label an episode with a reward for each stage; their sum is the return."""
        stages = tuple(rewards)
        self._wish(
            lambda: self._requests.label(
                outcome, labeler, "Stage rewards", episode_id=episode_id, stage_rewards=stages
            )
        )

    def state(self) -> dict[str, Any]:
        """Return everything but the list of episodes, JSON-ready."""
        return {**self.view.to_dict(), **self.health.to_dict()}

    def close(self) -> None:
        """Give everything back to the node, which lives on."""
        self._node.destroy_timer(self._timer)
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._requests.close()

    def _wish(self, wish: Callable[[], None]) -> None:
        self._wishes.append(wish)

    def _poll(self) -> None:
        while self._wishes:
            self._wishes.popleft()()
        self._requests.poll()


def _prefix(namespace: str) -> str:
    space = namespace.strip("/")
    return f"/{space}/" if space else ""
