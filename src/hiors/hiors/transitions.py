# SPDX-License-Identifier: Apache-2.0
"""Configures and activates managed (lifecycle) nodes when they have come up."""

import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import rclpy
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from hiors_core.errors import HiorsError

UP_WITHIN = 60.0
"""A node must answer this long after its start [s]; a loaded machine takes its time."""
DONE_WITHIN = 60.0
"""A transition must be done within this time [s]; configuring loads a policy."""
ASK_AGAIN = 2.0
"""An answer can be lost: the server need not know this client's reader yet. Then the node is asked
for its state anew after this long [s]; that does no harm.
"""

_UNDER_WAY = (State.TRANSITION_STATE_CONFIGURING, State.TRANSITION_STATE_ACTIVATING)


class Transitions:
    """Brings nodes to the state `active`, one after the other, in a thread of its own.

    ``failed`` says why one could not be brought there; empty while all is well.
    """

    def __init__(self, show: Callable[[str], None]) -> None:
        self.failed = ""
        self._show = show
        self._context = Context()
        rclpy.init(args=[], context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self._node: Node = rclpy.create_node("hiors_up", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._wanted: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="transitions", daemon=True)
        self._thread.start()

    def activate(self, full_name: str) -> None:
        """Ask for the node to be configured and activated. Returns at once."""
        self._wanted.put(full_name)

    def cancel(self) -> None:
        """Give up what is under way. Returns at once."""
        self._closing.set()

    def close(self) -> None:
        """Stop, also in the midst of waiting, and free everything."""
        self.cancel()
        self._thread.join(timeout=2.0)
        self._executor.shutdown(timeout_sec=0.5)
        self._node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    def _work(self) -> None:
        while not self._closing.is_set():
            try:
                name = self._wanted.get(timeout=0.1)
            except queue.Empty:
                continue
            try:
                self._bring_up(name)
            except HiorsError as error:
                self.failed = str(error)

    def _bring_up(self, name: str) -> None:
        if self._state(name) == State.PRIMARY_STATE_UNCONFIGURED:
            self._change(name, Transition.TRANSITION_CONFIGURE, "configured")
        if self._state(name) == State.PRIMARY_STATE_INACTIVE:
            self._change(name, Transition.TRANSITION_ACTIVATE, "activated")

    def _state(self, name: str) -> int:
        end = time.monotonic() + UP_WITHIN
        while not self._closing.is_set():
            answer = self._ask(GetState, f"{name}/get_state", GetState.Request(), end, ASK_AGAIN)
            if answer is not None:
                return int(answer.current_state.id)
            self._check(end, f"{name}/get_state", UP_WITHIN)
        return State.PRIMARY_STATE_UNKNOWN

    def _change(self, name: str, transition: int, word: str) -> None:
        before, service = self._state(name), f"{name}/change_state"
        end = time.monotonic() + DONE_WITHIN
        request = ChangeState.Request(transition=Transition(id=transition))
        answer = self._ask(ChangeState, service, request, end, 3.0 * ASK_AGAIN)
        while answer is None and not self._closing.is_set():
            if self._state(name) not in (before, *_UNDER_WAY):
                break
            self._check(end, service, DONE_WITHIN)
        if answer is not None and not answer.success:
            raise HiorsError(f"{name} could not be {word}; its log says why.")
        if not self._closing.is_set():
            self._show(f"{name} {word}")

    def _check(self, end: float, service: str, seconds: float) -> None:
        if time.monotonic() >= end:
            raise HiorsError(f"Service {service} did not answer within {seconds:.0f} s.")

    def _ask(self, kind: type, service: str, request: Any, end: float, patience: float) -> Any:
        """Return the answer to one call, or None when it does not come in time."""
        client = self._node.create_client(kind, service)
        try:
            if not self._wait(client.service_is_ready, end):
                return None
            future = client.call_async(request)
            done = self._wait(future.done, min(end, time.monotonic() + patience))
            return future.result() if done else None
        finally:
            self._node.destroy_client(client)

    def _wait(self, condition: Callable[[], bool], end: float) -> bool:
        while not condition() and time.monotonic() < end and not self._closing.is_set():
            self._executor.spin_once(timeout_sec=0.05)
        return condition()
