# SPDX-License-Identifier: Apache-2.0
"""The operator's hand: where it holds the tool, how fast it moves, how it trembles.

Knows no task.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiors_core.geometry import quat_conjugate, quat_multiply, rotvec_to_quat

Array = NDArray[np.float64]

_APPROACH = 7.0
"""How fast the hand closes in on its goal [1/s]."""
_LEAD = 0.012
"""How far the hand runs ahead of a tool that does not follow [m]: a person feels that it is stuck.
"""
_CATCH_UP = 3.0
"""How fast the hand makes up for what lacks when the tool has come to rest [1/s]."""
_THERE = 0.006
"""A hand as near as this to where it wants to be has arrived [m, and rad]."""
_REST = 0.02
"""Below this speed the tool is at rest [m/s]."""
_MOST = 0.04
"""Most that is made up for [m]."""
_TREMBLE_TIME = 0.35
"""Correlation time of the hand's noise [s]."""
_TREMBLE_PER_SPEED = 0.01
"""A fast hand is less exact [m per m/s]: demonstrations then hold corrections to learn from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """Where the hand should bring the tool.

    Attributes:
        position: (3,) [m]. turn: (3,) rotation vector against the home orientation [rad].
        opening: gripper, 0 closed .. 1 open. speed: [m/s].
    """

    position: Array
    turn: Array
    opening: float
    speed: float


class Hand:
    """Moves an absolute set point toward goals; gives it relative to where the clutch closed."""

    def __init__(self, rng: np.random.Generator, tremble: float) -> None:
        """Take the noise's deviation ``tremble`` [m]; in yaw it is five times as many radians."""
        self._rng = rng
        self._tremble = tremble
        self._noise = np.zeros(4)
        self._anchor = self._set = self._before = self._shift = np.zeros(6)

    def anchor(self, tool: Array) -> None:
        """Close the clutch at the measured tool (6,): position [m], rotation vector against home
        [rad].
        """
        self._anchor = tool.copy()
        self._set = tool.copy()
        self._before = tool.copy()
        self._shift = np.zeros(6)

    def move(self, goal: Goal, tool: Array, dt: float) -> None:
        """Move toward the goal for ``dt`` [s], seeing the measured tool (6,)."""
        target = np.concatenate((goal.position, goal.turn))
        # The hand aims by what it sees: a difference of set point and tool is corrected, at once
        # in part and wholly when it lasts. Tilt is left alone: nobody sees a tenth of a degree,
        # and it would only add noise.
        lack = _SEEN * (target - tool)
        aim = target + self._shift + np.clip(0.5 * lack, -0.004, 0.004)
        self._make_up(lack, tool, bool(np.linalg.norm(aim - self._set) < _THERE), dt)
        wish = _APPROACH * (aim - self._set)
        wish[:3] = _capped(wish[:3], goal.speed)
        wish[3:] = _capped(wish[3:], 4.0 * goal.speed)
        # No inertia: what the hand does next follows from what is seen now, so it can be learned
        # from a single observation. The arbiter's limiter smooths the jumps in velocity.
        self._set = self._set + dt * wish
        self._set[:3] = tool[:3] + np.clip(self._set[:3] - tool[:3], -_reach(goal), _reach(goal))
        self._shake(dt, float(np.linalg.norm(wish[:3])))

    def _make_up(self, lack: Array, tool: Array, there: bool, dt: float) -> None:
        """Shift the hand when it is ``there`` and the tool rests, but beside its goal: the robot
        had moved on between what was seen and the clutch.
        """
        rests = np.linalg.norm(tool[:3] - self._before[:3]) < _REST * dt
        self._before = tool.copy()
        if there and rests:
            self._shift = np.clip(self._shift + _CATCH_UP * dt * lack, -_MOST, _MOST)

    def relative(self) -> Array:
        """Return the motion since the clutch closed, (7,) along the base frame's axes."""
        shaken = self._set.copy()
        shaken[:3] += self._noise[:3]
        shaken[5] += 5.0 * self._noise[3]
        turn = quat_multiply(
            rotvec_to_quat(shaken[3:]), quat_conjugate(rotvec_to_quat(self._anchor[3:]))
        )
        return np.concatenate((shaken[:3] - self._anchor[:3], turn))

    def _shake(self, dt: float, speed: float) -> None:
        keep = math.exp(-dt / _TREMBLE_TIME)
        spread = np.full(4, self._tremble)
        spread[:3] += _TREMBLE_PER_SPEED * speed
        fresh = self._rng.normal(0.0, 1.0, 4) * spread * math.sqrt(1.0 - keep * keep)
        self._noise = keep * self._noise + fresh


_SEEN = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 1.0])


def _reach(goal: Goal) -> float:
    # At speed v the tool trails by its lag of about 0.12 s; only beyond that is it stuck.
    return _LEAD + 0.15 * goal.speed


def _capped(vector: Array, most: float) -> Array:
    size = float(np.linalg.norm(vector))
    return vector if size <= most else vector * (most / size)
