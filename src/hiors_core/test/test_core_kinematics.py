# SPDX-License-Identifier: Apache-2.0
"""Kinematics of the Nova 2 against the published figures, and against themselves."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from hiors_core.geometry import rotvec_to_matrix
from hiors_core.kinematics import ArmKinematics
from hiors_core.robot import load_robot

ROBOT = load_robot(Path(__file__).parents[3] / "config/robots/xtrainer.yaml")
LEFT, RIGHT = ROBOT.arms


def flange(arm):
    """The published figures are of the bare flange."""
    return ArmKinematics(dataclasses.replace(arm, tool=np.zeros(3)))


@pytest.mark.parametrize(
    ("q", "point"),
    [
        (np.zeros(6), (0.0, -0.2055, 0.8484)),
        (np.radians((0, 0, -90, 0, 90, 0)), (0.345, -0.1175, 0.4154)),
        (LEFT.home, (-0.1175, -0.345, 0.4154)),
    ],
)
def test_flange_of_the_left_arm_is_where_the_maker_says(q, point):
    np.testing.assert_allclose(flange(LEFT).position(np.asarray(q)), point, atol=1e-4)


def test_flange_of_the_right_arm_at_home():
    np.testing.assert_allclose(
        flange(RIGHT).position(RIGHT.home), (0.1175, -0.345, 0.4154), atol=1e-4
    )


@pytest.mark.parametrize("arm", ROBOT.arms, ids=lambda arm: arm.name)
def test_tool_points_down_at_home(arm):
    kinematics = ArmKinematics(arm)
    np.testing.assert_allclose(kinematics.home_rotation[:, 2], (0.0, 0.0, -1.0), atol=1e-6)
    assert kinematics.forward(arm.home)[2] == pytest.approx(0.4154 - 0.197, abs=1e-4)


def test_jacobian_is_the_derivative_of_the_pose():
    kinematics, q, step = ArmKinematics(LEFT), LEFT.home + 0.2, 1e-6
    jacobian = kinematics.jacobian(q)
    for i in range(6):
        ahead, behind = q.copy(), q.copy()
        ahead[i], behind[i] = q[i] + step, q[i] - step
        a, b = kinematics.matrix(ahead), kinematics.matrix(behind)
        np.testing.assert_allclose(jacobian[:3, i], (a[:3, 3] - b[:3, 3]) / (2 * step), atol=1e-6)
        turn = (a[:3, :3] @ b[:3, :3].T - np.eye(3)) / (2 * step)
        np.testing.assert_allclose(
            jacobian[3:, i], (turn[2, 1], turn[0, 2], turn[1, 0]), atol=1e-5
        )


def test_a_stack_of_joints_converts_as_its_members():
    kinematics = ArmKinematics(RIGHT)
    stack = RIGHT.home + np.random.default_rng(1).normal(size=(32, 6))
    singles = np.stack([kinematics.matrix(q) for q in stack])
    np.testing.assert_allclose(kinematics.matrices(stack), singles, atol=1e-12)


@pytest.mark.parametrize("arm", ROBOT.arms, ids=lambda arm: arm.name)
def test_inverse_finds_poses_near_its_seed(arm):
    kinematics, rng = ArmKinematics(arm), np.random.default_rng(2)
    for _ in range(300):
        q = arm.home + rng.uniform(-0.5, 0.5, 6)
        pose = kinematics.forward(q)
        found = kinematics.inverse(pose, q + rng.uniform(-0.1, 0.1, 6))
        assert found.converged
        reached = kinematics.forward(found.q)
        assert np.linalg.norm(reached[:3] - pose[:3]) < 1e-4
        assert abs(reached[3:] @ pose[3:]) > 1.0 - 1e-6


def test_inverse_turns_the_tool_by_half_a_turn():
    kinematics = ArmKinematics(LEFT)
    rotation = rotvec_to_matrix(np.array((0.0, 0.0, np.pi))) @ kinematics.home_rotation
    found = kinematics.solve(kinematics.position(LEFT.home), rotation, LEFT.home, 60)
    assert found.converged
    np.testing.assert_allclose(kinematics.matrix(found.q)[:3, :3], rotation, atol=2e-3)


def test_inverse_of_a_pose_out_of_reach_stays_in_range_and_says_how_far():
    kinematics = ArmKinematics(LEFT)
    pose = kinematics.forward(LEFT.home)
    pose[1] -= 1.0
    found = kinematics.inverse(pose, LEFT.home)
    assert not found.converged
    assert found.position_error > 0.3
    assert np.all(found.q >= LEFT.limits.lower)
    assert np.all(found.q <= LEFT.limits.upper)
    point = kinematics.position(found.q)
    assert np.linalg.norm(point - pose[:3]) == pytest.approx(found.position_error, abs=1e-9)
