# SPDX-License-Identifier: Apache-2.0
"""Health on /diagnostics at 1 Hz, as rqt_robot_monitor and others show it."""

import threading
from enum import Enum

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node


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
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._timer = node.create_timer(1.0, self.publish)

    def set(self, name: str, level: Level, message: str, **values: object) -> None:
        """Replace the status of that name; ``values`` become key-value pairs."""
        status = DiagnosticStatus(
            level=level.value,
            name=f"{self._node.get_fully_qualified_name().lstrip('/')}: {name}",
            message=message,
            hardware_id=self._hardware_id,
            values=[KeyValue(key=k, value=str(v)) for k, v in values.items()],
        )
        with self._lock:
            self._statuses[name] = status

    def publish(self) -> None:
        """Publish all statuses now."""
        with self._lock:
            statuses = list(self._statuses.values())
        if not statuses:
            return
        message = DiagnosticArray(status=statuses)
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)
