# SPDX-License-Identifier: Apache-2.0
"""A person's hand on an emulated leader arm: motion of its joints, presses of its buttons.

Does with the leader what a ScriptedOperator wants done. Knows no port and no topic.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiors_core.authority import Authority
from hiors_core.geometry import quat_multiply
from hiors_core.kinematics import ArmKinematics
from hiors_core.label import Outcome
from hiors_core.robot import Arm
from hiors_core.teleop import Teleop
from hiors_sim.leader_arm import LeaderArm
from hiors_sim.operator import OperatorAction

Array = NDArray[np.float64]

_FOLLOW = ("a", 1.3)
_LABELS = {Outcome.SUCCESS: ("b", 0.25), Outcome.FAILURE: ("b", 1.3)}
"""Button, and for how long it is pressed [s]."""
_PAUSE = 0.3
"""Between two presses [s]."""
_PATIENCE = 3.0
"""How long a person waits for what a press should bring about [s]."""
_SPEED, _HANDLE_SPEED = 2.0, 10.0
"""Of the leader's joints [rad/s] and of the handle [strokes/s]."""
_SLOPPY = 0.12
"""How exactly a person holds the leader where the robot is [rad]."""
_OPEN = 0.9
"""A gripper wider open than this is had at once."""
_LONGEST_STEP = 0.1
_THEIRS = (Authority.HUMAN, Authority.HANDOVER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """What the hand is led by.

    Attributes:
        time: of the glance [s]. authority: who drives.
        joints: (n,) where the robot's are [rad]. gripper: its opening, 0 .. 1.
        tool: (7,) where the robot's tool is.
    """

    time: float
    authority: Authority
    joints: Array
    gripper: float
    tool: Array


class LeaderHand:
    """Call ``step`` at the rate of looking, with what the operator wants."""

    def __init__(self, arm: Arm, leader: LeaderArm) -> None:
        self._arm, self._leader = arm, leader
        self._kinematics = ArmKinematics(arm)
        self._sloppy = _SLOPPY * np.cos(np.arange(len(arm.joints)))
        self._next: tuple[str, float] | None = None
        self._judged: tuple[str, float] | None = None
        self._until = self._again = self._last = -np.inf
        self._wants = self._has = self._down = False
        self._opening, self._caught = 1.0, False
        self._anchor: tuple[int, Array] | None = None

    def step(self, action: OperatorAction, seen: Glance) -> None:
        """Move on to ``seen``."""
        dt = min(max(seen.time - self._last, 0.0), _LONGEST_STEP)
        self._last = seen.time
        if action.teleop is not None:
            self._wants = action.teleop.engaged
        if action.label is not None:
            self._judged, self._again = _LABELS.get(action.label), seen.time
        self._decide(seen)
        self._fingers(seen.time)
        self._move(self._goal(action.teleop, seen), dt)

    def let_go(self) -> None:
        """The episode is over: want nothing any more, and take the finger off the button."""
        self._wants, self._judged, self._next = False, None, None
        self._until = -np.inf

    def _decide(self, seen: Glance) -> None:
        """Choose the next press; what a press did not bring about is tried again."""
        theirs = seen.authority in _THEIRS
        self._has = theirs and (self._has or self._wants)
        missing = self._wants and not theirs and seen.authority is not Authority.STOPPED
        over = self._has and not self._wants
        if seen.time < self._again:
            return
        if self._judged or missing or over:
            self._next = self._judged or _FOLLOW
            self._again = seen.time + _PATIENCE

    def _fingers(self, now: float) -> None:
        board = self._leader.board
        if now < self._until:
            return
        if self._down:
            board.a = board.b = self._down = False
            self._until = now + _PAUSE
        elif self._next:
            button, seconds = self._next
            setattr(board, button, True)
            self._down, self._next, self._until = True, None, now + seconds

    def _goal(self, teleop: Teleop | None, seen: Glance) -> Array:
        """Return where the hand wants the leader's joints (n,) [rad]."""
        if seen.authority is Authority.HUMAN and teleop is not None and teleop.engaged:
            self._grip(teleop.gripper, seen.gripper)
            return self._driven(teleop, seen.tool)
        self._anchor, self._caught = None, False
        if seen.authority in _THEIRS:
            return self._leader.joints
        self._opening = 1.0
        return seen.joints + self._sloppy

    def _grip(self, wanted: float | None, gripper: float) -> None:
        """The handle has the gripper only once it has been pressed to where the gripper is."""
        self._caught = self._caught or gripper > _OPEN or self._leader.opening < max(gripper, 0.05)
        if not self._caught:
            self._opening = 0.0
        elif wanted is not None:
            self._opening = wanted

    def _driven(self, teleop: Teleop, tool: Array) -> Array:
        if self._anchor is None or self._anchor[0] != teleop.clutch:
            self._anchor = (teleop.clutch, tool)
        anchor = self._anchor[1]
        turned = quat_multiply(teleop.pose[3:], anchor[3:])
        pose = np.concatenate((anchor[:3] + teleop.pose[:3], turned))
        return self._kinematics.inverse(pose, self._leader.joints).q

    def _move(self, goal: Array, dt: float) -> None:
        joints, opening = self._leader.joints, self._leader.opening
        step = np.clip(goal - joints, -_SPEED * dt, _SPEED * dt)
        press = np.clip(self._opening - opening, -_HANDLE_SPEED * dt, _HANDLE_SPEED * dt)
        self._leader.move(joints + step, float(opening + press))
