# SPDX-License-Identifier: Apache-2.0
"""The Tora One's file: seven joints an arm, one frame for both, mirror images of each other."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from hiors_core.action_space import ActionMapper, action_space
from hiors_core.errors import InvalidValue
from hiors_core.kinematics import ArmKinematics, mount_matrix
from hiors_core.robot import load_robot

FILE = Path(__file__).parents[3] / "config/robots/tora_one.yaml"
ROBOT = load_robot(FILE)
LEFT, RIGHT = ROBOT.arms
MIRROR = np.diag((1.0, -1.0, 1.0))
HALF_TURN = np.diag((-1.0, -1.0, 1.0))
"""The right hand about its own axis, so that both wrist cameras look ahead."""


def test_columns_of_the_robot():
    assert len(ROBOT.names) == 16
    assert ROBOT.names[7] == "left_gripper"
    assert {arm.base_frame for arm in ROBOT.arms} == {"torso_link"}
    assert ROBOT.cameras == ("top", "left_wrist", "right_wrist")
    assert len(action_space(ROBOT, "ee").names) == 14


def test_an_arm_hangs_straight_down_at_zero():
    pose = ArmKinematics(LEFT).matrix(np.zeros(7))
    np.testing.assert_allclose(pose[:3, 3], (0.0, 0.23, -0.80), atol=1e-9)
    np.testing.assert_allclose(pose[:3, 2], (0.0, 0.0, -1.0), atol=1e-9)


@pytest.mark.parametrize(
    ("joint", "way"),
    [(0, (-1, 0)), (1, (0, -1)), (3, (1, 0)), (5, (-1, 0))],
    ids=["arm back", "arm inward", "forearm forward", "hand back"],
)
def test_which_way_a_joint_moves_the_hanging_hand(joint, way):
    q = np.zeros(7)
    q[joint] = 0.2
    moved = ArmKinematics(LEFT).position(q)[:2] - (0.0, 0.23)
    np.testing.assert_allclose(moved / np.linalg.norm(moved), way, atol=1e-9)


@pytest.mark.parametrize("arm", ROBOT.arms, ids=lambda arm: arm.name)
def test_the_tool_points_down_at_home(arm):
    kinematics = ArmKinematics(arm)
    np.testing.assert_allclose(kinematics.home_rotation[:, 2], (0.0, 0.0, -1.0), atol=1e-6)
    np.testing.assert_allclose(kinematics.home_rotation[:, 1], (1.0, 0.0, 0.0), atol=1e-6)
    side = 0.22 if arm is LEFT else -0.22
    np.testing.assert_allclose(kinematics.position(arm.home), (0.36, side, -0.30), atol=1e-6)
    assert np.all(arm.home > arm.limits.lower)
    assert np.all(arm.home < arm.limits.upper)


def test_the_arms_are_mirror_images():
    left, right = ArmKinematics(LEFT), ArmKinematics(RIGHT)
    rng = np.random.default_rng(0)
    for _ in range(50):
        q = rng.uniform(LEFT.limits.lower, LEFT.limits.upper)
        a, b = left.matrix(q), right.matrix(-q)
        np.testing.assert_allclose(MIRROR @ a[:3, 3], b[:3, 3], atol=1e-9)
        np.testing.assert_allclose(MIRROR @ a[:3, :3] @ MIRROR @ HALF_TURN, b[:3, :3], atol=1e-9)
    np.testing.assert_allclose(LEFT.limits.lower, -RIGHT.limits.upper)
    np.testing.assert_allclose(LEFT.limits.upper, -RIGHT.limits.lower)
    np.testing.assert_allclose(LEFT.limits.velocity, RIGHT.limits.velocity)


def test_jacobian_is_the_derivative_of_the_pose():
    kinematics, q, step = ArmKinematics(RIGHT), RIGHT.home + 0.1, 1e-6
    jacobian = kinematics.jacobian(q)
    for i in range(7):
        ahead, behind = q.copy(), q.copy()
        ahead[i], behind[i] = q[i] + step, q[i] - step
        a, b = kinematics.matrix(ahead), kinematics.matrix(behind)
        np.testing.assert_allclose(jacobian[:3, i], (a[:3, 3] - b[:3, 3]) / (2 * step), atol=1e-6)
        turn = (a[:3, :3] @ b[:3, :3].T - np.eye(3)) / (2 * step)
        np.testing.assert_allclose(
            jacobian[3:, i], (turn[2, 1], turn[0, 2], turn[1, 0]), atol=1e-5
        )


def test_inverse_moves_the_redundant_arm_little_and_finds_the_pose():
    kinematics, rng = ArmKinematics(LEFT), np.random.default_rng(2)
    for _ in range(200):
        q = LEFT.home + rng.uniform(-0.3, 0.3, 7)
        seed = q + rng.uniform(-0.1, 0.1, 7)
        found = kinematics.inverse(kinematics.forward(q), seed)
        assert found.converged
        assert np.abs(found.q - seed).max() < 0.5
        assert np.linalg.norm(kinematics.position(found.q) - kinematics.position(q)) < 1e-4


def test_actions_of_both_arms_there_and_back():
    mapper, rng = ActionMapper(ROBOT), np.random.default_rng(3)
    stack = ROBOT.home + 0.1 * rng.normal(size=(8, 16))
    singles = np.stack([mapper.joint_to_ee(q) for q in stack])
    np.testing.assert_allclose(mapper.convert(stack, "ee"), singles, atol=1e-9)
    np.testing.assert_allclose(mapper.joint_to_ee(ROBOT.home)[3:6], 0.0, atol=1e-12)
    back = mapper.ee_to_joint(singles[0], stack[0] + 0.01)
    np.testing.assert_allclose(mapper.joint_to_ee(back), singles[0], atol=1e-3)


def test_a_mount_is_an_origin_as_in_a_urdf():
    np.testing.assert_allclose(mount_matrix(np.zeros(6)), np.eye(4))
    turned = mount_matrix(np.array([1.0, 2.0, 3.0, 0.3, 0.0, np.pi / 2]))
    np.testing.assert_allclose(turned[:3, 3], (1.0, 2.0, 3.0))
    # Roll first, yaw last, both about fixed axes: the roll's axis x ends along y.
    np.testing.assert_allclose(turned[:3, 0], (0.0, 1.0, 0.0), atol=1e-12)
    np.testing.assert_allclose(turned[2, 2], np.cos(0.3))
    pitched = mount_matrix(np.array([0.0, 0.0, 0.0, 0.0, np.pi / 2, 0.0]))
    np.testing.assert_allclose(pitched[:3, 0], (0.0, 0.0, -1.0), atol=1e-12)


def test_a_mount_moves_the_tool_and_nothing_else():
    moved = dataclasses.replace(LEFT, mount=LEFT.mount + np.array((0, 0, 0.1, 0, 0, 0)))
    a, b = ArmKinematics(LEFT).matrix(LEFT.home), ArmKinematics(moved).matrix(LEFT.home)
    np.testing.assert_allclose(b[:3, 3] - a[:3, 3], (0.0, 0.0, 0.1), atol=1e-12)
    np.testing.assert_array_equal(ArmKinematics(moved).jacobian(LEFT.home).shape, (6, 7))


def test_a_mount_of_the_wrong_shape_is_refused(tmp_path):
    text = FILE.read_text(encoding="utf-8").replace("mount: [0.0, 0.17, ", "mount: [0.17, ")
    broken = tmp_path / "robot.yaml"
    broken.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidValue, match=r"arms\.left\.mount must be finite numbers"):
        load_robot(broken)
