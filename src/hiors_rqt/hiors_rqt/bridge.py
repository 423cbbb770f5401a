# SPDX-License-Identifier: Apache-2.0
"""Carries the seat's news from the thread that spins to the thread that draws.

The seat's callbacks only emit signals; Qt queues them to the panel's thread.
"""

from typing import Any

from rclpy.exceptions import NameValidationException
from rclpy.node import Node
from rclpy.validate_namespace import validate_namespace

from hiors_core.clock import SteadyClock
from hiors_core.errors import InvalidValue
from hiors_rqt.qt import QtCore, Signal
from hiors_seat.actions import Action
from hiors_seat.seat import Seat

_PERIOD = 0.2


class Bridge(QtCore.QObject):  # type: ignore[misc]
    """A seat at a node that somebody else spins.

    Args:
        namespace: of the graph, such as robot1; empty for the root.
    """

    state = Signal(object)
    episodes = Signal(object)
    notice = Signal(str, str)

    def __init__(self, node: Node, namespace: str = "", parent: Any = None) -> None:
        super().__init__(parent)
        self._node = node
        self.operator = "operator"
        self._revision = -1
        self._timer: Any = None
        self._seat: Seat | None = None
        self.connect_to(namespace)

    def connect_to(self, namespace: str) -> None:
        """Sit down at another graph; InvalidValue, and nothing changes, when it can be none."""
        try:
            validate_namespace(f"/{namespace.strip('/')}")
        except NameValidationException as error:
            raise InvalidValue(
                f"A namespace is like robot1 or lab/robot1, got '{namespace}'."
            ) from error
        self.close()
        self.namespace = namespace
        self._revision = -1
        self._seat = Seat(self._node, "rqt", self.notice.emit, SteadyClock(), namespace)
        self._timer = self._node.create_timer(_PERIOD, self._tell)

    def repeat(self) -> None:
        """Send the episodes again: somebody new listens."""
        self._revision = -1

    def press(self, action: Action, episode_id: str = "") -> None:
        """Ask for what a button means; returns at once."""
        if self._seat is not None:
            self._seat.press(action, self.operator, episode_id)

    def label_stages(self, outcome: int, rewards: tuple[float, ...], episode_id: str) -> None:
        """Label an episode with stage rewards; returns at once."""
        if self._seat is not None:
            self._seat.label_stages(outcome, rewards, self.operator, episode_id)

    def close(self) -> None:
        """Leave the node as it was."""
        if self._seat is not None:
            self._node.destroy_timer(self._timer)
            self._seat.close()
            self._seat = None

    def _tell(self) -> None:
        seat = self._seat
        if seat is None:
            return
        self.state.emit(seat.state())
        if seat.view.revision != self._revision:
            self._revision = seat.view.revision
            self.episodes.emit(seat.view.episodes())
