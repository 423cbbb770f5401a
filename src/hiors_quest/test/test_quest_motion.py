# SPDX-License-Identifier: Apache-2.0
"""XR axes become ROS axes, gains scale, turns go on past 180 degrees."""

import math

import numpy as np
import pytest

from hiors_core.geometry import quat_multiply, quat_to_rotvec, rotvec_to_quat
from hiors_quest.motion import RelativeMotion, heading_of, turn

ORIGIN = np.array([0.3, 1.2, -0.4, *rotvec_to_quat(np.array([0.4, -0.9, 0.2]))])


def moved(position: list[float], rotvec: list[float]) -> np.ndarray:
    quat = quat_multiply(rotvec_to_quat(np.array(rotvec)), ORIGIN[3:])
    return np.concatenate((ORIGIN[:3] + position, quat))


def motion(heading: float = 0.0, yaw: float = 0.0, p: float = 1.0, r: float = 1.0):
    return RelativeMotion(ORIGIN, turn(heading, yaw), p, r)


@pytest.mark.parametrize(
    ("xr", "ros"),
    [
        ([0.0, 0.0, -1.0], [1.0, 0.0, 0.0]),
        ([-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]),
        ([0.0, 1.0, 0.0], [0.0, 0.0, 1.0]),
    ],
    ids=["forward", "left", "up"],
)
def test_axes_follow_rep_103_in_position_and_rotation(xr: list[float], ros: list[float]) -> None:
    xr_part, ros_part = 0.3 * np.array(xr), 0.3 * np.array(ros)
    pose = motion()(moved(xr_part.tolist(), xr_part.tolist()))
    np.testing.assert_allclose(pose[:3], ros_part, atol=1e-12)
    np.testing.assert_allclose(quat_to_rotvec(pose[3:]), ros_part, atol=1e-12)


def test_the_quaternion_rule_of_the_axes_holds() -> None:
    x, y, z, w = rotvec_to_quat(np.array([0.3, -0.2, 0.5]))
    pose = motion()(moved([0.0, 0.0, 0.0], [0.3, -0.2, 0.5]))
    np.testing.assert_allclose(pose[3:], [-z, -x, y, w], atol=1e-12)


def test_no_motion_is_the_identity() -> None:
    np.testing.assert_allclose(motion()(ORIGIN), [0, 0, 0, 0, 0, 0, 1], atol=1e-12)


def test_yaw_says_where_the_operators_forward_points() -> None:
    forward = moved([0.0, 0.0, -0.2], [0.0, 0.0, 0.0])
    np.testing.assert_allclose(motion(yaw=math.pi / 2)(forward)[:3], [0, 0.2, 0], atol=1e-12)
    np.testing.assert_allclose(motion(yaw=math.pi)(forward)[:3], [-0.2, 0, 0], atol=1e-12)


def test_heading_makes_the_look_the_forward() -> None:
    to_the_left = rotvec_to_quat(np.array([0.0, math.pi / 2, 0.0]))
    heading = heading_of(to_the_left)
    assert heading == pytest.approx(math.pi / 2)
    pose = motion(heading=heading)(moved([-0.2, 0.0, 0.0], [-0.2, 0.0, 0.0]))
    np.testing.assert_allclose(pose[:3], [0.2, 0.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(quat_to_rotvec(pose[3:]), [0.2, 0.0, 0.0], atol=1e-12)


def test_a_tilted_head_keeps_its_heading_and_a_steep_one_has_none() -> None:
    tilted = quat_multiply(
        rotvec_to_quat(np.array([0.0, 0.7, 0.0])), rotvec_to_quat(np.array([-1.0, 0.0, 0.0]))
    )
    assert heading_of(tilted) == pytest.approx(0.7)
    assert heading_of(rotvec_to_quat(np.array([-math.pi / 2, 0.0, 0.0]))) is None


def test_gains_scale_translation_and_rotation() -> None:
    pose = motion(p=2.0, r=0.5)(moved([0.0, 0.1, 0.0], [0.0, 0.8, 0.0]))
    np.testing.assert_allclose(pose[:3], [0.0, 0.0, 0.2], atol=1e-12)
    np.testing.assert_allclose(quat_to_rotvec(pose[3:]), [0.0, 0.0, 0.4], atol=1e-12)


def test_a_scaled_turn_goes_on_past_half_a_circle() -> None:
    relative = motion(r=0.5)
    angles = [math.radians(a) for a in range(0, 271, 10)]
    last = [relative(moved([0, 0, 0], [0.0, a, 0.0])) for a in angles][-1]
    np.testing.assert_allclose(quat_to_rotvec(last[3:]), [0, 0, math.radians(135)], atol=1e-9)
