# SPDX-License-Identifier: Apache-2.0
"""One arm from power-up to fault: start-up sequence, health, alarms. A thread of its own does
everything that waits.

Nothing resumes by itself: after a fault the arm waits for ``clear_error`` and ``enable``.
"""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future

import numpy as np
from numpy.typing import NDArray

from hiors_core.clock import Clock, to_s
from hiors_core.driver_arm import ArmState, ArmStatus
from hiors_core.errors import HiorsError, StateError
from hiors_xtrainer import alarms, startup
from hiors_xtrainer.dobot import DobotClient
from hiors_xtrainer.feedback import Feedback
from hiors_xtrainer.gripper import GripperLoop
from hiors_xtrainer.replies import CommandRefused, LinkLost
from hiors_xtrainer.settings import ArmSettings

Array = NDArray[np.float64]

RETRY = 2.0
"""Time between attempts to reach an arm that has not been seen yet [s]."""


class ArmLink:
    """The connection to one arm and its gripper."""

    def __init__(self, name: str, settings: ArmSettings, clock: Clock) -> None:
        self.name = name
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._status = ArmStatus(ArmState.DISCONNECTED, "not connected yet")
        self._client: DobotClient | None = None
        self._gripper: GripperLoop | None = None
        self._work: queue.Queue[tuple[Callable[[], str], Future[str]]] = queue.Queue()
        self._running = True
        self._thread = threading.Thread(target=self._run, name=f"arm {name}", daemon=True)

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def close(self) -> None:
        """End the thread and the connections. The arm stays enabled and holds its position."""
        self._running = False
        if client := self._client:
            client.abort("closing")
        self._submit(lambda: "")
        if self._thread.is_alive():
            self._thread.join(4.0)
        self._disconnect()

    @property
    def status(self) -> ArmStatus:
        """State with its reason."""
        return self._status

    @property
    def feedback(self) -> Feedback | None:
        """Newest feedback, None when there is none or it is old."""
        client = self._client
        latest = client.latest if client else None
        if latest is None or self._age(latest) > self._settings.feedback_timeout:
            return None
        return latest

    @property
    def gripper(self) -> GripperLoop | None:
        """The gripper's loop, None when there is no gripper or no connection."""
        return self._gripper

    @property
    def counters(self) -> dict[str, int]:
        """Counters of the link."""
        return self._client.counters if self._client else {}

    def enable(self) -> "Future[str]":
        """Ask for a (new) start-up; the result is a sentence, or an error that says why not."""
        return self._submit(self._enable)

    def clear_error(self) -> "Future[str]":
        """Ask to clear the arm's alarms; it stays disabled until ``enable``."""
        return self._submit(self._clear)

    def output(self, index: int, on: bool) -> "Future[str]":
        """Ask to set a digital output of the controller, by its number from 1."""
        return self._submit(lambda: self._output(index, on))

    def stop(self) -> None:
        """Stop by the arbiter's order: latches until ``release``."""
        if self._change(ArmState.STOPPED, "stopped by the arbiter", only=ArmState.READY):
            self._submit(self._stop)

    def release(self) -> None:
        """End a stop."""
        self._change(ArmState.READY, "", only=ArmState.STOPPED)

    def check(self) -> bool:
        """Look at the newest feedback; a problem turns READY into FAULT. Returns whether the arm
        may move.
        """
        state = self._status.state
        if state in (ArmState.READY, ArmState.STOPPED) and (problem := self._problem()):
            self.fail(problem)
        return self._status.state is ArmState.READY

    def fail(self, reason: str) -> None:
        """Enter FAULT and have the alarm texts fetched."""
        if self._change(ArmState.FAULT, reason):
            self._submit(self._explain)

    def servo(self, joints: Array, duration: float, lookahead: float, gain: float) -> bool:
        """Stream one set-point (6,) [rad]. False when the link broke."""
        client = self._client
        if client is None:
            return False
        try:
            client.servo_j(joints, duration, lookahead, gain)
        except LinkLost as error:
            self.fail(str(error))
            return False
        return True

    def _age(self, feedback: Feedback) -> float:
        return to_s(self._clock.now() - feedback.stamp)

    def _problem(self) -> str | None:
        client, gripper, limit = self._client, self._gripper, self._settings.feedback_timeout
        if client is None:
            return "not connected"
        if client.failure:
            return client.failure
        latest = client.latest
        if latest is None or self._age(latest) > limit:
            return f"no fresh feedback for {limit} s"
        if latest.alarmed or latest.mode not in startup.DRIVING:
            return f"the arm is {startup.describe(latest.mode, client.dialect.modes)}"
        if refusal := client.take_refusal():
            return refusal
        return gripper.failure if gripper else None

    def _change(self, state: ArmState, reason: str, only: ArmState | None = None) -> bool:
        with self._lock:
            now = self._status.state
            if now is state or (only is not None and now is not only):
                return False
            self._status = ArmStatus(state, reason)
            return True

    def _set(self, state: ArmState, reason: str) -> None:
        with self._lock:
            self._status = ArmStatus(state, reason)

    def _submit(self, action: Callable[[], str]) -> "Future[str]":
        future: Future[str] = Future()
        self._work.put((action, future))
        return future

    def _run(self) -> None:
        while self._running:
            if self._undiscovered():
                self._try_first_start()
            try:
                action, future = self._work.get(timeout=RETRY if self._undiscovered() else 0.2)
            except queue.Empty:
                self.check()
                continue
            try:
                future.set_result(action())
            except HiorsError as error:
                future.set_exception(error)
            except Exception as error:  # noqa: BLE001 - the thread's boundary
                self.fail(f"{type(error).__name__}: {error}")
                future.set_exception(error)

    def _undiscovered(self) -> bool:
        return self._status.state is ArmState.DISCONNECTED

    def _try_first_start(self) -> None:
        try:
            self._start()
        except LinkLost as error:
            self._set(ArmState.DISCONNECTED, str(error))
        except HiorsError as error:
            self._set(ArmState.FAULT, str(error))

    def _enable(self) -> str:
        # The arm's own word: an alarm may be on its way that the feedback has not brought yet.
        client = self._client
        if client and self.check() and startup.mode(client) in startup.DRIVING:
            return f"{self.name}: already enabled"
        try:
            self._start(power_on=True)
        except HiorsError as error:
            self._set(ArmState.FAULT, str(error))
            raise
        return f"{self.name}: enabled"

    def _start(self, power_on: bool = False) -> None:
        self._disconnect()
        self._set(ArmState.STARTING, "start-up sequence")
        s = self._settings
        client = DobotClient(s.address, self._clock)
        self._client = client
        sequence = startup.StartUp(self.name, s, self._clock, lambda: not self._running)
        try:
            sequence.set_up(client, power_on)
            if s.gripper:
                goal = 1.0 if s.open_gripper else None
                self._gripper = GripperLoop(s.gripper, self._clock, goal)
            client.request("StopDrag()")
            client.open_feedback()
            sequence.await_enabled(client)
        except HiorsError:
            self._disconnect()
            raise
        self._set(ArmState.READY, "")

    def _explain(self) -> str:
        """Replace a bare fault reason by the arm's alarm texts."""
        reason = self._status.reason
        client = self._client
        if client is None or client.failure or self._status.state is not ArmState.FAULT:
            return reason
        try:
            found = alarms.texts(client.request("GetErrorID()").value)
        except (CommandRefused, LinkLost) as error:
            found = [str(error)]
        with self._lock:
            if found and self._status == ArmStatus(ArmState.FAULT, reason):
                self._status = ArmStatus(ArmState.FAULT, f"{reason}: {'; '.join(found)}")
        return self._status.reason

    def _clear(self) -> str:
        # A start-up that failed on an alarm has hung up; the alarm must be clearable all the same.
        client = self._client
        borrowed = client if client and not client.failure else None
        client = borrowed or DobotClient(self._settings.address, self._clock)
        try:
            client.request("ClearError()")
            left = alarms.texts(client.request("GetErrorID()").value)
        finally:
            if client is not borrowed:
                client.close()
        if left:
            raise StateError(f"{self.name}: not cleared: {'; '.join(left)}")
        if self._status.state is ArmState.FAULT:
            self._set(ArmState.FAULT, "alarms cleared, not enabled: call driver/enable")
        return f"{self.name}: cleared"

    def _output(self, index: int, on: bool) -> str:
        client = self._client
        if client is None or client.failure:
            raise StateError(f"{self.name}: not connected")
        client.request(f"{client.dialect.output}({index},{int(on)})")
        return f"{self.name}: output {index} is {'on' if on else 'off'}"

    def _stop(self) -> str:
        client = self._client
        if client is None or client.failure:
            return "stopped"
        if command := client.dialect.stops[self._settings.stop_action]:
            try:
                client.request(command)
            except HiorsError as error:
                self.fail(f"could not be stopped: {error}")
                raise
        return "stopped"

    def _disconnect(self) -> None:
        client, self._client = self._client, None
        gripper, self._gripper = self._gripper, None
        if client:
            client.close()
        if gripper:
            gripper.close()
