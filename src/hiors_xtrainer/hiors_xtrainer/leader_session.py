# SPDX-License-Identifier: Apache-2.0
"""One leader arm between its servos and the follower: when it drives, holds still, or is driven.

Knows no port and no ROS, and is not thread-safe: its owner holds a lock.
"""

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from hiors_core.clock import Clock, to_ns, to_s
from hiors_core.errors import StateError
from hiors_core.gripper_catch import GripperCatch
from hiors_core.robot import Arm
from hiors_xtrainer.leader_mapping import LeaderMapping, Ticks

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderRules:
    """When a leader arm may drive.

    Attributes:
        engage_limit: farthest any joint may be from the follower's at the start [rad].
        max_step: of a joint between two readings; more is a fault [rad].
        tolerance: within which leader and follower are together [rad].
        hold_on_approach: hold the leader still until the follower has come to it.
        align_timeout: of driving the leader to the follower [s].
        feedback_timeout: age of the follower's position beyond which it is not known [s].
    """

    engage_limit: float = 0.6
    max_step: float = 0.6
    tolerance: float = 0.05
    hold_on_approach: bool = True
    align_timeout: float = 15.0
    feedback_timeout: float = 0.3


class LeaderState(Enum):
    """What a leader arm does."""

    LOST = "lost"
    UNCALIBRATED = "uncalibrated"
    FREE = "free"
    LOCKED = "locked"
    ALIGNING = "aligning"
    APPROACHED = "held while the follower comes"
    FOLLOWED = "followed"


@dataclass(frozen=True, slots=True)
class LeaderCommand:
    """What the leader asks for: joints (n,) [rad] and gripper (0 closed .. 1 open, NaN: as is)."""

    engaged: bool
    clutch: int
    position: Array
    gripper: float


