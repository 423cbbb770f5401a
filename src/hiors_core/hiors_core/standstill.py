# SPDX-License-Identifier: Apache-2.0
"""Notices a robot that nobody drives and that stands elsewhere than its command. Knows no arbiter.

An alarm, a driver that died, an arm moved by hand: the robot stands, and its command is still
where it was to go. The command has to come to the robot before anybody drives again; the robot
must not go to the command.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hiors_core.clock import to_ns
from hiors_core.motion import Mask

Array = NDArray[np.float64]

APART = 0.005
"""Distance from the command at which a robot stands elsewhere [rad]."""
_STILL = 0.002
_STILL_TIME = to_ns(0.5)
_REACTION = to_ns(0.25)
"""Time within which a robot that obeys has begun to follow its command [ns]."""
_MOVED = 0.1
"""How far it must have been moved before it is noticed again [rad]: an arm that gives way under
its weight must not take its command down with it, step by step.
"""


class Standstill:
    """Watches the joints of ``joints`` (N,)."""

    def __init__(self, joints: Mask) -> None:
        self._joints = joints
        self._place: Array | None = None
        self._since = 0
        self._noticed: Array | None = None

    def see(self, measured: Array, stamp: int) -> None:
        """Take in a measured position (N,) of ``stamp`` [ns]."""
        if self._place is None or self._distance(measured, self._place) > _STILL:
            self._place, self._since = measured, stamp

    def forget(self) -> None:
        """Notice anew, wherever it was noticed last: somebody else has the robot."""
        self._noticed = None

    def ignores(self, command: Callable[[int], Array], now: int) -> bool:
        """Say whether the robot stands elsewhere than where it was told to be for long enough.

        Args:
            command: gives the command (N,) that was in force at a time [ns].
        """
        return all(self._stands_off(command(when), now) for when in (now - _REACTION, now))

    def elsewhere(self, command: Array, held_since: int, now: int) -> bool:
        """Say, once a place, that the robot stands elsewhere than the command (N,) at rest.

        Args:
            held_since: when the robot was let alone [ns].
        """
        place = self._place
        if place is None or now - held_since < _STILL_TIME or not self._stands_off(command, now):
            return False
        if self._noticed is not None and self._distance(place, self._noticed) <= _MOVED:
            return False
        self._noticed = place
        return True

    def _stands_off(self, command: Array, now: int) -> bool:
        place = self._place
        if place is None or now - self._since < _STILL_TIME:
            return False
        return self._distance(command, place) > APART

    def _distance(self, a: Array, b: Array) -> float:
        return float((np.abs(a - b) * self._joints).max())
