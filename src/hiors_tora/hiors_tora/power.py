# SPDX-License-Identifier: Apache-2.0
"""Switches the robot on and off through its services, and hears its e-stop button.

Requests may come from any thread; everything of ROS happens in the node's.
"""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from rclpy.client import Client
from rclpy.node import Node
from std_msgs.msg import Bool
from std_srvs.srv import SetBool, Trigger

from hiors_core.clock import Clock, to_ns
from hiors_core.errors import StateError
from hiors_ros.qos import STATE
from hiors_tora.driver import Unreachable

_PERIOD = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a service.

    Attributes:
        what: a verb phrase for messages.
        judge: returns why the response means no, or None.
    """

    client: Client
    request: Any
    what: str
    judge: Callable[[Any], str | None]


@dataclass(frozen=True, slots=True)
class _Work:
    calls: tuple[Call, ...]
    answer: "Future[str]"
    done: str


class ServicePower:
    """Calls services one after another; the first refusal ends the sequence."""

    def __init__(self, node: Node, clock: Clock, timeout: float) -> None:
        self.on: tuple[Call, ...] = ()
        self.off: tuple[Call, ...] = ()
        self.clearing: tuple[Call, ...] = ()
        self._clock, self._timeout = clock, to_ns(timeout)
        self._seconds = timeout
        self._queue: deque[_Work] = deque()
        self._left: deque[Call] = deque()
        self._work: _Work | None = None
        self._pending: Any = None
        self._deadline = 0
        self._pressed = False
        node.create_timer(_PERIOD, self._step)
        self._node = node

    @property
    def problem(self) -> str | None:
        """Why the robot must not move."""
        return (
            "the e-stop is pressed; release it, then call driver/enable" if self._pressed else None
        )

    def listen(self, topic: str) -> None:
        """Take ``topic`` (std_msgs/Bool, true: pressed) for the e-stop."""
        self._node.create_subscription(Bool, topic, self._on_estop, STATE)

    def enable(self) -> "Future[str]":
        """Switch on."""
        return self._ask(self.on, "enabled")

    def disable(self) -> "Future[str]":
        """Switch off."""
        return self._ask(self.off, "disabled")

    def clear(self) -> "Future[str]":
        """Clear the robot's own errors."""
        nothing = "nothing to clear: the robot has no service for it (parameter clear_service)"
        return self._ask(
            self.clearing, "cleared; call driver/enable" if self.clearing else nothing
        )

    def _on_estop(self, message: Bool) -> None:
        self._pressed = bool(message.data)

    def _ask(self, calls: Sequence[Call], done: str) -> "Future[str]":
        answer: Future[str] = Future()
        self._queue.append(_Work(tuple(calls), answer, done))
        return answer

    def _step(self) -> None:
        """Send the next call when none is pending; give up one that is overdue."""
        if self._pending is not None:
            if self._clock.now() > self._deadline:
                call = self._left[0]
                self._finish(
                    Unreachable(f"{call.client.srv_name} did not answer in {self._seconds} s")
                )
            return
        if self._work is None:
            if not self._queue:
                return
            self._work = self._queue.popleft()
            self._left = deque(self._work.calls)
        self._send_next()

    def _send_next(self) -> None:
        if not self._left:
            self._finish(None)
            return
        call = self._left[0]
        if not call.client.service_is_ready():
            self._finish(Unreachable(f"nobody serves {call.client.srv_name} ({call.what})"))
            return
        self._deadline = self._clock.now() + self._timeout
        self._pending = call.client.call_async(call.request)
        self._pending.add_done_callback(self._answered)

    def _answered(self, pending: Any) -> None:
        if pending is not self._pending:
            return
        self._pending = None
        call = self._left.popleft()
        response = pending.result()
        refusal = "no answer" if response is None else call.judge(response)
        if refusal is None:
            self._send_next()
        else:
            self._finish(StateError(f"{call.client.srv_name} refused to {call.what}: {refusal}"))

    def _finish(self, error: Exception | None) -> None:
        work, self._work, self._pending = self._work, None, None
        if work is None:
            return
        if error is None:
            work.answer.set_result(work.done)
        else:
            work.answer.set_exception(error)


def set_bool(node: Node, name: str, value: bool, what: str) -> Call:
    """Return a call of std_srvs/SetBool."""
    client = node.create_client(SetBool, name)
    return Call(client=client, request=SetBool.Request(data=value), what=what, judge=_judge)


def trigger(node: Node, name: str, what: str) -> Call:
    """Return a call of std_srvs/Trigger."""
    client = node.create_client(Trigger, name)
    return Call(client=client, request=Trigger.Request(), what=what, judge=_judge)


def _judge(response: Any) -> str | None:
    return None if response.success else response.message or "no reason given"
