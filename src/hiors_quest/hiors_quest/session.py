# SPDX-License-Identifier: Apache-2.0
"""One operator with two controllers: frames in, arm commands and button presses out.

Owns the guards against silence, delay and a hidden session. Knows no socket and no ROS, and is not
thread-safe: its owner holds a lock.
"""

import math

from hiors_core.clock import Clock, to_ns, to_s
from hiors_quest.clutch import Clutch
from hiors_quest.motion import heading_of, turn
from hiors_quest.values import (
    HANDS,
    ArmCommand,
    Frame,
    Hand,
    HandStatus,
    SessionSettings,
)
from hiors_seat.actions import Action

_ACTIONS = {
    ("right", "a"): Action.SUCCESS,
    ("right", "b"): Action.FAILURE,
    ("left", "x"): Action.REZERO,
    ("left", "y"): Action.TOGGLE,
    ("left", "stick"): Action.TOGGLE,
    ("right", "stick"): Action.TOGGLE,
}
_CREEP = 1e-3
"""How fast the smallest delay is forgotten [s/s]: covers the drift between two clocks."""


class Session:
    """The state between the headset's frames and the arms' commands."""

    def __init__(self, settings: SessionSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._clutches = {hand: Clutch(settings) for hand in HANDS if hand in settings.hands}
        self._grippers = {hand.arm: math.nan for hand in settings.hands.values()}
        self.operator: str | None = None
        self.dropped = 0
        self._reset()

    def _reset(self) -> None:
        self._held: dict[str, frozenset[str] | None] = dict.fromkeys(HANDS)
        self._frame: Frame | None = None
        self._arrived = self._captured = self._clock.now()
        self._offset = math.inf
        self._heading = 0.0

    def open(self, operator: str) -> None:
        """Let this person begin; whatever the controllers show now must be let go first."""
        self._reset()
        self.operator = operator
        self._release_all("not in AR")

    def close(self) -> None:
        """The person is gone."""
        self._release_all("no operator")
        self.operator = None
        self._frame = None

    def end(self) -> None:
        """The XR session is over; the person still is the operator."""
        self._release_all("not in AR")
        self._held = dict.fromkeys(HANDS)
        self._frame = None

    def release(self, reason: str) -> None:
        """Open the clutches that are closed; they close again only after the person has let go."""
        for clutch in self._clutches.values():
            if clutch.engaged:
                clutch.release(reason)

    def set_gripper(self, arm: str, opening: float) -> None:
        """Tell the measured gripper of an arm: 0 closed .. 1 open."""
        self._grippers[arm] = opening

    def on_frame(self, frame: Frame) -> tuple[Action, ...]:
        """Take one frame; return the actions whose buttons went down in it."""
        before = self._frame
        if before and (frame.sequence <= before.sequence or frame.time < before.time):
            self.dropped += 1
            return ()
        silent = self._silent()
        delay = self._delay(frame.time)
        self._frame, self._arrived = frame, self._clock.now()
        self._captured = self._arrived - to_ns(delay)
        if not frame.visible:
            self._held = dict.fromkeys(HANDS)
            self._release_all("session hidden")
            return ()
        if silent or delay > self._settings.silence:
            self._release_all("frames late")
        actions = self._pressed(frame)
        if Action.REZERO in actions:
            self.rezero()
        self._drive(frame)
        return actions

    def rezero(self) -> bool:
        """Make where the head looks now the operator's forward. Opens the clutches."""
        self._release_all("re-zeroed")
        head = self._frame.head if self._frame else None
        heading = None if head is None else heading_of(head)
        if heading is not None:
            self._heading = heading
        return heading is not None

    def commands(self) -> tuple[ArmCommand, ...]:
        """Return what each arm is asked for now; nothing while there is no operator."""
        if self.operator is None:
            return ()
        if self._frame is not None and self._silent():
            self._release_all("no frames")
        now = self._clock.now()
        return tuple(
            ArmCommand(
                arm=self._settings.hands[name].arm,
                captured=self._captured if clutch.engaged else now,
                engaged=clutch.engaged,
                clutch=clutch.count,
                pose=clutch.pose,
                gripper=clutch.gripper,
            )
            for name, clutch in self._clutches.items()
        )

    def statuses(self) -> tuple[HandStatus, ...]:
        """Return how each controller stands."""
        return tuple(
            HandStatus(
                hand=name,
                arm=self._settings.hands[name].arm,
                engaged=clutch.engaged,
                latched=clutch.latched and self._frame is not None,
                reason=clutch.reason,
            )
            for name, clutch in self._clutches.items()
        )

    def _silent(self) -> bool:
        gap = to_s(self._clock.now() - self._arrived)
        return self._frame is not None and gap > self._settings.silence

    def _delay(self, time: float) -> float:
        """Return how much later than the quickest frame this one arrived [s]."""
        now = self._clock.now()
        offset = to_s(now) - time
        self._offset = min(self._offset + _CREEP * to_s(now - self._arrived), offset)
        return offset - self._offset

    def _release_all(self, reason: str) -> None:
        for clutch in self._clutches.values():
            clutch.release(reason)

    def _drive(self, frame: Frame) -> None:
        for name, clutch in self._clutches.items():
            hand = self._settings.hands[name]
            gripper = self._grippers[hand.arm]
            clutch.update(_hand(frame, name), turn(self._heading, hand.yaw), gripper)

    def _pressed(self, frame: Frame) -> tuple[Action, ...]:
        actions: list[Action] = []
        for name in HANDS:
            hand, held = _hand(frame, name), self._held[name]
            self._held[name] = hand.buttons if hand else None
            if hand is None or held is None:
                continue
            new = sorted(hand.buttons - held)
            actions.extend(_ACTIONS[name, b] for b in new if (name, b) in _ACTIONS)
        return tuple(dict.fromkeys(actions))


def _hand(frame: Frame, name: str) -> Hand | None:
    return frame.left if name == "left" else frame.right
