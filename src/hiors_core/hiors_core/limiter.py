# SPDX-License-Identifier: Apache-2.0
"""The one limiter between anybody's wish and the robot: pure, and the same for human and policy.

It looks one tick ahead and, from there, along the hardest possible braking: a step is legal when
the robot can still stop within its joint range and its workspace afterwards.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiors_core.errors import InvalidValue
from hiors_core.kinematics import ArmKinematics
from hiors_core.robot import Arm, RobotModel

Array = NDArray[np.float64]

_SAME = 1e-9
"""Differences below this are rounding, not changes."""
_GRIPPER_ACCELERATION = 1e6
"""Grippers are limited in rate alone: a bound that never binds, finite to keep the sums finite."""
_BISECTIONS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    """A legal step.

    Attributes:
        position: (N,) joints [rad], grippers 0 .. 1. velocity: (N,) of this step [1/s].
        changes: one entry for each column or arm that differs from the wish, with the reason.
    """

    position: Array
    velocity: Array
    changes: tuple[str, ...]


def limit(
    target: Array,
    previous: Array,
    previous_velocity: Array,
    robot: RobotModel,
    dt: float,
    *,
    target_velocity: Array | None = None,
) -> Limited:
    """Return the legal step nearest to ``target``; see ``Limiter.limit``."""
    return limiter_of(robot, dt).limit(
        target, previous, previous_velocity, target_velocity=target_velocity
    )


def limiter_of(robot: RobotModel, dt: float) -> "Limiter":
    """Return the limiter prepared for this robot and tick length [s], made once."""
    known = _PREPARED.get((id(robot), dt))
    if known is None or known.robot is not robot:
        if len(_PREPARED) >= _MAX_PREPARED:
            _PREPARED.clear()
        known = _PREPARED[(id(robot), dt)] = Limiter(robot, dt)
    return known


class Limiter:
    """The limits of a robot as vectors (N,) for one tick length ``dt`` [s].

    Holds no state between calls, but works in preallocated memory: one thread at a time.
    """

    def __init__(self, robot: RobotModel, dt: float) -> None:
        if not math.isfinite(dt) or dt <= 0.0:
            raise InvalidValue(f"dt must be above 0 s, got {dt}")
        self.robot, self.dt = robot, dt
        self._names = robot.names
        arms = [arm.limits for arm in robot.arms]
        self._lower = np.concatenate([[*a.lower, 0.0] for a in arms])
        self._upper = np.concatenate([[*a.upper, 1.0] for a in arms])
        self._velocity = np.concatenate([[*a.velocity, a.gripper_velocity] for a in arms])
        self._ramp = dt * np.concatenate([[*a.acceleration, _GRIPPER_ACCELERATION] for a in arms])
        # Within these no legal velocity can carry a joint beyond its range before it brakes.
        room = (
            self._velocity * dt + 0.5 * self._velocity**2 * dt / self._ramp + self._velocity * dt
        )
        grippers = [robot.columns(arm).stop - 1 for arm in robot.arms]
        room[grippers] = -math.inf
        self._safe_lower, self._safe_upper = self._lower + room, self._upper - room
        self._boxes = tuple(_Box(robot, arm, dt) for arm in robot.arms)

    def limit(
        self,
        target: Array,
        previous: Array,
        previous_velocity: Array,
        *,
        target_velocity: Array | None = None,
    ) -> Limited:
        """Return the legal step nearest to the target.

        Args:
            target: (N,) wished joints [rad] and grippers 0 .. 1; NaN or inf is refused.
            previous: (N,) the command before. previous_velocity: (N,) of the step to it [1/s].
            target_velocity: (N,) at which the target itself moves [1/s]. With it, a target out of
                reach of one tick is approached along the fastest profile that arrives without
                overshoot; without it, the nearest legal point is taken (then limiting twice is
                limiting once).
        """
        self._check(target, previous, previous_velocity)
        dt = self.dt
        inside = np.minimum(np.maximum(target, self._lower), self._upper)
        wish = (inside - previous) / dt
        if target_velocity is not None:
            wish = self._approach(wish, target_velocity)
        low, high = self._bounds(previous, previous_velocity)
        velocity = np.minimum(np.maximum(wish, low), high)
        for box in self._boxes:
            if not box.clearly_inside(velocity, previous):
                box.keep(velocity, previous, previous_velocity, _straight(wish, low, high))
        position = previous + velocity * dt
        # Rounding must not carry a joint over its range; one that is outside may stay or come in.
        np.maximum(position, np.minimum(self._lower, previous), out=position)
        np.minimum(position, np.maximum(self._upper, previous), out=position)
        changes = self._explain(target, position, previous, wish)
        return Limited(position=position, velocity=(position - previous) / dt, changes=changes)

    def _check(self, target: Array, previous: Array, velocity: Array) -> None:
        n = len(self._names)
        for what, value in (("target", target), ("previous", previous), ("velocity", velocity)):
            if value.shape != (n,):
                raise InvalidValue(f"{what} must have {n} columns, got shape {value.shape}")
            # A sum is finite only if every term is: cheaper than testing each.
            if not math.isfinite(value.sum()):
                at = [k for k, v in zip(self._names, value.tolist(), strict=True) if v - v != 0.0]
                raise InvalidValue(f"{what} must be finite; it is not at {', '.join(at)}")

    def _bounds(self, previous: Array, before: Array) -> tuple[Array, Array]:
        top = self._velocity
        high = np.minimum(np.maximum(before + self._ramp, -top), top)
        low = np.minimum(np.maximum(before - self._ramp, -top), top)
        if (previous > self._safe_upper).any() or (previous < self._safe_lower).any():
            np.minimum(high, self._brake(self._upper - previous), out=high)
            np.maximum(low, -self._brake(previous - self._lower), out=low)
        return low, high

    def _approach(self, wish: Array, moving: Array) -> Array:
        steady = np.minimum(np.maximum(moving, -self._velocity), self._velocity)
        lag = wish - steady
        if np.abs(lag).max() < _SAME:
            return wish
        result: Array = steady + np.copysign(self._brake(np.abs(lag) * self.dt), lag)
        return result

    def _brake(self, distance: Array) -> Array:
        """Return the highest velocities (N,) [1/s] from which full braking ends within distance.

        From velocity u, m full ramps above standstill, u dt (m + 1) - ramp dt m (m + 1) / 2 is
        covered: a piecewise linear function of u, inverted here.
        """
        room = np.maximum(distance, 0.0) / self.dt
        ramps = np.floor(0.5 * (np.sqrt(1.0 + 8.0 * room / self._ramp) - 1.0))
        result: Array = room / (ramps + 1.0) + 0.5 * self._ramp * ramps
        return result

    def _explain(
        self, target: Array, position: Array, previous: Array, wish: Array
    ) -> tuple[str, ...]:
        different = np.abs(position - target) > _SAME
        if not different.any():
            return ()
        changes = []
        for i in np.flatnonzero(different).tolist():
            if not self._lower[i] <= target[i] <= self._upper[i]:
                cause = f"range {self._lower[i]:.3f} .. {self._upper[i]:.3f}"
            elif abs(target[i] - previous[i]) > self._velocity[i] * self.dt:
                cause = f"velocity {self._velocity[i]:.2f}/s"
            elif any(box.touched and i in box.joints for box in self._boxes):
                cause = "workspace"
            else:
                cause = f"acceleration {self._ramp[i] / self.dt:.0f}/s2"
            changes.append(f"{self._names[i]}: {target[i]:.3f} -> {position[i]:.3f}, {cause}")
        return tuple(changes)


class _Box:
    """Keeps one arm's tool point in its workspace, along the braking path too."""

    def __init__(self, robot: RobotModel, arm: Arm, dt: float) -> None:
        columns = robot.columns(arm)
        self.joints = range(columns.start, columns.stop - 1)
        self.touched = False
        self._columns = slice(columns.start, columns.stop - 1)
        self._dt = dt
        self._kinematics = ArmKinematics(arm)
        self._ramp = arm.limits.acceleration * dt
        self._lower, self._upper = arm.limits.workspace_lower, arm.limits.workspace_upper
        ticks = math.ceil(float((arm.limits.velocity / self._ramp).max()))
        self._fading = np.arange(ticks + 1)[:, None] * self._ramp

    def keep(self, velocity: Array, previous: Array, before: Array, straight: Array) -> None:
        """Change the arm's columns of ``velocity`` (N,), in place, until they are legal.

        ``straight`` (N,) keeps the direction of the wish, which the clipping of single joints
        bends: what leads back in may do so only along it.
        """
        wish, q = velocity[self._columns], previous[self._columns]
        allowed = self._violation(self._kinematics.position(q)) + _SAME
        if self._legal(q, wish, allowed):
            return
        self.touched = True
        u = before[self._columns]
        stop = np.copysign(np.maximum(np.abs(u) - self._ramp, 0.0), u)
        for candidate in (wish, straight[self._columns]):
            part = self._largest_legal_part(q, stop, candidate - stop, allowed)
            velocity[self._columns] = stop + part * (candidate - stop)
            if part > 0.0:
                return

    def _largest_legal_part(self, q: Array, start: Array, way: Array, allowed: Array) -> float:
        good, bad = 0.0, 1.0
        if self._legal(q, start + way, allowed):
            return bad
        for _ in range(_BISECTIONS):
            middle = 0.5 * (good + bad)
            if self._legal(q, start + middle * way, allowed):
                good = middle
            else:
                bad = middle
        return good

    def clearly_inside(self, velocity: Array, previous: Array) -> bool:
        """Say whether no way of braking from this step can get near a wall."""
        self.touched = False
        q, u = previous[self._columns], velocity[self._columns]
        point = self._kinematics.position(q)
        # No joint turns farther than its step and its braking, nor swings wider than the reach.
        turn = np.abs(u) * (self._dt + 0.5 * self._dt * np.abs(u) / self._ramp)
        room = self._kinematics.reach * float(turn.sum())
        return bool(((point > self._lower + room) & (point < self._upper - room)).all())

    def _legal(self, q: Array, u: Array, allowed: Array) -> bool:
        speeds = np.copysign(np.maximum(np.abs(u) - self._fading, 0.0), u)
        path = q + self._dt * np.cumsum(speeds, axis=0)
        outside = self._violation(self._kinematics.matrices(path)[:, :3, 3])
        if not (outside <= allowed).all():
            return False
        # Who comes in from outside must be able to stay: not through a corner and out again.
        inside = np.max(outside, axis=1) <= _SAME
        first = int(np.argmax(inside))
        return not inside[first] or bool(np.all(inside[first:]))

    def _violation(self, points: Array) -> Array:
        outside: Array = np.maximum(self._lower - points, points - self._upper)
        return np.maximum(outside, 0.0)


def _straight(wish: Array, low: Array, high: Array) -> Array:
    """Return the wish (N,) shortened until it is within bounds, or standing still if it cannot."""
    bound = np.where(wish > 0.0, high, low)
    part = np.divide(bound, wish, out=np.ones_like(wish), where=np.abs(wish) > _SAME)
    result: Array = wish * min(1.0, max(0.0, float(part.min())))
    return np.minimum(np.maximum(result, low), high)


_MAX_PREPARED = 16
_PREPARED: dict[tuple[int, float], Limiter] = {}
