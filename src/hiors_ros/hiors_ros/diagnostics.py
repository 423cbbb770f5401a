# SPDX-License-Identifier: Apache-2.0
"""Health on /diagnostics at 1 Hz, as rqt_robot_monitor and others show it."""

import threading
from collections.abc import Callable, Mapping
from enum import Enum

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from hiors_ros import qos

_PATIENCE = 3
"""Publications without anything to tell before a node says at least that it runs."""


class Level(Enum):
    """Severity of a diagnostic."""

    OK = DiagnosticStatus.OK
    WARN = DiagnosticStatus.WARN
    ERROR = DiagnosticStatus.ERROR
    STALE = DiagnosticStatus.STALE


class Diagnostics:
    """The statuses of one node. ``set`` may be called from any thread; a timer publishes them."""

    def __init__(self, node: Node, hardware_id: str = "") -> None:
        self._node = node
        self._hardware_id = hardware_id
        self._lock = threading.Lock()
        self._statuses: dict[str, DiagnosticStatus] = {}
        self._silence = 0
        self._checks: list[Callable[[], None]] = []
        self._publisher = node.create_publisher(
            DiagnosticArray, "/diagnostics", 10, event_callbacks=qos.UNTOLD
        )
        self._timer = node.create_timer(1.0, self._turn)

    def before(self, check: Callable[[], None]) -> None:
        """Call ``check`` each time before publishing: it sets what it finds."""
        self._checks.append(check)

    def set(self, name: str, level: Level, message: str, **values: object) -> None:
        """Replace the status of that name; ``values`` become key-value pairs."""
        status = self._status(name, level, message, values)
        with self._lock:
            self._statuses[name] = status

    def publish(self) -> None:
        """Publish all statuses now; a node that never has anything to tell says that it runs."""
        with self._lock:
            statuses = list(self._statuses.values())
        if not statuses:
            self._silence += 1
            if self._silence > _PATIENCE:
                self.set("node", Level.OK, "runs")
            return
        message = DiagnosticArray(status=statuses)
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)

    def _turn(self) -> None:
        for check in self._checks:
            check()
        self.publish()

    def _status(
        self, name: str, level: Level, message: str, values: Mapping[str, object]
    ) -> DiagnosticStatus:
        return DiagnosticStatus(
            level=level.value,
            name=f"{self._node.get_fully_qualified_name().lstrip('/')}: {name}",
            message=message,
            hardware_id=self._hardware_id,
            values=[KeyValue(key=k, value=str(v)) for k, v in values.items()],
        )
