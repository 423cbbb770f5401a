# SPDX-License-Identifier: Apache-2.0
"""arbiter_node: runs hiors_core's arbiter at the robot's control rate. Decides nothing itself.

The control loop is a thread of its own on a steady grid; callbacks only hand values over, under a
lock that is held for microseconds, so that no subscription can delay a command.
"""

import os
import sys
import threading
import time
from typing import Any

from sensor_msgs.msg import JointState

from hiors_control.arbiter_parameters import ArbiterParameters
from hiors_control.control_messages import (
    Feedback,
    RobotHealth,
    fill_command,
    state_message,
    to_chunk,
    to_teleop,
)
from hiors_core.arbiter import Arbiter
from hiors_core.authority import Authority, Request
from hiors_core.clock import SteadyClock
from hiors_core.errors import InvalidValue, StateError
from hiors_core.pacing import LoopReport, Pacer
from hiors_core.robot import load_robot
from hiors_interfaces.msg import (
    ActionChunk,
    ControlCommand,
    ControlState,
    DriverState,
    TeleopCommand,
)
from hiors_interfaces.srv import SetAuthority
from hiors_ros.diagnostics import Level
from hiors_ros.node import HiorsNode, run_node

_STATE_PERIOD = 0.2
_REPORT_PERIOD = 1.0
_REFUSAL_SHOWN = 10.0
_REST_DEADLINE = 1.0
_SWITCH_INTERVAL = 0.0005


