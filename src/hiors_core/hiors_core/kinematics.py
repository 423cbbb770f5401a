# SPDX-License-Identifier: Apache-2.0
"""Kinematics of one arm from its Denavit-Hartenberg rows. Knows no time and no other arm."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiors_core.geometry import matrix_to_quat, quat_to_matrix
from hiors_core.robot import Arm

Array = NDArray[np.float64]

POSITION_TOLERANCE = 5e-5
"""[m] at which the inverse is content."""
ROTATION_TOLERANCE = 5e-4
"""[rad] at which the inverse is content."""
_DAMPING = 1e-5
_DAMPING_PER_ERROR = 2e-2
_MAX_STEP = 0.5
"""[rad] that one iteration may turn a joint: the linearisation is worth nothing beyond."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IkResult:
    """Joints (n,) [rad] within their range that come nearest to a pose.

    Attributes:
        position_error: what is left [m]. rotation_error: what is left [rad].
        converged: both are within tolerance.
    """

    q: Array
    position_error: float
    rotation_error: float
    converged: bool


class ArmKinematics:
    """Forward and inverse kinematics of an arm's tool point in its base frame.

    Works in preallocated memory: one instance serves one thread.
    """

    def __init__(self, arm: Arm) -> None:
        n = len(arm.joints)
        self._n = n
        self._lower, self._upper = arm.limits.lower, arm.limits.upper
        self._basis = _basis(arm)
        self.reach = float(np.abs(arm.dh[:, 1:3]).sum() + np.linalg.norm(arm.tool))
        """[m] no link arrangement puts the tool point farther from any joint."""
        self._trig = np.ones((n, 1, 3))
        self._cos, self._sin = self._trig[:, 0, 0], self._trig[:, 0, 1]
        self._local = np.empty((n, 1, 16))
        self._links = [self._local[i, 0].reshape(4, 4) for i in range(n)]
        self._chain = np.empty((n + 1, 4, 4))
        self._chain[0] = self._mount = mount_matrix(arm.mount)
        self._frames = list(self._chain)
        self._tip = self._frames[n]
        # Rows 3 and 4 repeat rows 0 and 1, so that a cross product is two products of slices.
        self._axes, self._arms = np.empty((5, n)), np.empty((5, n))
        self._jacobian = np.empty((6, n))
        self._error = np.empty(6)
        self.home_rotation = self.matrix(arm.home)[:3, :3]
        """(3, 3) orientation of the tool at the arm's home position."""
        self.home_rotation.setflags(write=False)

    def matrix(self, q: Array) -> Array:
        """Return the tool pose at joints (n,) as a homogeneous matrix (4, 4)."""
        return self._forward(q).copy()

    def position(self, q: Array) -> Array:
        """Return the tool point (3,) [m] at joints (n,)."""
        return self._forward(q)[:3, 3].copy()

    def forward(self, q: Array) -> Array:
        """Return the tool pose (7,) at joints (n,)."""
        tip = self._forward(q)
        return np.concatenate((tip[:3, 3], matrix_to_quat(tip[:3, :3])))

    def matrices(self, q: Array) -> Array:
        """Return the tool poses (T, 4, 4) at joints (T, n)."""
        trig = np.ones((len(q), self._n, 1, 3))
        np.cos(q, out=trig[:, :, 0, 0])
        np.sin(q, out=trig[:, :, 0, 1])
        links = (trig @ self._basis).reshape(len(q), self._n, 4, 4)
        tip = self._mount @ links[:, 0]
        for i in range(1, self._n):
            tip = tip @ links[:, i]
        return tip

    def jacobian(self, q: Array) -> Array:
        """Return the Jacobian (6, n) at joints (n,): along x y z [m/rad], then about them."""
        self._forward(q)
        return self._differentiate().copy()

    def inverse(self, pose: Array, seed: Array, iterations: int = 20) -> IkResult:
        """Return joints near ``seed`` (n,) that bring the tool to ``pose`` (7,).

        Damped least squares within the joint range. Of a pose out of reach the nearest found.
        """
        return self.solve(pose[:3], quat_to_matrix(pose[3:]), seed, iterations)

    def solve(
        self, position: Array, rotation: Array, seed: Array, iterations: int = 20
    ) -> IkResult:
        """As ``inverse``, for a position (3,) and a rotation matrix (3, 3)."""
        q = np.minimum(np.maximum(seed, self._lower), self._upper)
        best, best_cost, best_errors = q, math.inf, (math.inf, math.inf)
        for step in range(iterations + 1):
            errors = self._measure(q, position, rotation)
            cost = errors[0] * errors[0] + errors[1] * errors[1]
            stalled = cost > 0.98 * best_cost
            if cost < best_cost:
                best, best_cost, best_errors = q, cost, errors
            done = errors[0] < POSITION_TOLERANCE and errors[1] < ROTATION_TOLERANCE
            if done or step == iterations or (stalled and step > 3):
                break
            q = self._improve(q, cost)
        return IkResult(
            q=best,
            position_error=best_errors[0],
            rotation_error=best_errors[1],
            converged=best_errors[0] < POSITION_TOLERANCE and best_errors[1] < ROTATION_TOLERANCE,
        )

    def _forward(self, q: Array) -> Array:
        np.cos(q, out=self._cos)
        np.sin(q, out=self._sin)
        np.matmul(self._trig, self._basis, out=self._local)
        frames = self._frames
        for i, link in enumerate(self._links):
            np.dot(frames[i], link, out=frames[i + 1])
        return self._tip

    def _differentiate(self) -> Array:
        axes, arms, n = self._axes, self._arms, self._n
        axes[:3] = self._chain[:n, :3, 2].T
        np.subtract(self._tip[:3, 3:4], self._chain[:n, :3, 3].T, out=arms[:3])
        axes[3:], arms[3:] = axes[:2], arms[:2]
        np.multiply(axes[1:4], arms[2:5], out=self._jacobian[:3])
        self._jacobian[:3] -= axes[2:5] * arms[1:4]
        self._jacobian[3:] = axes[:3]
        return self._jacobian

    def _measure(self, q: Array, position: Array, rotation: Array) -> tuple[float, float]:
        tip = self._forward(q)
        x, y, z = (position - tip[:3, 3]).tolist()
        u, v, w = _rotation_error(np.dot(rotation, tip[:3, :3].T).tolist())
        self._error[:] = (x, y, z, u, v, w)
        return math.sqrt(x * x + y * y + z * z), math.sqrt(u * u + v * v + w * w)

    def _improve(self, q: Array, cost: float) -> Array:
        jacobian = self._differentiate()
        square = np.dot(jacobian, jacobian.T)
        square.flat[::7] += _DAMPING + _DAMPING_PER_ERROR * cost
        step = np.dot(jacobian.T, np.linalg.solve(square, self._error))
        largest = float(np.abs(step).max())
        if largest > _MAX_STEP:
            step *= _MAX_STEP / largest
        step += q
        np.minimum(step, self._upper, out=step)
        return np.maximum(step, self._lower, out=step)


