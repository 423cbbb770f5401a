# SPDX-License-Identifier: Apache-2.0
"""Chunks as steps from the measured position: inverse, grippers, wrapped rotations, spreads."""

import numpy as np
import pytest
from policy_scene import robot

from hiors_core.errors import InvalidValue
from hiors_policy.actions import ActionCodec
from hiors_policy.normalization import LEAST_STEP_STD, fit


@pytest.mark.parametrize("kind", ["ee", "joint"])
@pytest.mark.parametrize("arms", [("left",), ("left", "right")])
def test_decode_inverts_encode(kind: str, arms: tuple[str, ...]):
    model = robot(*arms)
    codec = ActionCodec(model, kind)
    rng = np.random.default_rng(3)
    base = codec.base(model.home)
    actions = base + np.cumsum(rng.normal(0, 0.01, (16, len(base))), axis=0)
    steps = codec.encode(actions, base)
    np.testing.assert_allclose(codec.decode(steps, base), actions, atol=1e-12)


def test_steps_start_where_the_robot_is():
    codec = ActionCodec(robot(), "joint")
    base = robot().home
    actions = np.repeat(base[None], 3, axis=0)
    actions[1:, 0] += 0.1
    actions[:, 6] = [1.0, 0.4, 0.0]
    steps = codec.encode(actions, base)
    assert np.allclose(steps[:, 0], [0.0, 0.1, 0.0])
    assert np.allclose(steps[:, 6], [1.0, 0.4, 0.0]), "grippers stay absolute"


def test_the_base_of_the_ee_space_is_the_tool_pose():
    codec = ActionCodec(robot(), "ee")
    base = codec.base(robot().home)
    assert codec.space.names[3:6] == ("left_rx", "left_ry", "left_rz")
    np.testing.assert_allclose(base[3:6], 0.0, atol=1e-9)
    assert base[6] == robot().home[6]


def test_a_rotation_that_wraps_is_no_jump():
    codec = ActionCodec(robot(), "ee")
    base = np.array([0.0, -0.4, 0.1, 0.0, 0.0, 3.10, 1.0])
    actions = np.repeat(base[None], 3, axis=0)
    actions[:, 5] = [3.13, -3.13, -3.10]
    steps = codec.encode(actions, base)
    assert np.abs(steps[:, 5]).max() < 0.05


def test_grippers_are_closed_or_opened_wholly():
    codec = ActionCodec(robot(), "ee")
    actions = np.zeros((3, 7))
    actions[:, 6] = [0.2, 0.51, 1.3]
    actions[:, 0] = 0.7
    sent = codec.close_or_open(actions)
    assert list(sent[:, 6]) == [0.0, 1.0, 1.0]
    assert np.all(sent[:, 0] == 0.7)
    assert actions[0, 6] == 0.2, "the chunk itself is not changed"


def test_a_chunk_of_another_width_is_refused():
    codec = ActionCodec(robot(), "ee")
    with pytest.raises(InvalidValue, match=r"\(H, 7\).*left_gripper"):
        codec.encode(np.zeros((4, 6)), np.zeros(7))


def test_one_spread_a_column_and_padding_does_not_count():
    rng = np.random.default_rng(0)
    actions = rng.normal(0, 1, (50, 4, 3)) * [0.01, 0.02, 1.0]
    mask = np.ones((50, 4), bool)
    mask[:, 3] = False
    actions[:, 3] = 99.0
    grippers = np.array([False, False, True])
    values = fit(rng.normal(2, 3, (50, 5)).astype(np.float32), actions, mask, grippers)
    assert values.action_std[:2] == pytest.approx([0.01, 0.02], rel=0.2)
    assert list(values.action_mean) == [0.0, 0.0, 0.5]
    assert values.action_std[2] == 0.5
    assert values.state_mean == pytest.approx(np.full(5, 2.0), abs=1.5)


def test_a_column_that_never_moves_is_not_blown_up():
    states, actions = np.zeros((4, 2), np.float32), np.zeros((4, 3, 2), np.float32)
    values = fit(states, actions, np.ones((4, 3), bool), np.array([False, False]))
    assert np.allclose(values.action_std, LEAST_STEP_STD)
    assert np.all(values.state_std > 0)


def test_normalisation_needs_data():
    empty = np.zeros((0, 2), np.float32)
    with pytest.raises(InvalidValue, match="at least one transition"):
        fit(empty, np.zeros((0, 3, 2)), np.zeros((0, 3), bool), np.array([False, False]))
