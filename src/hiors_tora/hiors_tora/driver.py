# SPDX-License-Identifier: Apache-2.0
"""The driver of a Tora One without ROS: what is the same in every driver, and this robot's power.

Nothing is sent before the robot has been enabled. The robot enables as a whole, or not at all.
"""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Protocol

from hiors_core.clock import Clock, to_ns
from hiors_core.command import Command
from hiors_core.driver_arm import ArmState
from hiors_core.errors import HiorsError, StateError, UnknownName
from hiors_core.robot import RobotModel
from hiors_core.set_points import SetPoints, StreamSettings
from hiors_tora.arm import ArmPort, ToraArm
from hiors_tora.feedback import JointFeedback
from hiors_tora.settings import DriverSettings

RETRY = 2.0
"""Time between attempts to enable a robot that has not answered yet [s]."""


class Unreachable(HiorsError):
    """Nobody answers (yet); trying again later makes sense."""


class Power(Protocol):
    """Switches the robot's motors. Any thread may ask; the answer comes in another."""

    @property
    def problem(self) -> str | None:
        """Why the robot must not move, such as a pressed e-stop; None when it may."""

    def enable(self) -> "Future[str]":
        """Switch on. The result is a sentence, or an error that says why not."""

    def disable(self) -> "Future[str]":
        """Switch off."""

    def clear(self) -> "Future[str]":
        """Clear the robot's own errors."""


class ToraDriver(SetPoints):
    """Drives the arms of ``settings``, which must be those of ``robot``, through ``ports``."""

    def __init__(
        self,
        robot: RobotModel,
        settings: DriverSettings,
        ports: Mapping[str, ArmPort],
        power: Power,
        clock: Clock,
        on_executed: Callable[[Command], None] = lambda _: None,
    ) -> None:
        for arm in robot.arms:
            if arm.name not in settings.arms or arm.name not in ports:
                raise UnknownName("arm", arm.name, settings.arms, "It has no settings.")
        self.feedback = JointFeedback()
        self._tora_arms = [
            ToraArm(
                arm.name,
                settings.arms[arm.name],
                self.feedback,
                ports[arm.name],
                clock,
                settings.feedback_timeout,
            )
            for arm in robot.arms
        ]
        stream = StreamSettings(
            period=settings.period,
            delay=settings.delay,
            command_timeout=settings.command_timeout,
            max_jump=settings.max_jump,
        )
        super().__init__(robot, self._tora_arms, stream, clock, on_executed)
        self._power, self._disables = power, settings.stop_action == "disable"
        # Until the robot answered once, the driver asks by itself; never after a fault.
        self._wants_start = settings.enable_at_start
        self._next_try = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(
            target=self.run, args=(self._ended,), name="set-points", daemon=True
        )

    def start(self) -> None:
        """Begin to stream."""
        self._thread.start()

    def close(self) -> None:
        """Stop streaming; the arms hold their position."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(2.0)
        for arm in self._tora_arms:
            arm.stop()

    def tick(self, now: int) -> None:
        """Send the set-point of ``now`` [ns], or none."""
        self._watch(now)
        super().tick(now)
        if self._disables and any(a.status.state is ArmState.STOPPED for a in self._tora_arms):
            self._switch_off()

    def enable(self) -> "list[Future[str]]":
        """Ask for the robot to be enabled."""
        answer: Future[str] = Future()
        if self._all(ArmState.READY):
            answer.set_result("already enabled")
            return [answer]
        if refusal := self._power.problem or self._unseen():
            answer.set_exception(StateError(f"not enabled: {refusal}"))
            return [answer]
        for arm in self._tora_arms:
            arm.change(ArmState.STARTING, "being enabled")
        self._power.enable().add_done_callback(lambda work: self._enabled(work, answer))
        return [answer]

    def clear_error(self) -> "list[Future[str]]":
        """Ask the robot to clear its errors; it stays disabled until ``enable``."""
        return [self._power.clear()]

    def counters(self) -> dict[str, object]:
        """Return what the feedback refused."""
        feedback = self.feedback
        told = {"feedback_refusal": feedback.refusal} if feedback.refusal else {}
        return {"feedback_refused": feedback.refused, **told}

    def _watch(self, now: int) -> None:
        if problem := self._power.problem:
            self._wants_start = False
            for arm in self._tora_arms:
                arm.change(ArmState.FAULT, problem)
        elif self._wants_start and now >= self._next_try:
            self._next_try = now + to_ns(RETRY)
            self._try_first_start()

    def _try_first_start(self) -> None:
        if self._all(ArmState.READY):
            self._wants_start = False
        elif unseen := self._unseen():
            for arm in self._tora_arms:
                arm.change(ArmState.DISCONNECTED, unseen)
        elif not self._all(ArmState.STARTING):
            self.enable()

    def _enabled(self, work: "Future[str]", answer: "Future[str]") -> None:
        error = work.exception()
        if error is None and (problem := self._power.problem):
            error = StateError(problem)
        if error is None:
            self._wants_start = False
            for arm in self._tora_arms:
                arm.ready()
            answer.set_result(work.result())
            return
        waits = isinstance(error, Unreachable) and self._wants_start
        self._wants_start = waits
        for arm in self._tora_arms:
            arm.change(ArmState.DISCONNECTED if waits else ArmState.FAULT, str(error))
        answer.set_exception(error)

    def _unseen(self) -> str | None:
        problems = [f"{a.name}: {p}" for a in self._tora_arms if (p := a.prepare())]
        return "; ".join(problems) or None

    def _all(self, state: ArmState) -> bool:
        return all(arm.status.state is state for arm in self._tora_arms)

    def _switch_off(self) -> None:
        if all(arm.powered for arm in self._tora_arms):
            for arm in self._tora_arms:
                arm.powered = False
            self._power.disable().add_done_callback(self._disabled)

    def _disabled(self, work: "Future[str]") -> None:
        if error := work.exception():
            for arm in self._tora_arms:
                arm.change(ArmState.FAULT, f"could not be switched off: {error}")
