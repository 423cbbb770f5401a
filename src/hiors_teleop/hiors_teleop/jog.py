# SPDX-License-Identifier: Apache-2.0
"""Speed control of one tool: a dead-man button, a velocity, and the motion that follows from them.

Knows no device and no ROS, and is not thread-safe.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiors_core.clock import Clock, to_ns, to_s
from hiors_core.geometry import quat_conjugate, quat_multiply, quat_to_rotvec, rotvec_to_quat

Array = NDArray[np.float64]

IDENTITY: Array = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0])
_SLOWEST = 0.1
"""Longest time that one step may stand for [s]: a node that was held up must not leap after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JogSettings:
    """How a tool is jogged.

    Attributes:
        linear_speed: at full deflection [m/s]. angular_speed: [rad/s].
        silence: of the device, after which the dead-man button counts as let go [s].
        leash, angular_leash: how far the wish may run ahead of the tool [m], [rad].
    """

    linear_speed: float = 0.1
    angular_speed: float = 0.5
    silence: float = 0.25
    leash: float = 0.08
    angular_leash: float = 0.5


class Jog:
    """The clutch of one device, and the motion (7,) since it closed along the base axes."""

    def __init__(self, settings: JogSettings, clock: Clock) -> None:
        self._s, self._clock = settings, clock
        self._latched = True
        self._held = False
        self._twist: Array = np.zeros(6)
        self._heard = self._stepped = clock.now()
        self._anchor: Array | None = None
        self.engaged = False
        self.clutch = 0
        self.pose = IDENTITY
        self.gripper = math.nan
        self.reason = "dead-man button not pressed yet"
        """Why the tool does not move; empty while the clutch is closed."""

    def input(self, *, held: bool, twist: Array) -> bool:
        """Take the dead-man button and the deflections (6,), x y z rx ry rz, each -1 .. 1.

        Returns whether the clutch closed by this.
        """
        self._heard = self._clock.now()
        if not np.isfinite(twist).all():
            self.release("a deflection is not a number")
            return False
        self._twist = np.clip(twist, -1.0, 1.0)
        if not held:
            self._latched = False
            if self.engaged:
                self._open("dead-man button let go")
            return False
        if self.engaged or self._latched:
            return False
        self.engaged, self._anchor, self._stepped = True, None, self._heard
        self.clutch += 1
        self.pose, self.gripper, self.reason = IDENTITY, math.nan, ""
        return True

    def release(self, reason: str) -> None:
        """Open the clutch; it closes again only after the person has let go."""
        self._latched = True
        if self.engaged or not self.reason:
            self._open(reason)

    def grip(self, opening: float) -> None:
        """Ask for a gripper opening, 0 closed .. 1 open; counts while the clutch is closed."""
        if self.engaged:
            self.gripper = opening

    def step(self, measured: Array | None) -> None:
        """Move on to now.

        Args:
            measured: (7,) the tool's pose in its base frame, None when it is not known.
        """
        now = self._clock.now()
        if self.engaged and now - self._heard > to_ns(self._s.silence):
            self.release(f"device silent for {to_s(now - self._heard):.2f} s")
        dt = min(to_s(now - self._stepped), _SLOWEST)
        self._stepped = now
        if not self.engaged:
            return
        moved = self.pose[:3] + self._s.linear_speed * dt * self._twist[:3]
        turn = rotvec_to_quat(self._s.angular_speed * dt * self._twist[3:])
        turned = quat_multiply(turn, self.pose[3:])
        if measured is not None:
            moved, turned = self._on_leash(moved, turned, measured)
        self.pose = np.concatenate([moved, turned / np.linalg.norm(turned)])

    def _on_leash(self, moved: Array, turned: Array, measured: Array) -> tuple[Array, Array]:
        """Keep the wish near the tool, so that pushing against a limit does not pile up."""
        if self._anchor is None:
            self._anchor = measured
        at = measured[:3] - self._anchor[:3]
        ahead = moved - at
        if (length := float(np.linalg.norm(ahead))) > self._s.leash:
            moved = at + ahead * (self._s.leash / length)
        here = quat_multiply(measured[3:], quat_conjugate(self._anchor[3:]))
        angle = quat_to_rotvec(quat_multiply(turned, quat_conjugate(here)))
        if (size := float(np.linalg.norm(angle))) > self._s.angular_leash:
            turned = quat_multiply(rotvec_to_quat(angle * (self._s.angular_leash / size)), here)
        return moved, turned

    def _open(self, reason: str) -> None:
        self.engaged = False
        self.pose, self.gripper, self.reason = IDENTITY, math.nan, reason