class ArbiterNode(HiorsNode):
    """Subscribes to feedback, chunks and teleoperation; publishes one command a tick."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("arbiter", **kwargs)
        self.parameters = self.declare_all(ArbiterParameters)
        self.finish_parameters()
        robot = load_robot(self.parameters.robot_file, self.parameters.arms or None)
        self._arbiter = Arbiter(robot, self.parameters.settings())
        self._feedback = Feedback(robot.names)
        self._health = RobotHealth()
        self._message = ControlCommand(names=robot.names)
        self._lock = threading.Lock()
        self._refusals: dict[str, tuple[str, float]] = {}
        self._failure = ""
        self._stopping = threading.Event()
        self._shown: tuple[object, ...] = ()
        self._told_epoch = self._arbiter.epoch
        self._state_due = self._report_due = 0.0
        self._pacer = Pacer(SteadyClock(), self._arbiter.dt)
        self._commands = self.advertise(ControlCommand, "control/command")
        self._states = self.advertise(ControlState, "control/state")
        self.subscribe(JointState, "joint_states", self._on_joints)
        self.subscribe(DriverState, "driver/state", self._on_driver)
        self.subscribe(ActionChunk, "policy/chunk", self._on_chunk)
        self.subscribe(TeleopCommand, "teleop/command", self._on_teleop)
        self.create_service(SetAuthority, "control/set_authority", self._on_request)
        self.create_timer(0.1, self._check_loop)
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)
        self._thread.start()
        rate = robot.control_rate_hz
        self.get_logger().info(f"control loop runs at {rate:.1f} Hz for {robot.name}")

    def close(self) -> None:
        """Bring the robot to rest, then end the control loop."""
        with self._lock:
            self._arbiter.request(Request.HOLD, "arbiter", "arbiter ends", self.now_ns())
        deadline = time.monotonic() + _REST_DEADLINE
        while self._thread.is_alive() and time.monotonic() < deadline:
            with self._lock:
                if self._arbiter.at_rest:
                    break
            time.sleep(self._arbiter.dt)
        self._stopping.set()
        self._thread.join(timeout=_REST_DEADLINE)

    def _on_joints(self, message: JointState) -> None:
        try:
            taken = self._feedback.update(message)
        except InvalidValue as error:
            self._note("feedback", str(error))
            return
        if taken is None:
            return
        with self._lock:
            reason = self._arbiter.on_feedback(*taken)
        if reason:
            self._note("feedback", reason)

    def _on_driver(self, message: DriverState) -> None:
        problem = self._health.update(message)
        with self._lock:
            self._arbiter.on_robot(problem)

    def _on_chunk(self, message: ActionChunk) -> None:
        chunk = to_chunk(message)
        with self._lock:
            reason = self._arbiter.on_chunk(chunk, self.now_ns())
        if reason:
            self._note("chunk", f"chunk {chunk.sequence}: {reason}")

    def _on_teleop(self, message: TeleopCommand) -> None:
        teleop = to_teleop(message)
        with self._lock:
            reason = self._arbiter.on_teleop(teleop, self.now_ns())
        if reason:
            self._note("teleop", f"{teleop.device}: {reason}")

    def _on_request(
        self, request: SetAuthority.Request, response: SetAuthority.Response
    ) -> SetAuthority.Response:
        with self._lock:
            response.success, response.message = self._decide(request)
            response.authority = int(self._arbiter.authority)
            response.epoch = self._told_epoch = self._arbiter.epoch
        self.get_logger().info(f"{request.operator_name or 'nobody'}: {response.message}")
        return response

    def _decide(self, asked: SetAuthority.Request) -> tuple[bool, str]:
        try:
            request = Request(asked.request)
        except ValueError:
            known = ", ".join(f"{r.value} {r.name}" for r in Request)
            return False, f"request {asked.request} is not one of {known}"
        now = self.now_ns()
        result = self._arbiter.request(request, asked.operator_name, asked.reason, now)
        return result.ok, result.message

    def _run(self) -> None:
        try:
            self._prioritise()
            while not self._stopping.is_set():
                self._pacer.wait()
                self._tick()
        except Exception as error:  # noqa: BLE001 the reason must reach the main thread, whatever it is
            self._failure = f"the control loop died: {type(error).__name__}: {error}"

    def _prioritise(self) -> None:
        if not self.parameters.realtime_priority:
            return
        try:
            parameter = os.sched_param(self.parameters.realtime_priority)
            os.sched_setscheduler(0, os.SCHED_FIFO, parameter)
        except OSError as error:
            self.get_logger().warning(f"No real-time priority for the control thread: {error}")

    def _tick(self) -> None:
        now = self.now_ns()
        report = self._pacer.report() if time.monotonic() >= self._state_due else None
        with self._lock:
            command = self._arbiter.tick(now) if self._arbiter.has_feedback else None
            shown = (
                self._arbiter.authority,
                self._arbiter.epoch,
                self._arbiter.wants_chunks,
                self._arbiter.reason,
                bool(self._arbiter.problems),
            )
            state = None
            if report is not None or shown != self._shown:
                report = report or self._pacer.report()
                state = state_message(self._arbiter, report, now)
        if command is not None:
            self._commands.publish(fill_command(self._message, command))
        if state is not None and report is not None:
            if shown[1] != self._told_epoch:
                self._told_epoch = shown[1]
                self.get_logger().info(f"{Authority(state.authority).name}: {state.reason}")
            self._shown, self._state_due = shown, time.monotonic() + _STATE_PERIOD
            self._states.publish(state)
            self._diagnose(state, report)

    def _diagnose(self, state: ControlState, report: LoopReport) -> None:
        now = time.monotonic()
        if now < self._report_due:
            return
        self._report_due = now + _REPORT_PERIOD
        slow = report.period_p99 > 1.5 * self._arbiter.dt
        self.diagnostics.set(
            "control loop",
            Level.WARN if slow else Level.OK,
            f"{report.rate_hz:.1f} Hz",
            period_p50_ms=f"{report.period_p50 * 1e3:.2f}",
            period_p99_ms=f"{report.period_p99 * 1e3:.2f}",
            period_max_ms=f"{report.period_max * 1e3:.2f}",
            missed_ticks=report.missed_ticks,
        )
        self.diagnostics.set(
            "authority",
            Level.OK if state.ready else Level.WARN,
            f"{Authority(state.authority).name}: {'; '.join(state.problems) or state.reason}",
            epoch=state.epoch,
            starvations=state.starvations,
            limited_ticks=state.limited_ticks,
        )
        if missing := self._feedback.missing:
            self.diagnostics.set(
                "joint_states", Level.WARN, f"no message names {', '.join(missing)} yet"
            )
        else:
            self.diagnostics.set("joint_states", Level.OK, "every joint is heard of")
        for what, (reason, until) in tuple(self._refusals.items()):
            shown = now < until
            self.diagnostics.set(
                f"refused {what}",
                Level.WARN if shown else Level.OK,
                reason if shown else f"none lately; the last: {reason}",
            )

    def _note(self, what: str, reason: str) -> None:
        self._refusals[what] = (reason, time.monotonic() + _REFUSAL_SHOWN)
        self.get_logger().warning(f"Refused {what}: {reason}", throttle_duration_sec=1.0)

    def _check_loop(self) -> None:
        if self._failure:
            raise StateError(self._failure)


def main() -> int:
    """Run the node."""
    # A callback that computes in Python must give the control thread the interpreter at once.
    sys.setswitchinterval(_SWITCH_INTERVAL)
    return run_node(ArbiterNode, realtime=True)


if __name__ == "__main__":
    sys.exit(main())
