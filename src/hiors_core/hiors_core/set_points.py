# SPDX-License-Identifier: Apache-2.0
"""What every driver does with the arbiter's commands: one set-point for all arms at a steady rate.

All arms move or none does. Silence of the arbiter holds the robot; a fault or a stop holds it
until the arbiter says HOLD or begins a new epoch, and commands where the robot stands, so that
nothing that was under way goes on by itself. Starts no thread: a driver lends one to ``run``.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hiors_core.authority import Authority
from hiors_core.clock import Clock, to_ns
from hiors_core.command import Command
from hiors_core.command_stream import CommandStream
from hiors_core.driver_arm import ArmState, ArmStatus, DriverArm, Reading
from hiors_core.guard import Guard
from hiors_core.robot import RobotModel
from hiors_core.standstill import APART

Array = NDArray[np.float64]

RESUME_WITHIN = 0.02
"""How far a command may be from where the robot stands for the stream to begin [rad]."""
HOLD_WITHIN = 1.2 * APART
"""The same in HOLD, when nobody asked for a motion and the arbiter brings the command [rad]."""
_NO_EPOCH = -1
_VOID = "holding after a stop or fault: the arbiter must HOLD or hand over first"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSettings:
    """How set-points are made.

    Attributes:
        period: between them [s].
        delay: from a command's stamp to its execution, for interpolation [s].
        command_timeout: silence of the arbiter after which the driver holds [s].
        max_jump: distance of a command from where the arm is that is refused [rad].
    """

    period: float
    delay: float
    command_timeout: float
    max_jump: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverStatus:
    """How a driver is doing.

    Attributes:
        arms: state of each. moving: set-points go out.
        problem: why they do not, "" when they do.
        sent, refused, late: set-points sent, commands refused, ticks late by more than half a
        period.
        period_p50, period_max: of the last few hundred ticks sent [s].
    """

    arms: dict[str, ArmStatus]
    moving: bool
    problem: str
    sent: int
    refused: int
    late: int
    period_p50: float
    period_max: float


class SetPoints:
    """Streams to ``arms``, which are those of ``robot`` in its order.

    ``on_executed`` is called from the streaming thread with the command answered, its position
    replaced by the one that really went out and its stamp by the moment that this position was
    meant for: the time of sending less the delay of playback. So what was executed lies on the
    time axis of the arbiter's commands, and what is learned from it can be commanded again.
    """

    def __init__(
        self,
        robot: RobotModel,
        arms: Sequence[DriverArm],
        settings: StreamSettings,
        clock: Clock,
        on_executed: Callable[[Command], None] = lambda _: None,
    ) -> None:
        self._settings, self._clock = settings, clock
        self._on_executed = on_executed
        self._guard = Guard(robot, settings.period, settings.max_jump)
        columns = [robot.columns(arm) for arm in robot.arms]
        self._arms = tuple(zip(arms, columns, strict=True))
        self._stream = CommandStream(settings.delay)
        self._arrived: list[Command] = []
        self._lock = threading.Lock()
        self._last: Array | None = None
        self._last_sent = 0
        self._void_epoch: int | None = _NO_EPOCH
        self._void_reason = self._problem = "no command yet"
        self._refusal = ""
        self._sent = self._refused = self._late = 0
        self._periods: deque[float] = deque(maxlen=300)

    def command(self, command: Command) -> str | None:
        """Take a command; returns why it is refused, or None."""
        reason = self._guard.refuse(command.position)
        with self._lock:
            if reason is None:
                self._stream.push(command, self._clock.now())
                self._arrived.append(command)
                self._refusal = ""
            else:
                self._refused += 1
                self._refusal = f"command refused: {reason}"
        return reason

    def reading(self) -> Reading | None:
        """Return the newest measured state (N,), None while any part of it is missing or old."""
        parts = []
        for arm, _ in self._arms:
            part = arm.reading()
            if part is None:
                return None
            parts.append(part)
        return Reading(
            stamp=min(part.stamp for part in parts),
            position=np.concatenate([part.position for part in parts]),
            velocity=np.concatenate([part.velocity for part in parts]),
        )

    def status(self) -> DriverStatus:
        """Return how the driver is doing."""
        periods = sorted(self._periods) or [0.0]
        return DriverStatus(
            arms={arm.name: arm.status for arm, _ in self._arms},
            moving=not self._problem,
            problem=self._refusal or self._problem,
            sent=self._sent,
            refused=self._refused,
            late=self._late,
            period_p50=periods[len(periods) // 2],
            period_max=periods[-1],
        )

    def run(self, ended: threading.Event) -> None:
        """Send set-points until ``ended``."""
        period = to_ns(self._settings.period)
        due = self._clock.now()
        while not ended.is_set():
            self.tick(self._clock.now())
            due += period
            now = self._clock.now()
            if now > due + period // 2:
                self._late += 1
                due = now
            self._clock.sleep_until(due)

    def tick(self, now: int) -> None:
        """Send the set-point of ``now`` [ns], or none."""
        for arm, _ in self._arms:
            arm.check()
        with self._lock:
            newest, age = self._stream.newest, self._stream.age(now)
            arrived, self._arrived = self._arrived, []
        problem = self._hold_reason(newest, age) or self._void(arrived)
        if problem is None:
            with self._lock:
                target, answered = self._stream.sample(now), self._stream.take_due(now)
            if target is not None:
                problem = self._far(newest) or self._send(target, answered, now)
        self._problem = problem or ""

    def _hold_reason(self, newest: Command | None, age: float | None) -> str | None:
        """Return why nothing may move now, and keep the latches."""
        stop = newest is not None and newest.authority is Authority.STOPPED
        for arm, _ in self._arms:
            if stop:
                arm.stop()
            elif arm.status.state is ArmState.STOPPED:
                arm.release()
        if stop or any(arm.status.state is not ArmState.READY for arm, _ in self._arms):
            self._hold(newest)
            return self._trouble() or "stopped by the arbiter"
        if newest is None or age is None:
            return "no command yet"
        if age > self._settings.command_timeout:
            self._end_stream()
            return f"holding: no command for {self._settings.command_timeout} s"
        return None

    def _trouble(self) -> str:
        statuses = [(arm.name, arm.status) for arm, _ in self._arms]
        return "; ".join(
            f"{name} {status.state.value}: {status.reason}"
            for name, status in statuses
            if status.state is not ArmState.READY
        )

    def _void(self, arrived: Sequence[Command]) -> str | None:
        """Return why the stream may not begin yet; one command that may begin it is enough."""
        if self._void_epoch is None:
            return None
        reading = self.reading()
        if reading is None:
            return "holding: no fresh feedback"
        for command in arrived:
            if command.authority is not Authority.HOLD and command.epoch <= self._void_epoch:
                self._void_reason = _VOID
                continue
            within = HOLD_WITHIN if command.authority is Authority.HOLD else RESUME_WITHIN
            far = self._guard.too_far(command.position, reading.position, within)
            if far is None:
                self._void_epoch = None
                with self._lock:
                    self._stream.forget_before(command)
                return None
            self._void_reason = f"holding, HOLD brings the command to the robot: {far}"
        return self._void_reason

    def _hold(self, newest: Command | None) -> None:
        if newest is not None:
            self._void_epoch = max(self._void_epoch or 0, newest.epoch)
            self._void_reason = _VOID
        self._last = None

    def _end_stream(self) -> None:
        """Repeat the last set-point once, so that the arm's interpolation ends there."""
        if self._last is not None:
            self._write(self._last)
            self._last = None

    def _here(self) -> Array | None:
        """Return the set-point in force, or where the robot stands while nothing is streamed."""
        if self._last is not None:
            return self._last
        reading = self.reading()
        return None if reading is None else reading.position

    def _far(self, newest: Command | None) -> str | None:
        here = self._here()
        # The newest command counts, not what is interpolated towards it: a jump must not begin.
        far = self._guard.too_far(newest.position, here) if newest and here is not None else None
        if far:
            self._end_stream()
        return f"holding: {far}" if far else None

    def _send(self, target: Array, answered: Command | None, now: int) -> str | None:
        previous = self._here()
        if previous is None:
            return "holding: no fresh feedback"
        sent, cuts = self._guard.cut(target, previous)
        if not self._write(sent):
            return "holding: the link broke"
        if self._last is not None:
            self._periods.append((now - self._last_sent) / 1e9)
        self._last, self._last_sent = sent, now
        self._sent += 1
        if answered is not None:
            limited = (*answered.limited, *cuts)
            meant = now - to_ns(self._settings.delay)
            self._on_executed(replace(answered, stamp=meant, position=sent, limited=limited))
        return None

    def _write(self, position: Array) -> bool:
        # Every arm is written to, whatever became of the one before.
        done = [arm.write(position[columns]) for arm, columns in self._arms]
        return all(done)
