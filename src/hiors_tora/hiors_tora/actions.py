# SPDX-License-Identifier: Apache-2.0
"""Set-points as goals of control_msgs' actions, for robots that offer nothing else.

One goal is under way to the server at a time: while it has not answered, set-points are left out,
so a slow server gets fewer of them and not a queue. Set-points may come from any thread.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.action import ActionClient
from rclpy.node import Node
from rclpy.task import Future

Array = NDArray[np.float64]


class ActionOutput:
    """Sends a goal for every set-point that differs from the last one by ``deadband``."""

    def __init__(
        self,
        node: Node,
        kind: Any,
        name: str,
        build: Callable[[Array], Any],
        parameter: str,
        deadband: float = 0.0,
    ) -> None:
        self._node, self._client = node, ActionClient(node, kind, name)
        self._name = node.resolve_service_name(name)
        self._build, self._parameter, self._deadband = build, parameter, deadband
        self._rejected: str | None = None
        self._absent: str | None = None
        self._asking = self._cancelled = False
        self._sent: Array | None = None
        self._goal: Any = None
        self.watch()

    @property
    def failure(self) -> str | None:
        """Why goals do not arrive."""
        return self._rejected or self._absent

    def watch(self) -> None:
        """Look whether somebody serves the action; the node calls it now and then."""
        self._absent = (
            None
            if self._client.server_is_ready()
            else f"nobody serves the action {self._name}: start the robot's controller, or name"
            f" its action in {self._parameter}"
        )

    def send(self, values: Array) -> None:
        """Send a goal, unless one is on its way or nothing has changed."""
        same = self._sent is not None and np.abs(values - self._sent).max() <= self._deadband
        executor = self._node.executor
        if self._asking or same or executor is None:
            return
        self._asking, self._cancelled, self._sent = True, False, values.copy()
        # rclpy's action client notes what it waits for after it has sent the request: an answer
        # that the executor reads in between would be lost, and with it every later goal.
        executor.create_task(self._ask, self._build(values))

    def reset(self) -> None:
        """Forget a rejection and what was sent."""
        self._rejected = self._sent = None
        self._asking = False

    def cancel(self) -> None:
        """Cancel the goal under way: the robot's controller stops and holds."""
        self._cancelled = True
        if self._goal is not None:
            self._goal.cancel_goal_async()
        self._sent = None

    def _ask(self, goal: Any) -> None:
        if self._cancelled:
            self._asking = False
            return
        self._client.send_goal_async(goal).add_done_callback(self._answered)

    def _answered(self, future: Future) -> None:
        self._asking = False
        goal = future.result()
        if goal is None or not goal.accepted:
            self._rejected = f"{self._name} rejected a goal"
            return
        self._goal = goal
        if self._cancelled:
            goal.cancel_goal_async()
