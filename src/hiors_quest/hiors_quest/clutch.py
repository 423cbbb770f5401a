# SPDX-License-Identifier: Apache-2.0
"""One controller: when its motion counts, and what the gripper is told. Knows no time."""

import math

from hiors_core.gripper_catch import GripperCatch
from hiors_quest.motion import IDENTITY, RelativeMotion, distance
from hiors_quest.values import Array, Hand, SessionSettings

READY = "grip to drive"


class Clutch:
    """Closed by a squeeze; opened by letting go, and by a fault, after which letting go is due."""

    def __init__(self, settings: SessionSettings) -> None:
        self._settings = settings
        self._catch = GripperCatch()
        self._motion: RelativeMotion | None = None
        self._before: Array = IDENTITY
        self.latched = True
        self.count = 0
        self.pose: Array = IDENTITY
        self.gripper = math.nan
        self.reason = "no operator"

    @property
    def engaged(self) -> bool:
        """Whether the clutch is closed."""
        return self._motion is not None

    def release(self, reason: str) -> None:
        """Open the clutch for a fault: it closes again only after the person has let go."""
        self.latched = True
        self.reason = reason
        self._open()

    def update(self, hand: Hand | None, turn: Array, gripper: float) -> None:
        """Take one frame of the controller; ``gripper`` is the measured one (NaN unknown)."""
        if hand is None:
            self.release("controller lost")
        elif hand.emulated and not self._settings.accept_emulated:
            self.release("tracking lost")
        elif self.engaged:
            self._while_closed(hand)
        else:
            self._while_open(hand, turn, gripper)

    def _while_open(self, hand: Hand, turn: Array, gripper: float) -> None:
        if hand.squeeze <= self._settings.release:
            self.latched = False
            self.reason = READY
        if self.latched or hand.squeeze < self._settings.engage:
            return
        s = self._settings
        self._motion = RelativeMotion(hand.pose, turn, s.position_gain, s.rotation_gain)
        self._catch.anchor(gripper)
        self.count += 1
        self.reason = ""
        self._follow(hand)

    def _while_closed(self, hand: Hand) -> None:
        step, angle = distance(self._before, hand.pose)
        if step > self._settings.jump_position or angle > self._settings.jump_rotation:
            self.release(f"jump of {100 * step:.0f} cm, {math.degrees(angle):.0f}°")
        elif hand.squeeze <= self._settings.release:
            self.latched = False
            self.reason = READY
            self._open()
        else:
            self._follow(hand)

    def _follow(self, hand: Hand) -> None:
        if self._motion is None:
            return
        self._before = hand.pose
        self.pose = self._motion(hand.pose)
        self.gripper = self._catch.update(1.0 - hand.trigger)

    def _open(self) -> None:
        self._motion = None
        self.pose = IDENTITY
        self.gripper = math.nan
