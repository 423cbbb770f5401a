# SPDX-License-Identifier: Apache-2.0
"""The recorder's line to the arbiter and the scene: newest state, requests in limited time.

Requests block, so they are made from the episode's own thread, never from the executor's.
"""

import threading
from collections.abc import Callable
from typing import Any

from rclpy.client import Client
from rclpy.task import Future

from hiors_core.authority import Authority, Request
from hiors_core.clock import Clock, to_ns, to_s
from hiors_core.errors import StateError
from hiors_core.homing import AT_HOME
from hiors_interfaces.msg import ControlState
from hiors_interfaces.srv import ResetScene, SetAuthority
from hiors_recorder.run import PATIENCE
from hiors_ros.node import HiorsNode

NAME = "recorder"
"""By which it asks the arbiter."""
_STATE_MAX_AGE = 2.0
_WAIT = 0.02
SEEN = 0.3
"""From a reset scene to the start of the episode [s]: several frames of every stream."""
SETTLING = 3.0
"""Longest wait for the arm to stand still before the scene is reset [s]."""
_REQUEST_TIMEOUT = 5.0
_ASK_AGAIN = 1.0


class ControlLine:
    """Talks to the arbiter; ``stopping`` ends every wait with a StateError."""

    def __init__(self, node: HiorsNode, clock: Clock, stopping: Callable[[], str]) -> None:
        self._clock = clock
        self._stopping = stopping
        self._changed = threading.Condition()
        self._state: ControlState | None = None
        self._received = 0
        self._authority = node.create_client(SetAuthority, "control/set_authority")
        self._scene = node.create_client(ResetScene, "sim/reset_scene")
        node.subscribe(ControlState, "control/state", self._on_state)

    @property
    def state(self) -> ControlState | None:
        """The newest state, or None when there is none or it is old."""
        with self._changed:
            fresh = self._clock.now() - self._received < to_ns(_STATE_MAX_AGE)
            return self._state if fresh else None

    def wait_ready(self, timeout: float) -> None:
        """Return when all streams are fresh, or raise StateError saying what is not."""
        self.wait(lambda s: bool(s.ready), timeout, _why_not_ready)

    def request(
        self, request: Request, reason: str, patience: float = 0.0
    ) -> SetAuthority.Response:
        """Ask the arbiter, or raise StateError with its answer.

        A refusal is asked again for ``patience`` [s].
        """
        message = SetAuthority.Request(request=int(request), operator_name=NAME, reason=reason)
        end = self._clock.now() + to_ns(patience)
        while True:
            response = self._call(self._authority, message, _REQUEST_TIMEOUT, _ASK_AGAIN)
            if response.success:
                return response
            if self._clock.now() >= end:
                raise StateError(f"The arbiter refused {request.name}: {response.message}")
            threading.Event().wait(_WAIT)

    def request_hold(self, reason: str) -> None:
        """Ask for HOLD without waiting for the answer: for the moment when nothing may block."""
        if self._authority.service_is_ready():
            message = SetAuthority.Request(request=int(Request.HOLD), reason=reason)
            message.operator_name = NAME
            self._authority.call_async(message)

    def go_home(self, timeout: float) -> None:
        """Move to the home position and return when the robot holds there, or raise StateError."""
        end = self._clock.now() + to_ns(timeout)
        while (state := self._try_home(end)).reason != AT_HOME:
            # A stream may falter for a moment; who was stopped by a person does not insist.
            if state.operator_name != NAME or self._clock.now() >= end:
                raise StateError(_not_home(state))

    def _try_home(self, end: int) -> ControlState:
        """Return the state in which the way home ended."""
        left = to_s(max(0, end - self._clock.now()))
        patience = min(left, PATIENCE)
        epoch = self.request(Request.HOME, "before an episode", patience).epoch
        return self.wait(
            lambda s: s.authority == Authority.HOLD and s.epoch >= epoch, left, _not_home
        )

    def reset_scene(self, seed: int, task: str, timeout: float) -> None:
        """Have the scene laid out anew, or raise StateError with the last answer.

        A refusal is asked again for a moment: the arm swings out after the arbiter holds.
        """
        request = ResetScene.Request(seed=seed, task=task)
        patience = self._clock.now() + to_ns(min(timeout, SETTLING))
        while True:
            response = self._call(self._scene, request, timeout, timeout)
            if response.success:
                # Perception must have seen the new scene before anybody judges or infers from it.
                threading.Event().wait(SEEN)
                return
            if self._clock.now() >= patience:
                raise StateError(f"The scene was not reset: {response.message}")
            threading.Event().wait(_WAIT)

    def wait(
        self,
        true: Callable[[ControlState], bool],
        timeout: float,
        why: Callable[[ControlState | None], str],
    ) -> ControlState:
        """Wait until the newest state is as wished and return it, or raise StateError with
        ``why``.
        """
        end = self._clock.now() + to_ns(timeout)
        while not ((state := self.state) is not None and true(state)):
            self._check_time(end, timeout, lambda: why(self.state))
            with self._changed:
                self._changed.wait(_WAIT)
        return state

    def _call(self, client: Client, request: Any, timeout: float, again: float) -> Any:
        """Call the service; ask anew after ``again`` [s] without an answer.

        DDS may lose the first answer: the server need not know this client's reader yet.
        """
        end = self._clock.now() + to_ns(timeout)
        while not client.service_is_ready():
            self._check_time(end, timeout, lambda: f"nobody serves {client.srv_name}")
            threading.Event().wait(_WAIT)
        while True:
            future = self._ask(client, request, min(end, self._clock.now() + to_ns(again)))
            if future is not None:
                return future.result()
            self._check_time(end, timeout, lambda: f"{client.srv_name} does not answer")

    def _ask(self, client: Client, request: Any, until: int) -> Future | None:
        done = threading.Event()
        future = client.call_async(request)
        future.add_done_callback(lambda _: done.set())
        while not done.wait(_WAIT):
            if self._stopping() or self._clock.now() >= until:
                client.remove_pending_request(future)
                return None
        return future

    def _check_time(self, end: int, timeout: float, why: Callable[[], str]) -> None:
        if reason := self._stopping():
            raise StateError(reason)
        if self._clock.now() >= end:
            raise StateError(f"Waited {timeout:g} s: {why()}")

    def _on_state(self, message: ControlState) -> None:
        with self._changed:
            self._state = message
            self._received = self._clock.now()
            self._changed.notify_all()


def _not_home(state: ControlState | None) -> str:
    return f"the robot is not home: {state.reason if state else 'control/state is silent'}"


def _why_not_ready(state: ControlState | None) -> str:
    if state is None:
        return "control/state is silent; does the arbiter run?"
    return f"control is not ready: {'; '.join(state.problems) or state.reason}"
