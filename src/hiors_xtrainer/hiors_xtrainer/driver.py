# SPDX-License-Identifier: Apache-2.0
"""The driver of the X-Trainer without ROS: commands of the arbiter in, ServoJ and gripper goals
out at a steady rate.

All arms move or none does. Silence of the arbiter holds the robot; a fault or a stop holds it
until the arbiter says HOLD or begins a new epoch, so that nothing that was under way goes on by
itself.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hiors_core.authority import Authority
from hiors_core.clock import Clock, to_ns
from hiors_core.command import Command
from hiors_core.errors import UnknownName
from hiors_core.robot import RobotModel
from hiors_xtrainer.arm import ArmLink, ArmState, ArmStatus
from hiors_xtrainer.claim import ArmClaim
from hiors_xtrainer.guard import Guard
from hiors_xtrainer.settings import DriverSettings
from hiors_xtrainer.stream import CommandStream

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Measured state of the whole robot: (N,) position and velocity [rad], [rad/s], grippers [1],
    [1/s].
    """

    stamp: int
    position: Array
    velocity: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverStatus:
    """How the driver is doing.

    Attributes:
        arms: state of each. moving: set-points go out.
        problem: why they do not, "" when they do.
        sent, refused, late: ServoJ ticks sent, commands refused, ticks late by more than half a
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


class XTrainerDriver:
    """Drives the arms of ``settings``, which must be those of ``robot``.

    ``on_executed`` is called from the streaming thread with the command answered, its position
    replaced by the one that really went out and its stamp by the moment that this position was
    meant for: the time of sending less the delay of playback. So what was executed lies on the
    time axis of the arbiter's commands, and what is learned from it can be commanded again.
    """

    def __init__(
        self,
        robot: RobotModel,
        settings: DriverSettings,
        clock: Clock,
        on_executed: Callable[[Command], None] = lambda _: None,
    ) -> None:
        for arm in robot.arms:
            if arm.name not in settings.arms:
                raise UnknownName("arm", arm.name, settings.arms, "It has no settings.")
        self._robot, self._settings, self._clock = robot, settings, clock
        self._on_executed = on_executed
        self._guard = Guard(robot, settings.period, settings.max_jump)
        self._links = [
            (ArmLink(arm.name, settings.arms[arm.name], clock), robot.columns(arm))
            for arm in robot.arms
        ]
        self._claims = [
            ArmClaim(a.host, a.dashboard_port, settings.lock_folder)
            for a in (settings.arms[arm.name].address for arm in robot.arms)
        ]
        self._stream = CommandStream(settings.delay)
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="servo stream", daemon=True)
        self._last: Array | None = None
        self._last_sent = 0
        self._void_epoch: int | None = None
        self._problem = "no command yet"
        self._refusal = ""
        self._sent = self._refused = self._late = 0
        self._periods: deque[float] = deque(maxlen=300)

    def start(self) -> None:
        """Claim the arms, connect and stream."""
        taken: list[ArmClaim] = []
        try:
            for claim in self._claims:
                claim.take()
                taken.append(claim)
        except Exception:
            for claim in taken:
                claim.release()
            raise
        for link, _ in self._links:
            link.start()
        self._thread.start()

    def close(self) -> None:
        """Stop streaming and disconnect; the arms hold their position."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(2.0)
        for link, _ in self._links:
            link.close()
        for claim in self._claims:
            claim.release()

    def command(self, command: Command) -> str | None:
        """Take a command; returns why it is refused, or None."""
        reason = self._guard.refuse(command.position)
        with self._lock:
            if reason is None:
                self._stream.push(command, self._clock.now())
                self._refusal = ""
            else:
                self._refused += 1
                self._refusal = f"command refused: {reason}"
        return reason

    def enable(self) -> "list[Future[str]]":
        """Ask every arm for a start-up."""
        return [link.enable() for link, _ in self._links]

    def clear_error(self) -> "list[Future[str]]":
        """Ask every arm to clear its alarms."""
        return [link.clear_error() for link, _ in self._links]

    def output(self, arm: str, index: int, on: bool) -> "Future[str]":
        """Ask to set a digital output at one arm's controller, by its number from 1."""
        links = {link.name: link for link, _ in self._links}
        if arm not in links:
            raise UnknownName("arm", arm, links)
        return links[arm].output(index, on)

    def reading(self) -> Reading | None:
        """Return the newest measured state, None while any part of it is missing or old."""
        position = np.empty(len(self._robot.names))
        velocity = np.empty_like(position)
        stamps = []
        for link, columns in self._links:
            feedback, gripper = link.feedback, link.gripper
            if feedback is None:
                return None
            start, end = columns.start, columns.stop - 1
            position[start:end], velocity[start:end] = feedback.position, feedback.velocity
            reading = gripper.reading if gripper else None
            position[end] = reading.opening if reading else 0.0
            velocity[end] = reading.velocity if reading else 0.0
            stamps.append(feedback.stamp)
        return Reading(stamp=min(stamps), position=position, velocity=velocity)

    def status(self) -> DriverStatus:
        """Return how the driver is doing."""
        periods = sorted(self._periods) or [0.0]
        return DriverStatus(
            arms={link.name: link.status for link, _ in self._links},
            moving=not self._problem,
            problem=self._refusal or self._problem,
            sent=self._sent,
            refused=self._refused,
            late=self._late,
            period_p50=periods[len(periods) // 2],
            period_max=periods[-1],
        )

    def counters(self) -> dict[str, int]:
        """Return the links' counters, by arm."""
        return {f"{ln.name}.{k}": v for ln, _ in self._links for k, v in ln.counters.items()}

    def _run(self) -> None:
        period = to_ns(self._settings.period)
        due = self._clock.now()
        while not self._ended.is_set():
            self._tick(self._clock.now())
            due += period
            now = self._clock.now()
            if now > due + period // 2:
                self._late += 1
                due = now
            self._clock.sleep_until(due)

    def _tick(self, now: int) -> None:
        healthy = [link.check() for link, _ in self._links]
        with self._lock:
            newest, age = self._stream.newest, self._stream.age(now)
            target, answered = self._stream.sample(now), self._stream.take_due(now)
        problem = self._hold_reason(newest, age, all(healthy))
        if problem is None and target is not None:
            problem = self._far(newest) or self._send(target, answered, now)
        self._problem = problem or ""

    def _hold_reason(self, newest: Command | None, age: float | None, healthy: bool) -> str | None:
        """Return why nothing may move now, and keep the latches."""
        stop = newest is not None and newest.authority is Authority.STOPPED
        for link, _ in self._links:
            if stop:
                link.stop()
            elif link.status.state is ArmState.STOPPED:
                link.release()
                healthy = False
        if stop or not healthy:
            self._hold(newest)
            return (
                "; ".join(
                    f"{ln.name} {ln.status.state.value}: {ln.status.reason}"
                    for ln, _ in self._links
                    if ln.status.state is not ArmState.READY
                )
                or "stop released"
            )
        if newest is None or age is None:
            return "no command yet"
        if age > self._settings.command_timeout:
            self._end_stream()
            return f"holding: no command for {self._settings.command_timeout} s"
        return self._void(newest)

    def _void(self, newest: Command) -> str | None:
        if self._void_epoch is None:
            return None
        if newest.authority is not Authority.HOLD and newest.epoch <= self._void_epoch:
            return "holding after a stop or fault: the arbiter must HOLD or hand over first"
        self._void_epoch = None
        return None

    def _hold(self, newest: Command | None) -> None:
        if newest is not None:
            self._void_epoch = max(self._void_epoch or 0, newest.epoch)
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
        s = self._settings
        done = True
        for link, columns in self._links:
            joints = position[columns.start : columns.stop - 1]
            done &= link.servo(joints, s.period, s.lookahead, s.gain)
            if link.gripper:
                link.gripper.move(float(position[columns.stop - 1]))
        return done