class LeaderSession:
    """Readings and wishes in, commands and the motors' state out."""

    def __init__(
        self, arm: Arm, mapping: LeaderMapping | None, rules: LeaderRules, clock: Clock
    ) -> None:
        self._arm, self._mapping, self._rules, self._clock = arm, mapping, rules, clock
        self._catch = GripperCatch()
        self._joints: Array | None = None
        self._opening = math.nan
        self._ticks: Ticks | None = None
        self._follower: Array | None = None
        self._follower_gripper = math.nan
        self._follower_stamp = 0
        self._following = self._approached = self._locked = False
        self._align_until: int | None = None
        self.clutch = 0
        self.reason = "not connected yet"
        """Why the leader does not drive; empty while it does."""

    @property
    def following(self) -> bool:
        """Whether the follower is asked to follow."""
        return self._following

    @property
    def aligning(self) -> bool:
        """Whether the leader is being driven to the follower."""
        return self._align_until is not None

    @property
    def state(self) -> LeaderState:
        """What the leader does."""
        if self._ticks is None:
            return LeaderState.LOST
        if self._mapping is None:
            return LeaderState.UNCALIBRATED
        if self.aligning:
            return LeaderState.ALIGNING
        if self._following:
            return LeaderState.APPROACHED if self._approached else LeaderState.FOLLOWED
        return LeaderState.LOCKED if self._locked else LeaderState.FREE

    @property
    def torque(self) -> bool:
        """Whether the motors shall hold or drive."""
        return self._locked or self._approached or self.aligning

    @property
    def goal(self) -> Ticks | None:
        """Where the motors shall drive (n,) [ticks]; None: hold where the leader is."""
        if not self.aligning or self._mapping is None or self._ticks is None:
            return None
        follower = self._fresh_follower()
        return None if follower is None else self._mapping.goal(follower, self._ticks)

    def on_follower(self, position: Array, gripper: float) -> None:
        """Take the follower's measured joints (n,) [rad] and gripper."""
        self._follower, self._follower_gripper = position, gripper
        self._follower_stamp = self._clock.now()

    def on_reading(self, ticks: Ticks, handle: int) -> None:
        """Take the servos' positions (n,) and the handle's [ticks]."""
        first = self._ticks is None
        self._ticks = ticks
        if self._mapping is None:
            self.reason = (
                f"{self._arm.name} leader is not calibrated: run `hiors calibrate leader`"
            )
            return
        if first:
            self.reason = ""
        before = self._joints
        self._joints = joints = self._mapping.joints(ticks, self._near())
        self._opening = self._mapping.opening(handle)
        if self._following and before is not None:
            self._guard(joints, before)
        if self._approached and self._away() <= self._rules.tolerance:
            self._approached = False
        if self.aligning:
            self._watch_alignment()

    def lost(self, reason: str) -> None:
        """Take that the servos are gone."""
        self.release(reason)
        self._joints = self._ticks = self._align_until = None
        self._locked = False
        self.reason = reason

    def follow(self) -> None:
        """Begin to drive, or raise StateError that says what is in the way."""
        joints, follower = self._both()
        if self.aligning:
            raise StateError(f"{self._arm.name} leader is being aligned; wait until it is done.")
        away = np.abs(joints - follower)
        worst = int(away.argmax())
        if away[worst] > self._rules.engage_limit:
            raise StateError(
                f"{self._arm.joints[worst]}: the leader is {away[worst]:.2f} rad from the robot,"
                f" at most {self._rules.engage_limit} is allowed. Bring it there by hand, or"
                " call leader/align."
            )
        self._following = True
        self._approached = self._rules.hold_on_approach and away.max() > self._rules.tolerance
        self._catch.anchor(self._follower_gripper)
        self.clutch += 1
        self.reason = ""

    def release(self, reason: str) -> None:
        """End to drive: the robot holds."""
        if self._following:
            self._following = self._approached = False
            self.reason = reason

    def toggle_lock(self) -> bool:
        """Hold the leader where it is, or let it go; returns whether it is held now."""
        self._align_until = None
        self._locked = not self._locked
        return self._locked

    def align(self) -> None:
        """Begin to drive the leader to the follower, or raise StateError that says why not."""
        self._both()
        if self._following:
            raise StateError(
                f"{self._arm.name} leader drives the robot; end to follow before aligning it."
            )
        self._align_until = self._clock.now() + to_ns(self._rules.align_timeout)
        self.reason = ""

    def command(self) -> LeaderCommand | None:
        """Return what to ask of the robot now, None while the leader's joints are not known."""
        if self._joints is None:
            return None
        gripper = self._catch.update(self._opening) if self._following else math.nan
        return LeaderCommand(self._following, self.clutch, self._joints, gripper)

    def _guard(self, joints: Array, before: Array) -> None:
        step = np.abs(joints - before)
        worst = int(step.argmax())
        if step[worst] > self._rules.max_step:
            self.release(
                f"{self._arm.joints[worst]} of the leader jumped by {step[worst]:.2f} rad;"
                " follow again when it is well"
            )

    def _watch_alignment(self) -> None:
        if self._away() <= self._rules.tolerance:
            self._align_until = None
        elif self._clock.now() > (self._align_until or 0):
            self._align_until = None
            self.reason = (
                f"{self._arm.name} leader did not reach the robot's position in"
                f" {self._rules.align_timeout:.0f} s, {self._away():.2f} rad are left;"
                " is something in its way?"
            )

    def _away(self) -> float:
        follower = self._fresh_follower()
        if follower is None or self._joints is None:
            return math.inf
        return float(np.abs(self._joints - follower).max())

    def _near(self) -> Array:
        """Return what tells on which turn a joint is (n,) [rad]."""
        if self._following and self._joints is not None:
            return self._joints
        follower = self._fresh_follower()
        if follower is not None:
            return follower
        return self._joints if self._joints is not None else self._arm.home

    def _fresh_follower(self) -> Array | None:
        age = to_s(self._clock.now() - self._follower_stamp)
        return self._follower if age <= self._rules.feedback_timeout else None

    def _both(self) -> tuple[Array, Array]:
        """Return the leader's and the follower's joints, or raise StateError."""
        if self._joints is None:
            raise StateError(self.reason or f"{self._arm.name} leader has not been read yet.")
        follower = self._fresh_follower()
        if follower is None:
            raise StateError(
                f"The {self._arm.name} arm's position is not known (no fresh joint_states)."
                " Is the driver running and enabled?"
            )
        return self._joints, follower
