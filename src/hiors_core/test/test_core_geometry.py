# SPDX-License-Identifier: Apache-2.0
"""Geometry against definitions, over random rotations."""

import math

import numpy as np
import pytest

from hiors_core.geometry import (
    compose,
    inverse,
    matrix_to_quat,
    matrix_to_rotvec,
    quat_rotate,
    quat_to_matrix,
    quat_to_rotvec,
    rotvec_to_matrix,
    rotvec_to_quat,
    unwrap_rotvec,
)

RNG = np.random.default_rng(5)


def random_pose() -> np.ndarray:
    quat = RNG.normal(size=4)
    return np.concatenate((RNG.normal(size=3), quat / np.linalg.norm(quat)))


def pose_to_matrix(pose: np.ndarray) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = quat_to_matrix(pose[3:]), pose[:3]
    return matrix


def test_composition_is_the_product_of_matrices():
    for _ in range(50):
        a, b = random_pose(), random_pose()
        product = pose_to_matrix(a) @ pose_to_matrix(b)
        np.testing.assert_allclose(pose_to_matrix(compose(a, b)), product, atol=1e-12)
        np.testing.assert_allclose(pose_to_matrix(compose(a, inverse(a))), np.eye(4), atol=1e-12)
        np.testing.assert_allclose(
            quat_rotate(a[3:], b[:3]), quat_to_matrix(a[3:]) @ b[:3], atol=1e-12
        )


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-4, 1.0, 3.0, math.pi - 1e-6, math.pi])
def test_rotation_vectors_survive_the_round_trip(angle):
    for _ in range(20):
        axis = RNG.normal(size=3)
        rotvec = angle * axis / np.linalg.norm(axis)
        for back in (
            quat_to_rotvec(rotvec_to_quat(rotvec)),
            matrix_to_rotvec(rotvec_to_matrix(rotvec)),
        ):
            # Half a turn has two vectors; the rotation is what must be equal.
            np.testing.assert_allclose(rotvec_to_matrix(back), rotvec_to_matrix(rotvec), atol=1e-8)
            assert np.linalg.norm(back) <= math.pi + 1e-9


def test_a_stack_of_matrices_converts_as_its_members():
    poses = [random_pose() for _ in range(64)]
    matrices = np.stack([quat_to_matrix(p[3:]) for p in poses])
    singles = np.stack([matrix_to_quat(m) for m in matrices])
    np.testing.assert_allclose(matrix_to_quat(matrices), singles, atol=1e-9)
    np.testing.assert_allclose(np.stack([quat_to_matrix(q) for q in singles]), matrices, atol=1e-9)


def test_unwrapping_keeps_rotations_and_removes_leaps():
    angles = np.linspace(2.0, 5.0, 60)
    wrapped = np.stack(
        [matrix_to_rotvec(rotvec_to_matrix(np.array((0.0, 0.0, a)))) for a in angles]
    )
    assert np.abs(np.diff(wrapped, axis=0)).max() > 6.0
    smooth = unwrap_rotvec(wrapped, np.array((0.0, 0.0, 2.0)))
    np.testing.assert_allclose(smooth[:, 2], angles, atol=1e-9)