def mount_matrix(mount: Array) -> Array:
    """Return the matrix (4, 4) of an Arm's ``mount`` (6,): R = Rz(yaw) Ry(pitch) Rx(roll)."""
    roll, pitch, yaw = mount[3:].tolist()
    cr, sr, cp, sp = math.cos(roll), math.sin(roll), math.cos(pitch), math.sin(pitch)
    cy, sy = math.cos(yaw), math.sin(yaw)
    matrix = np.eye(4)
    matrix[:3, :3] = [
        [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
        [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
        [-sp, cp * sr, cp * cr],
    ]
    matrix[:3, 3] = mount[:3]
    return matrix


def _basis(arm: Arm) -> Array:
    """Return (n, 3, 16): each link's matrix as coefficients of cos q, sin q and 1."""
    basis = np.zeros((len(arm.joints), 3, 4, 4))
    for part, (theta, d, a, alpha) in zip(basis, arm.dh.tolist(), strict=True):
        ca, sa, c, s = (
            math.cos(alpha),
            math.sin(alpha),
            math.cos(theta),
            math.sin(theta),
        )
        cosine = np.array([[1, 0, 0, a], [0, ca, -sa, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
        sine = np.array([[0, -ca, sa, 0], [1, 0, 0, a], [0, 0, 0, 0], [0, 0, 0, 0]])
        part[0] = c * cosine + s * sine
        part[1] = c * sine - s * cosine
        part[2] = [[0, 0, 0, 0], [0, 0, 0, 0], [0, sa, ca, d], [0, 0, 0, 1]]
    tool = np.eye(4)
    tool[:3, 3] = arm.tool
    basis[-1] = basis[-1] @ tool
    return basis.reshape(len(arm.joints), 3, 16)


def _rotation_error(m: list[list[float]]) -> tuple[float, float, float]:
    """Return the rotation vector of a matrix given as rows, in scalars: it runs in every step."""
    (m00, m01, m02), (m10, m11, m12), (m20, m21, m22) = m
    x, y, z = 0.5 * (m21 - m12), 0.5 * (m02 - m20), 0.5 * (m10 - m01)
    sine = math.sqrt(x * x + y * y + z * z)
    cosine = 0.5 * (m00 + m11 + m22 - 1.0)
    if sine < 1e-9:
        if cosine > 0.0:
            return x, y, z
        # Half a turn: the antisymmetric part vanishes, the axis is in the symmetric one.
        axis = [math.sqrt(max(0.0, 0.5 * (m[i][i] + 1.0))) for i in range(3)]
        k = axis.index(max(axis))
        signed = [axis[i] if i == k else math.copysign(axis[i], m[k][i]) for i in range(3)]
        return math.pi * signed[0], math.pi * signed[1], math.pi * signed[2]
    scale = math.atan2(sine, cosine) / sine
    return x * scale, y * scale, z * scale
