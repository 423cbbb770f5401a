# SPDX-License-Identifier: Apache-2.0
"""Rigid motions in numpy. Knows no robot and no frame names.

A pose is a (7,) array: position x y z [m], then unit quaternion x y z w. A rotation vector is
axis times angle [rad]. Functions that say ``(..., n)`` work on stacks.
"""

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def quat_multiply(a: Array, b: Array) -> Array:
    """Return the quaternion (4,) of rotating by ``b`` and then by ``a``."""
    ax, ay, az, aw = a.tolist()
    bx, by, bz, bw = b.tolist()
    return np.array(
        (
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
            aw * bw - ax * bx - ay * by - az * bz,
        )
    )


def quat_conjugate(quat: Array) -> Array:
    """Return the inverse (4,) of a unit quaternion."""
    result: Array = quat * _CONJUGATE
    return result


def quat_rotate(quat: Array, vector: Array) -> Array:
    """Return the vector (3,) turned by the unit quaternion (4,)."""
    x, y, z, w = quat.tolist()
    vx, vy, vz = vector.tolist()
    tx, ty, tz = (
        2.0 * (y * vz - z * vy),
        2.0 * (z * vx - x * vz),
        2.0 * (x * vy - y * vx),
    )
    return np.array(
        (
            vx + w * tx + y * tz - z * ty,
            vy + w * ty + z * tx - x * tz,
            vz + w * tz + x * ty - y * tx,
        )
    )


def rotvec_to_quat(rotvec: Array) -> Array:
    """Return the unit quaternion (4,) of a rotation vector (3,) [rad]."""
    x, y, z = rotvec.tolist()
    angle = math.sqrt(x * x + y * y + z * z)
    # sin(angle / 2) / angle by its series where the quotient would lose digits
    scale = math.sin(0.5 * angle) / angle if angle > 1e-6 else 0.5 - angle * angle / 48.0
    return np.array((x * scale, y * scale, z * scale, math.cos(0.5 * angle)))


def quat_to_rotvec(quat: Array) -> Array:
    """Return the rotation vector (..., 3) [rad], at most pi long, of unit quaternions (..., 4)."""
    if quat.ndim == 1:
        return _rotvec_of(quat.tolist())
    vector = np.where(quat[..., 3:] < 0.0, -quat[..., :3], quat[..., :3])
    sine = np.linalg.norm(vector, axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(sine, np.abs(quat[..., 3:]))
    scale = np.where(sine > 1e-9, angle / np.maximum(sine, 1e-9), 2.0)
    result: Array = vector * scale
    return result


def quat_to_matrix(quat: Array) -> Array:
    """Return the rotation matrix (3, 3) of a unit quaternion (4,)."""
    x, y, z, w = quat.tolist()
    return np.array(
        (
            (1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - z * w), 2.0 * (x * z + y * w)),
            (2.0 * (x * y + z * w), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - x * w)),
            (2.0 * (x * z - y * w), 2.0 * (y * z + x * w), 1.0 - 2.0 * (x * x + y * y)),
        )
    )


def matrix_to_quat(matrix: Array) -> Array:
    """Return unit quaternions (..., 4), w >= 0, of rotation matrices (..., 3, 3)."""
    m = np.asarray(matrix, dtype=np.float64)
    if m.ndim == 2:
        return _quat_of_rows(m.tolist())
    trace = m[..., 0, 0] + m[..., 1, 1] + m[..., 2, 2]
    # Each row of this symmetric matrix is a multiple of the quaternion; the row with the largest
    # diagonal is the one that loses no digits.
    outer = np.empty((*m.shape[:-2], 4, 4))
    for i in range(3):
        outer[..., i, i] = 1.0 - trace + 2.0 * m[..., i, i]
    outer[..., 3, 3] = 1.0 + trace
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        outer[..., i, j] = outer[..., j, i] = m[..., i, j] + m[..., j, i]
        outer[..., k, 3] = outer[..., 3, k] = m[..., j, i] - m[..., i, j]
    best = np.argmax(np.diagonal(outer, axis1=-2, axis2=-1), axis=-1)
    quat = np.take_along_axis(outer, best[..., None, None], axis=-2)[..., 0, :]
    quat /= np.linalg.norm(quat, axis=-1, keepdims=True)
    result: Array = np.where(quat[..., 3:] < 0.0, -quat, quat)
    return result


def rotvec_to_matrix(rotvec: Array) -> Array:
    """Return the rotation matrix (3, 3) of a rotation vector (3,) [rad]."""
    return quat_to_matrix(rotvec_to_quat(rotvec))


def matrix_to_rotvec(matrix: Array) -> Array:
    """Return rotation vectors (..., 3) [rad], at most pi long, of matrices (..., 3, 3)."""
    return quat_to_rotvec(matrix_to_quat(matrix))


def compose(a: Array, b: Array) -> Array:
    """Return the pose ``a`` · ``b``: ``b``, given in the frame ``a``, seen from a's parent."""
    return np.concatenate((a[:3] + quat_rotate(a[3:], b[:3]), quat_multiply(a[3:], b[3:])))


def inverse(a: Array) -> Array:
    """Return the pose that undoes ``a``."""
    quat = quat_conjugate(a[3:])
    return np.concatenate((-quat_rotate(quat, a[:3]), quat))


def unwrap_rotvec(rotvec: Array, near: Array) -> Array:
    """Return rotation vectors (T, 3) of the same rotations, each near to the one before.

    ``near`` (3,) is what the first one is put near to. Without this a turn through 180 degrees
    looks like a leap to the opposite vector, and interpolation would sweep all the way back.
    """
    result = np.array(rotvec, dtype=np.float64)
    angles = np.linalg.norm(result, axis=-1)
    before = near
    for row, angle in zip(result, angles.tolist(), strict=True):
        if angle > 1e-6:
            axis = row / angle
            turns = round((float(axis @ before) - angle) / math.tau)
            if turns:
                row += axis * (math.tau * turns)
        before = row
    return result


def _rotvec_of(quat: list[float]) -> Array:
    """Return the rotation vector (3,) of one quaternion: faster than a stack of one."""
    x, y, z, w = quat if quat[3] >= 0.0 else (-v for v in quat)
    sine = math.sqrt(x * x + y * y + z * z)
    scale = 2.0 * math.atan2(sine, w) / sine if sine > 1e-9 else 2.0
    return np.array((x * scale, y * scale, z * scale))


def _quat_of_rows(m: list[list[float]]) -> Array:
    """Return the quaternion (4,) of one matrix given as rows: faster than a stack of one."""
    (m00, m01, m02), (m10, m11, m12), (m20, m21, m22) = m
    rows = (
        (1.0 + m00 - m11 - m22, m01 + m10, m02 + m20, m21 - m12),
        (m01 + m10, 1.0 - m00 + m11 - m22, m12 + m21, m02 - m20),
        (m02 + m20, m12 + m21, 1.0 - m00 - m11 + m22, m10 - m01),
        (m21 - m12, m02 - m20, m10 - m01, 1.0 + m00 + m11 + m22),
    )
    x, y, z, w = max(enumerate(rows), key=lambda item: item[1][item[0]])[1]
    scale = math.copysign(1.0 / math.sqrt(x * x + y * y + z * z + w * w), w)
    return np.array((x * scale, y * scale, z * scale, w * scale))


_CONJUGATE = np.array((-1.0, -1.0, -1.0, 1.0))
