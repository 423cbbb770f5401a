# SPDX-License-Identifier: Apache-2.0
"""The URDF agrees with the robot file: names, limits, and where the tool is, over random poses."""

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from hiors_core.geometry import quat_to_matrix
from hiors_core.kinematics import ArmKinematics
from hiors_core.robot import load_robot

URDF = Path(__file__).parents[1] / "urdf" / "xtrainer.urdf"


def numbers(text: str) -> np.ndarray:
    return np.array([float(v) for v in text.split()])


def rotation(rpy: np.ndarray) -> np.ndarray:
    (cr, cp, cy), (sr, sp, sy) = np.cos(rpy), np.sin(rpy)
    x = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    y = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
    z = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    return z @ y @ x


class Tree:
    """Forward kinematics straight from the file."""

    def __init__(self) -> None:
        root = ET.parse(URDF).getroot()
        self.joints = {j.get("name"): j for j in root.iter("joint")}
        self.links = {link.get("name") for link in root.iter("link")}
        self.by_child = {
            j.find("child").get("link"): j for j in root.iter("joint") if j.get("type")
        }

    def pose(self, base: str, link: str, position: dict[str, float]) -> np.ndarray:
        if link == base:
            return np.eye(4)
        joint = self.by_child[link]
        origin = np.eye(4)
        origin[:3, 3] = numbers(joint.find("origin").get("xyz"))
        origin[:3, :3] = rotation(numbers(joint.find("origin").get("rpy")))
        turn = np.eye(4)
        if joint.get("type") == "revolute":
            assert joint.find("axis").get("xyz") == "0 0 1"
            turn[:3, :3] = rotation(np.array([0, 0, position[joint.get("name")]]))
        parent = joint.find("parent").get("link")
        return self.pose(base, parent, position) @ origin @ turn


@pytest.fixture(scope="module")
def tree() -> Tree:
    return Tree()


@pytest.mark.parametrize("index", [0, 1])
def test_tool_is_where_the_dh_rows_say(tree: Tree, robot_file: str, index: int) -> None:
    arm = load_robot(robot_file).arms[index]
    kinematics = ArmKinematics(arm)
    rng = np.random.default_rng(index)
    for q in rng.uniform(arm.limits.lower, arm.limits.upper, (200, 6)):
        position = dict(zip(arm.joints, q, strict=True))
        urdf = tree.pose(arm.base_frame, arm.tool_frame, position)
        pose = kinematics.forward(q)
        np.testing.assert_allclose(urdf[:3, 3], pose[:3], atol=1e-4)
        np.testing.assert_allclose(urdf[:3, :3], quat_to_matrix(pose[3:]), atol=1e-6)


def test_every_column_of_the_robot_is_a_joint_with_its_limits(tree: Tree, robot_file: str) -> None:
    robot = load_robot(robot_file)
    for arm in robot.arms:
        assert {arm.base_frame, arm.tool_frame} <= tree.links
        for i, name in enumerate(arm.joints):
            limit = tree.joints[name].find("limit")
            assert float(limit.get("lower")) == arm.limits.lower[i]
            assert float(limit.get("upper")) == arm.limits.upper[i]
            assert float(limit.get("velocity")) == arm.limits.velocity[i]
        limit = tree.joints[arm.gripper].find("limit")
        assert (limit.get("lower"), limit.get("upper")) == ("0", "1")


def test_known_poses_of_the_maker(tree: Tree) -> None:
    for degrees, flange in (
        ([0, 0, 0, 0, 0, 0], [0.0, -0.2055, 0.8484]),
        ([0, 0, -90, 0, 90, 0], [0.345, -0.1175, 0.4154]),
    ):
        position = {f"left_joint{i + 1}": np.radians(d) for i, d in enumerate(degrees)}
        pose = tree.pose("left_base_link", "left_link6", position)
        np.testing.assert_allclose(pose[:3, 3], flange, atol=1e-4)
