# SPDX-License-Identifier: Apache-2.0
"""The state vector: its names, its geometry, what is missing or not finite; and the images."""

import numpy as np
import pytest
from policy_scene import observation, pose, robot

from hiors_core.errors import InvalidValue, UnknownName
from hiors_core.kinematics import ArmKinematics
from hiors_policy.observation import GROUPS, StateEncoder, yaw
from hiors_policy.vision import stack_images


def features(encoder: StateEncoder, **changes) -> dict[str, float]:
    values = encoder.encode(observation(**changes))
    return dict(zip(encoder.names, values.tolist(), strict=True))


def test_every_column_has_its_own_name():
    encoder = StateEncoder(robot("left", "right"), ("box", "hole"), GROUPS)
    assert len(set(encoder.names)) == len(encoder.names)


def test_an_object_is_seen_from_the_tool_at_three_scales():
    encoder = StateEncoder(robot(), ("box",), ("objects", "command"))
    tool = ArmKinematics(robot().arms[0]).forward(robot().home[:-1])[:3]
    box = pose(tool[0] + 0.004, tool[1] - 0.1, tool[2], yaw=0.4)
    seen = features(encoder, position=robot().home, command=robot().home, objects={"box": box})
    assert seen["box_from_tool_x"] == pytest.approx(0.004, abs=1e-6)
    assert seen["box_from_tool_x_tanh_10mm"] == pytest.approx(np.tanh(0.4), abs=1e-4)
    assert seen["box_from_tool_x_tanh_2mm"] == pytest.approx(np.tanh(2.0), abs=1e-4)
    assert seen["box_from_tool_y_tanh_2mm"] == pytest.approx(-1.0)
    assert seen["box_from_tool_sin_yaw"] == pytest.approx(np.sin(0.4), abs=1e-6)
    assert seen["left_x_ahead"] == pytest.approx(0.0, abs=1e-9)


def test_the_command_is_seen_ahead_of_the_measured_tool():
    encoder = StateEncoder(robot(), (), ("command",))
    command = robot().home.copy()
    command[6] = 0.25
    seen = features(encoder, position=robot().home, command=command)
    assert seen["left_gripper_ahead"] == pytest.approx(0.25 - robot().home[6])


def test_pairs_do_not_depend_on_the_robot():
    encoder = StateEncoder(robot(), ("box", "hole"), ("pairs",))
    objects = observation().objects
    one = encoder.encode(observation(1, objects=objects))
    two = encoder.encode(observation(2, objects=objects))
    assert np.array_equal(one, two)
    assert encoder.names[0] == "hole_from_box_x"


def test_the_vector_has_the_length_of_the_names():
    for group in GROUPS:
        encoder = StateEncoder(robot(), ("box", "hole"), (group,))
        assert encoder.encode(observation()).shape == (len(encoder.names),)


def test_a_missing_object_is_named():
    encoder = StateEncoder(robot(), ("box", "lid"))
    with pytest.raises(UnknownName, match=r"object 'lid'.*box, hole"):
        encoder.encode(observation())


def test_a_value_that_is_not_finite_is_named():
    encoder = StateEncoder(robot(), ("box",))
    objects = {"box": pose(np.nan, 0.0, 0.0)}
    with pytest.raises(InvalidValue, match="box_from_tool_x"):
        encoder.encode(observation(objects=objects))


def test_an_unknown_group_is_named():
    with pytest.raises(UnknownName, match=r"feature group 'tools'.*Did you mean 'tool'"):
        StateEncoder(robot(), (), ("tools",))


@pytest.mark.parametrize("angle", [-3.0, -0.4, 0.0, 1.2, 3.1])
def test_yaw(angle: float):
    assert yaw(pose(0, 0, 0, angle)) == pytest.approx(angle)


def test_images_are_shrunk_by_area_in_the_order_of_the_cameras():
    left, top = np.zeros((48, 64, 3), np.uint8), np.full((48, 64, 3), 200, np.uint8)
    left[:, 32:] = 100
    seen = observation(images={"top": top, "left_wrist": left})
    stack = stack_images(seen, ("left_wrist", "top"), 16)
    assert stack.shape == (2, 16, 16, 3)
    assert stack[0, :, :8].max() == 0
    assert stack[0, :, 8:].min() == 100
    assert np.all(stack[1] == 200)


def test_a_missing_camera_and_a_wrong_image_are_named():
    with pytest.raises(UnknownName, match="camera 'top'"):
        stack_images(observation(), ("top",), 16)
    grey = observation(images={"top": np.zeros((48, 64), np.uint8)})
    with pytest.raises(InvalidValue, match=r"'top'.*\(48, 64\)"):
        stack_images(grey, ("top",), 16)
