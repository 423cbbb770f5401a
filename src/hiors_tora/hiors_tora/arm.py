# SPDX-License-Identifier: Apache-2.0
"""One arm with its gripper, from the first joint state to a fault. Knows no ROS.

Nothing resumes by itself: after a fault the arm waits for ``enable``.
"""

import threading
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hiors_core.clock import Clock, to_s
from hiors_core.driver_arm import ArmState, ArmStatus, Reading
from hiors_tora.feedback import JointFeedback, JointSample
from hiors_tora.settings import ArmSettings

Array = NDArray[np.float64]


class ArmPort(Protocol):
    """Where set-points of one arm go."""

    @property
    def failure(self) -> str | None:
        """Why set-points no longer arrive, None while they do."""

    def send(self, joints: Array) -> None:
        """Send joints (n,) [rad]."""

    def grip(self, position: float) -> None:
        """Send the gripper's position, in its own unit."""

    def reset(self) -> None:
        """Forget a failure, and what the gripper was told."""

    def cancel(self) -> None:
        """Give up what is under way, where the interface has such a thing."""


class ToraArm:
    """The driver's end of one arm."""

    def __init__(
        self,
        name: str,
        settings: ArmSettings,
        feedback: JointFeedback,
        port: ArmPort,
        clock: Clock,
        timeout: float,
    ) -> None:
        self.name = name
        self._settings, self._feedback, self._port = settings, feedback, port
        self._clock, self._timeout = clock, timeout
        self._lock = threading.Lock()
        self._status = ArmStatus(ArmState.DISCONNECTED, "not seen yet")
        self._opening = 0.0
        self.powered = True

    @property
    def status(self) -> ArmStatus:
        """State with its reason."""
        return self._status

    def change(self, state: ArmState, reason: str = "", only: ArmState | None = None) -> bool:
        """Enter a state, if the arm is in ``only``; returns whether it did."""
        with self._lock:
            if only is not None and self._status.state is not only:
                return False
            self._status = ArmStatus(state, reason)
            return True

    def prepare(self) -> str | None:
        """Forget what failed before; returns why the arm cannot be enabled, or None."""
        self._port.reset()
        return self.problem()

    def ready(self) -> None:
        """The robot is enabled: take set-points."""
        self.powered = True
        self.change(ArmState.READY)

    def check(self) -> bool:
        """Look at feedback and port; a problem turns READY into FAULT. Returns whether the arm
        may move.
        """
        state = self._status.state
        if state in (ArmState.READY, ArmState.STOPPED) and (problem := self.problem()):
            self.change(ArmState.FAULT, problem)
        return self._status.state is ArmState.READY

    def stop(self) -> None:
        """Stop by the arbiter's order: latches until ``release``."""
        if self.change(ArmState.STOPPED, "stopped by the arbiter", only=ArmState.READY):
            self._port.cancel()

    def release(self) -> None:
        """End a stop."""
        if self.powered:
            self.change(ArmState.READY, only=ArmState.STOPPED)
        else:
            reason = "switched off by the stop; call driver/enable"
            self.change(ArmState.FAULT, reason, only=ArmState.STOPPED)

    def reading(self) -> Reading | None:
        """Return joints and gripper, None while any of them is missing or old."""
        s, samples = self._settings, self._feedback.samples
        found = [samples.get(name) for name in s.joints]
        joints = [sample for sample in found if sample is not None]
        hand = samples.get(s.gripper_joint) if s.gripper_joint else self._told(joints)
        if len(joints) < len(found) or hand is None or self._late([*joints, hand]):
            return None
        opening = (hand.position - s.gripper_closed) * s.scale()
        return Reading(
            stamp=min(sample.stamp for sample in joints),
            position=np.array([*(j.position for j in joints), np.clip(opening, 0.0, 1.0)]),
            velocity=np.array([*(j.velocity for j in joints), hand.velocity * s.scale()]),
        )

    def write(self, position: Array) -> bool:
        """Send one set-point (n + 1,)."""
        self._opening = float(position[-1])
        self._port.send(position[:-1])
        self._port.grip(self._settings.to_wire(self._opening))
        return self._port.failure is None

    def problem(self) -> str | None:
        """Return what is wrong with feedback or port, or None."""
        if self.reading() is None:
            return f"no fresh joint state of {', '.join(self._missing())}"
        return self._port.failure

    def _told(self, joints: list[JointSample]) -> JointSample | None:
        """Return what an unmeasured gripper was told, as old as the joints."""
        stamp = min((sample.stamp for sample in joints), default=0)
        return JointSample(self._settings.to_wire(self._opening), 0.0, stamp)

    def _late(self, samples: list[JointSample]) -> bool:
        oldest = min(sample.stamp for sample in samples)
        return to_s(self._clock.now() - oldest) > self._timeout

    def _missing(self) -> list[str]:
        s, samples = self._settings, self._feedback.samples
        wanted = [name for name in (*s.joints, s.gripper_joint) if name]
        absent = [name for name in wanted if name not in samples]
        return absent or [name for name in wanted if self._late([samples[name]])] or wanted
