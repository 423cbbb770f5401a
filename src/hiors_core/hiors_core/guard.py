# SPDX-License-Identifier: Apache-2.0
"""What the driver checks and cuts before anything goes to an arm. Pure, on (N,) vectors."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hiors_core.robot import RobotModel

Array = NDArray[np.float64]

VELOCITY_MARGIN = 1.25
"""The limiter upstream keeps the velocity limits; this one only stops what slipped past it."""
_SLACK = 1e-6


class Guard:
    """Limits of the robot in its vector order, for a fixed time between set-points [s]."""

    def __init__(self, robot: RobotModel, period: float, max_jump: float) -> None:
        self._names = robot.names
        limits = [arm.limits for arm in robot.arms]
        self._lower = np.concatenate([[*lim.lower, 0.0] for lim in limits]) - _SLACK
        self._upper = np.concatenate([[*lim.upper, 1.0] for lim in limits]) + _SLACK
        speed = np.concatenate([[*lim.velocity, lim.gripper_velocity] for lim in limits])
        self._step = speed * period * VELOCITY_MARGIN
        self._is_joint = np.array([unit == "rad" for unit in robot.units])
        self._max_jump = max_jump

    def refuse(self, position: Array) -> str | None:
        """Return why a command (N,) must not be carried out, or None."""
        if position.shape != self._lower.shape:
            return f"position has {position.size} values, the robot {self._lower.size}"
        if not np.all(np.isfinite(position)):
            return f"{self._named(~np.isfinite(position))} is not a finite number"
        outside = (position < self._lower) | (position > self._upper)
        if np.any(outside):
            i = int(outside.argmax())
            return (
                f"{self._names[i]} = {position[i]:.4f} is outside"
                f" {self._lower[i] + _SLACK:.4f} .. {self._upper[i] - _SLACK:.4f}"
            )
        return None

    def too_far(self, target: Array, here: Array, at_most: float | None = None) -> str | None:
        """Return which joint of ``target`` is farther from ``here`` than a command may be, or
        than ``at_most`` [rad]; None when none is.
        """
        bound = self._max_jump if at_most is None else at_most
        away = np.where(self._is_joint, np.abs(target - here), 0.0)
        i = int(away.argmax())
        if away[i] <= bound:
            return None
        return (
            f"{self._names[i]} is commanded {away[i]:.2f} rad away from where it is"
            f" (at most {bound}); start from the arm's position"
        )

    def cut(self, target: Array, previous: Array) -> tuple[Array, list[str]]:
        """Return ``target`` within one step of ``previous``, and what was cut."""
        step = target - previous
        over = np.abs(step) > self._step
        if not np.any(over):
            return target, []
        cut = previous + np.clip(step, -self._step, self._step)
        return cut, [
            f"driver: {self._names[i]} step {step[i]:+.3f} cut to {cut[i] - previous[i]:+.3f}"
            for i in np.flatnonzero(over)
        ]

    def _named(self, mask: NDArray[np.bool_]) -> str:
        return ", ".join(_pick(self._names, mask))


def _pick(names: Sequence[str], mask: NDArray[np.bool_]) -> list[str]:
    return [name for name, chosen in zip(names, mask, strict=True) if chosen]
