# SPDX-License-Identifier: Apache-2.0
"""The robot inside a checkpoint: seven joints, mounts, and checkpoints from before mounts."""

import dataclasses
from pathlib import Path

import numpy as np

from hiors_core.robot import load_robot
from hiors_policy.embodiment import describe, differences, restore

ROBOT = load_robot(Path(__file__).parents[3] / "config/robots/tora_one.yaml")


def test_a_robot_comes_back_from_a_checkpoint():
    assert differences(ROBOT, restore(describe(ROBOT))) == []


def test_another_mount_is_another_robot():
    left, right = ROBOT.arms
    moved = dataclasses.replace(left, mount=left.mount + 0.01)
    said = differences(dataclasses.replace(ROBOT, arms=(moved, right)), ROBOT)
    assert [s.split(" is ")[0] for s in said] == ["robot: mount of arm 'left'"]


def test_a_checkpoint_without_mounts_has_arms_at_their_base_frames():
    plain = describe(ROBOT)
    for arm in plain["arms"]:
        del arm["mount"]
    np.testing.assert_array_equal(restore(plain).arms[0].mount, np.zeros(6))
