# SPDX-License-Identifier: Apache-2.0
"""Driving by keys or sticks: speeds become the motion since the deadman closed. Knows no ROS."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiors_console.protocol import DriveWish
from hiors_core.clock import Clock, to_s
from hiors_core.errors import UnknownName
from hiors_core.geometry import quat_multiply, rotvec_to_quat

Array = NDArray[np.float64]

_LONGEST_STEP = 0.1
"""A tick that comes later than this moves no further than one of this length [s]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriveSettings:
    """Attributes: speeds at full deflection [m/s], [rad/s]; silence until release [s]."""

    arms: tuple[str, ...]
    linear: float
    angular: float
    silence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """What is asked of an arm: (7,) motion since the deadman closed, and the gripper or NaN."""

    arm: str
    engaged: bool
    clutch: int
    pose: Array
    gripper: float


class Drive:
    """One operator's deadman. It opens by itself after silence, and then must be let go first."""

    def __init__(self, settings: DriveSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._wish: DriveWish | None = None
        self._heard = self._ticked = clock.now()
        self._arm = settings.arms[0] if settings.arms else ""
        self._latched = True
        self._engaged = False
        self._clutch = 0
        self._position = np.zeros(3)
        self._rotation = np.array([0.0, 0.0, 0.0, 1.0])
        self.reason = "hold the deadman to drive"

    @property
    def engaged(self) -> bool:
        """Whether the deadman is closed."""
        return self._engaged

    def take(self, wish: DriveWish) -> None:
        """Take what keys or sticks ask now; UnknownName for an arm that is not in use."""
        if wish.arm not in self._settings.arms:
            raise UnknownName("arm", wish.arm, self._settings.arms)
        self._heard = self._clock.now()
        if wish.arm != self._arm:
            self.release("another arm was chosen")
            self._arm = wish.arm
        self._wish = wish
        if not wish.engaged:
            self._latched = self._engaged = False
            self.reason = "hold the deadman to drive"
        elif not self._engaged and not self._latched:
            self._close()

    def release(self, reason: str) -> None:
        """Open the deadman for a fault: it closes again only after it was let go."""
        self._engaged, self._latched, self._wish = False, True, None
        self.reason = reason

    def tick(self) -> Motion:
        """Move on to now and return what to publish."""
        now = self._clock.now()
        step = min(to_s(now - self._ticked), _LONGEST_STEP)
        self._ticked = now
        if self._engaged and to_s(now - self._heard) > self._settings.silence:
            self.release("the page fell silent: let go, then hold again")
        wish = self._wish
        if self._engaged and wish is not None:
            s = self._settings
            self._position = self._position + s.linear * step * np.array(wish.linear)
            turn = rotvec_to_quat(s.angular * step * np.array(wish.angular))
            self._rotation = quat_multiply(turn, self._rotation)
            self._rotation = self._rotation / np.linalg.norm(self._rotation)
        gripper = wish.gripper if self._engaged and wish is not None else None
        return Motion(
            arm=self._arm,
            engaged=self._engaged,
            clutch=self._clutch,
            pose=np.concatenate([self._position, self._rotation]),
            gripper=math.nan if gripper is None else gripper,
        )

    def _close(self) -> None:
        self._engaged = True
        self._clutch += 1
        self._position = np.zeros(3)
        self._rotation = np.array([0.0, 0.0, 0.0, 1.0])
        self._ticked = self._clock.now()
        self.reason = ""
