# SPDX-License-Identifier: Apache-2.0
"""How the controller follows streamed ServoJ targets.

Pure arithmetic in simulated time; knows no socket and no physics.

The maker gives the meaning of the parameters, not the law. This is a model of it: the newest
target is approached in a
straight line that ends ``duration`` after it was given, and a second-order filter follows that
line. ``gain`` sets the
filter's stiffness and ``lookahead`` its damping, so that the defaults (500, 50) are critically
damped.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hiors_core.errors import InvalidValue

Array = NDArray[np.float64]

STIFFNESS_PER_GAIN = 8.0
"""Filter stiffness per unit of gain [1/s^2]: 500 gives 63 rad/s, a lag of 32 ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServoParameters:
    """Parameters of one ServoJ command, in the ranges of the maker's guide.

    Attributes:
        duration: t, time in which the target is to be reached [s], 0.02 .. 3600.
        lookahead: lookahead_time, acts like damping, 20 .. 100.
        gain: acts like stiffness, 200 .. 1000.
    """

    duration: float = 0.1
    lookahead: float = 50.0
    gain: float = 500.0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("duration", 0.02, 3600.0),
            ("lookahead", 20.0, 100.0),
            ("gain", 200.0, 1000.0),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise InvalidValue(f"ServoJ {name} must be within {low} .. {high}, got {value}")


class ServoFollower:
    """Follows a stream of joint targets: position and velocity that the joints are driven to."""

    position: Array
    velocity: Array

    def __init__(self, position: Array) -> None:
        self.reset(np.asarray(position, dtype=np.float64))

    def reset(self, position: Array) -> None:
        """Stand still at ``position`` (n,) [rad]."""
        self._stand(position, np.zeros_like(position))
        self._line = self.position.copy()
        self._target = self.position.copy()
        self._left = 0.0
        self._set_filter(ServoParameters())

    @property
    def target(self) -> Array:
        """(n,) newest target [rad]."""
        return self._target.copy()

    def set_target(self, position: Array, parameters: ServoParameters) -> None:
        """Aim at ``position`` (n,) [rad], to be reached in ``parameters.duration``."""
        target = np.array(position, dtype=np.float64)
        if target.shape != self.position.shape or not np.isfinite(target).all():
            raise InvalidValue(
                f"A ServoJ target must be {self.position.size} finite angles [rad], got {position}"
            )
        self._target = target
        self._left = parameters.duration
        self._set_filter(parameters)

    def advance(self, dt: float, steps: int = 1) -> tuple[Array, Array]:
        """Move on by ``steps`` steps of ``dt`` [s]; return position and velocity (steps, n) after
        each.
        """
        line = self._lines(dt, steps)
        free, driven = _filter(self._stiffness, self._damping, dt, steps)
        moved = free @ self._state + driven @ line
        positions, velocities = moved[:steps], moved[steps:]
        self._stand(positions[-1], velocities[-1])
        return positions, velocities

    def _stand(self, position: Array, velocity: Array) -> None:
        self._state = np.array((position, velocity))
        self.position, self.velocity = self._state

    def _lines(self, dt: float, steps: int) -> Array:
        """Return the straight line toward the target at the end of each step, (steps, n)."""
        if self._left <= 0.0:
            return np.broadcast_to(self._target, (steps, self._target.size))
        passed = np.minimum(_passed(dt, steps) / self._left, 1.0)
        line: Array = self._line + passed * (self._target - self._line)
        self._line = line[-1].copy()
        self._left -= steps * dt
        return line

    def _set_filter(self, parameters: ServoParameters) -> None:
        self._stiffness = STIFFNESS_PER_GAIN * parameters.gain
        self._damping = 2.0 * math.sqrt(self._stiffness) * parameters.lookahead / 50.0


@lru_cache(maxsize=64)
def _passed(dt: float, steps: int) -> Array:
    """Return the time passed at the end of each step [s], (steps, 1)."""
    return np.arange(1, steps + 1, dtype=np.float64)[:, None] * np.float64(dt)


@lru_cache(maxsize=64)
def _filter(stiffness: float, damping: float, dt: float, steps: int) -> tuple[Array, Array]:
    """Return the filter over several steps as matrices: on the state (2 steps, 2), on the line (2
    steps, steps).

    Positions of all steps come first, then velocities. A step is implicit in the damping, so that
    any allowed lookahead
    is stable at the step of the physics.
    """
    brake = 1.0 / (1.0 + dt * damping)
    one = np.array(
        [[1.0 - dt * dt * stiffness * brake, dt * brake], [-dt * stiffness * brake, brake]]
    )
    push = np.array([dt * dt * stiffness * brake, dt * stiffness * brake])
    free, driven = np.empty((2 * steps, 2)), np.zeros((2 * steps, steps))
    power, effect = np.eye(2), np.zeros((2, steps))
    for k in range(steps):
        power, effect = one @ power, one @ effect
        effect[:, k] += push
        free[[k, steps + k]], driven[[k, steps + k]] = power, effect
    return free, driven
