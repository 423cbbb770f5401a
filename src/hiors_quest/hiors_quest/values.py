# SPDX-License-Identifier: Apache-2.0
"""The values that pass between the socket, the session and the node. Knows no JSON and no ROS."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

HANDS = ("left", "right")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """One controller in one XR frame.

    Attributes:
        pose: (7,) grip space in local-floor: position [m], unit quaternion xyzw; XR axes.
        emulated: the headset does not see the controller and guesses its position.
        trigger, squeeze: 0 .. 1.
        buttons: names of those held: "a", "b", "x", "y", "stick".
    """

    pose: Array
    emulated: bool
    trigger: float
    squeeze: float
    buttons: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One XR frame as the headset saw it.

    Attributes:
        sequence: grows with every frame of one page.
        time: the browser's clock [s]; only differences of it mean something.
        visible: the session is in front of the person.
        head: (4,) quaternion xyzw of the viewer, or None when it is not tracked.
        left, right: None when the controller is missing or has no pose.
    """

    sequence: int
    time: float
    visible: bool
    head: Array | None
    left: Hand | None
    right: Hand | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmCommand:
    """What one controller asks of one arm.

    Attributes:
        captured: when the pose was true [ns], on the session's clock.
        engaged: the clutch is closed. clutch: how often it has closed.
        pose: (7,) motion since the clutch closed, along the axes of the arm's base frame.
        gripper: 0 closed .. 1 open, NaN to leave it as it is.
    """

    arm: str
    captured: int
    engaged: bool
    clutch: int
    pose: Array
    gripper: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HandStatus:
    """How one controller stands, for the page.

    Attributes:
        latched: the grip must be let go before the clutch can close.
        reason: why it is not engaged, empty when it is.
    """

    hand: str
    arm: str
    engaged: bool
    latched: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HandSettings:
    """The arm that a controller drives, and the operator's forward in its base frame [rad]."""

    arm: str
    yaw: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """The numbers of the clutch and its guards.

    Attributes:
        engage, release: squeeze at which the clutch closes and opens (hysteresis).
        silence: longest gap or delay of frames [s].
        jump_position: largest step between frames [m]. jump_rotation: the same [rad].
        position_gain, rotation_gain: tool motion per hand motion.
        accept_emulated: drive also with positions that the headset only guesses.
        hands: by "left" and "right"; a controller that is absent drives nothing.
    """

    engage: float = 0.6
    release: float = 0.4
    silence: float = 0.2
    jump_position: float = 0.05
    jump_rotation: float = 0.6109
    position_gain: float = 1.0
    rotation_gain: float = 1.0
    accept_emulated: bool = False
    hands: dict[str, HandSettings] = field(default_factory=dict)
