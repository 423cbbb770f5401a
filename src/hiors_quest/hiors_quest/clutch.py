# SPDX-License-Identifier: Apache-2.0
"""One controller: when its motion counts, and what the gripper is told. Knows no time."""

import math

from hiors_quest.motion import IDENTITY, RelativeMotion, distance
from hiors_quest.values import Array, Hand, SessionSettings

READY = "grip to drive"

_OPEN = 0.85
"""A gripper that is wider open than this follows the trigger at once."""
_SHUT = 0.1
"""A trigger pulled to within this of its end reaches every gripper."""


class Trigger:
    """The gripper follows the trigger once the trigger has been pulled to where the gripper is.

    Without this a person who let go of the trigger while the clutch was open, or who takes over
    from a policy that holds something, would drop it at the moment the clutch closes.
    """

    def __init__(self) -> None:
        self._threshold = 0.0
        self._follows = False

    def anchor(self, gripper: float) -> None:
        """Begin anew with the gripper (0 closed .. 1 open, NaN unknown) as it is."""
        self._follows = math.isnan(gripper) or gripper >= _OPEN
        self._threshold = max(gripper, _SHUT)

    def update(self, trigger: float) -> float:
        """Return the gripper's target, NaN as long as the trigger has not reached it."""
        opening = 1.0 - trigger
        self._follows = self._follows or opening <= self._threshold
        return opening if self._follows else math.nan


class Clutch:
    """Closed by a squeeze; opened by letting go, and by a fault, after which letting go is due."""

    def __init__(self, settings: SessionSettings) -> None:
        self._settings = settings
        self._trigger = Trigger()
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
        self._trigger.anchor(gripper)
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
        self.gripper = self._trigger.update(hand.trigger)

    def _open(self) -> None:
        self._motion = None
        self.pose = IDENTITY
        self.gripper = math.nan
