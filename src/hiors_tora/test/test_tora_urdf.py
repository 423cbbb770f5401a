# SPDX-License-Identifier: Apache-2.0
"""The URDF, read by MuJoCo, agrees with the robot file: names, limits, where the tool is."""

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from hiors_core.geometry import quat_to_matrix
from hiors_core.kinematics import ArmKinematics
from hiors_core.robot import load_robot

mujoco = pytest.importorskip("mujoco")

URDF = Path(__file__).parents[1] / "urdf" / "tora_one.urdf"
ROBOT = load_robot(Path(__file__).parents[3] / "config" / "robots" / "tora_one.yaml")


@pytest.fixture(scope="module")
def model():
    # MuJoCo would melt links of fixed joints together, and the tool frames with them.
    keep = '<mujoco><compiler fusestatic="false" balanceinertia="true"/></mujoco>'
    text = URDF.read_text(encoding="utf-8").replace("</robot>", keep + "</robot>")
    return mujoco.MjModel.from_xml_string(text)


@pytest.mark.parametrize("arm", ROBOT.arms, ids=lambda arm: arm.name)
def test_tool_is_where_the_robot_file_says(model, arm) -> None:
    data, kinematics = mujoco.MjData(model), ArmKinematics(arm)
    base, tool = model.body(arm.base_frame).id, model.body(arm.tool_frame).id
    columns = [model.joint(name).qposadr[0] for name in arm.joints]
    rng = np.random.default_rng(0)
    for q in rng.uniform(arm.limits.lower, arm.limits.upper, (200, 7)):
        data.qpos[columns] = q
        mujoco.mj_kinematics(model, data)
        turn = data.xmat[base].reshape(3, 3)
        pose = kinematics.forward(q)
        np.testing.assert_allclose(
            turn.T @ (data.xpos[tool] - data.xpos[base]), pose[:3], atol=1e-4
        )
        np.testing.assert_allclose(
            turn.T @ data.xmat[tool].reshape(3, 3), quat_to_matrix(pose[3:]), atol=1e-6
        )


@pytest.mark.parametrize("arm", ROBOT.arms, ids=lambda arm: arm.name)
def test_every_column_is_a_joint_with_its_limits(arm) -> None:
    joints = {j.get("name"): j for j in ET.parse(URDF).getroot().iter("joint")}
    for i, name in enumerate(arm.joints):
        limit = joints[name].find("limit")
        assert float(limit.get("lower")) == arm.limits.lower[i]
        assert float(limit.get("upper")) == arm.limits.upper[i]
        assert float(limit.get("velocity")) == arm.limits.velocity[i]
    limit = joints[arm.gripper].find("limit")
    assert (limit.get("lower"), limit.get("upper")) == ("0", "1")


def test_only_primitives_are_drawn() -> None:
    kinds = {shape.tag for g in ET.parse(URDF).getroot().iter("geometry") for shape in g}
    assert kinds == {"box", "cylinder", "sphere"}
