# SPDX-License-Identifier: Apache-2.0
"""From a leader's servo positions to the follower's joints and back. Pure arithmetic."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hiors_xtrainer.leader_settings import TICK, TURN, LeaderCalibration

Array = NDArray[np.float64]
Ticks = NDArray[np.int64]

_FULL = 2.0 * np.pi


def nearest_turn(angle: Array, near: Array) -> Array:
    """Return ``angle`` [rad] with whole turns added so that it is within half a turn of ``near``.

    A servo that answers within one turn jumps by 4096 ticks at its seam; the joint does not.
    """
    return angle + _FULL * np.round((near - angle) / _FULL)


class LeaderMapping:
    """Signs, zeros and the handle's ends of one leader arm."""

    def __init__(self, signs: Sequence[int], calibration: LeaderCalibration) -> None:
        self._signs = np.array(signs, dtype=np.float64)
        self._offsets = np.array(calibration.offsets, dtype=np.int64)
        self._closed, self._opened = calibration.gripper_closed, calibration.gripper_opened

    def joints(self, ticks: Ticks, near: Array) -> Array:
        """Return the follower's joints (n,) [rad] for servo positions (n,), on the turn that lies
        nearest to ``near`` (n,) [rad].
        """
        return nearest_turn(self._signs * (ticks - self._offsets) * TICK, near)

    def opening(self, ticks: int) -> float:
        """Return the gripper's opening, 0 closed .. 1 open, for the handle's position."""
        middle = (self._closed + self._opened) / 2.0
        away = (ticks - middle + TURN / 2.0) % TURN - TURN / 2.0
        opening = 0.5 + away / (self._opened - self._closed)
        return float(min(max(opening, 0.0), 1.0))

    def goal(self, joints: Array, ticks: Ticks) -> Ticks:
        """Return servo positions (n,) for ``joints`` (n,) [rad], on the turn of ``ticks`` (n,)."""
        raw = self._offsets + self._signs * joints / TICK
        turned = raw + TURN * np.round((ticks - raw) / TURN)
        return np.rint(turned).astype(np.int64)
