# SPDX-License-Identifier: Apache-2.0
"""Action spaces: their columns, and the way between joints and tool poses."""

from pathlib import Path

import numpy as np
import pytest

from hiors_core.action_space import ActionMapper, action_space, unwrap_actions
from hiors_core.errors import InvalidValue, UnknownName
from hiors_core.robot import load_robot

ROBOT = load_robot(Path(__file__).parents[3] / "config/robots/xtrainer.yaml")
MAPPER = ActionMapper(ROBOT)


def test_joint_space_is_the_robot_itself():
    space = action_space(ROBOT, "joint")
    assert space.names == ROBOT.names
    assert set(space.units) == {"rad", "1"}


def test_ee_space_names_each_arm_pose_then_gripper():
    space = action_space(ROBOT, "ee")
    assert space.names[:7] == (
        "left_x", "left_y", "left_z", "left_rx", "left_ry", "left_rz", "left_gripper",
    )  # fmt: skip
    assert space.units[7:] == ("m", "m", "m", "rad", "rad", "rad", "1")


def test_unknown_space_is_refused_with_the_nearest():
    with pytest.raises(UnknownName, match="joint"):
        action_space(ROBOT, "joints")


def test_home_has_no_rotation():
    action = MAPPER.joint_to_ee(ROBOT.home)
    np.testing.assert_allclose(action[3:6], 0.0, atol=1e-9)
    np.testing.assert_allclose(action[10:13], 0.0, atol=1e-9)
    assert action[6] == action[13] == 1.0


def test_turning_the_last_joint_of_a_downward_tool_is_yaw():
    position = ROBOT.home
    position[5] += 0.3
    rotation = MAPPER.joint_to_ee(position)[3:6]
    np.testing.assert_allclose(np.abs(rotation), (0.0, 0.0, 0.3), atol=1e-6)


def test_there_and_back():
    rng = np.random.default_rng(3)
    for _ in range(100):
        position = ROBOT.home + rng.uniform(-0.4, 0.4, 14)
        position[[6, 13]] = rng.uniform(size=2)
        action = MAPPER.joint_to_ee(position)
        found = MAPPER.solve(action, position + rng.uniform(-0.03, 0.03, 14))
        assert not found.notes
        back = MAPPER.joint_to_ee(found.position)
        np.testing.assert_allclose(back, action, atol=1e-3)
        assert found.position[6] == position[6]


def test_pose_out_of_reach_is_named_with_its_arm():
    action = MAPPER.joint_to_ee(ROBOT.home)
    action[7] += 2.0
    (note,) = MAPPER.solve(action, ROBOT.home).notes
    assert note.startswith("right: pose out of reach by ")


def test_many_positions_convert_as_one_by_one_and_continuously():
    t = np.linspace(0.0, 1.0, 50)[:, None]
    positions = ROBOT.home + t * np.array([0.2] * 5 + [4.0, 0.0] + [0.2] * 5 + [-4.0, 0.0])
    actions = MAPPER.convert(positions, "ee")
    assert np.abs(np.diff(actions, axis=0)).max() < 0.3
    for row, position in zip(actions, positions, strict=True):
        found = MAPPER.ee_to_joint(row, position)
        np.testing.assert_allclose(
            MAPPER.joint_to_ee(found), MAPPER.joint_to_ee(position), atol=1e-3
        )
    np.testing.assert_array_equal(MAPPER.convert(positions, "joint"), positions)


def test_actions_are_unwrapped_from_what_was_before():
    before = MAPPER.joint_to_ee(ROBOT.home)
    before[5] = 3.2
    after = before.copy()
    after[5] = 3.3 - 2 * np.pi
    np.testing.assert_allclose(unwrap_actions(after[None], before)[0, 5], 3.3)


@pytest.mark.parametrize("columns", [13, 15])
def test_wrong_columns_are_refused(columns):
    with pytest.raises(InvalidValue, match="shape"):
        MAPPER.joint_to_ee(np.zeros(columns))
