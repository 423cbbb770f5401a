# SPDX-License-Identifier: Apache-2.0
"""Raising the hand: what counts, and what only looks like it."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hiors_core.authority import Authority
from hiors_core.geometry import quat_multiply, rotvec_to_quat
from hiors_core.robot import load_robot
from hiors_sim.raise_hand.judge import RaiseHandJudge, distance
from hiors_sim.raise_hand.task import RaiseHandTask
from hiors_sim.scene_view import SceneView
from hiors_sim.simulation import RobotSim
from hiors_sim.task import load_sim_task

Array = NDArray[np.float64]
CONFIG = Path(__file__).parents[3] / "config"


@pytest.fixture(scope="module")
def task() -> RaiseHandTask:
    loaded = load_sim_task(CONFIG / "tasks" / "raise_hand.yaml")
    assert isinstance(loaded, RaiseHandTask)
    return loaded


def moved(pose: Array, offset: tuple[float, float, float], turn: float = 0.0) -> Array:
    quat = quat_multiply(rotvec_to_quat(np.array([turn, 0.0, 0.0])), pose[3:])
    return np.concatenate((pose[:3] + offset, quat))


def test_position_rotation_and_opening_must_all_fit(task: RaiseHandTask) -> None:
    judge, target = RaiseHandJudge(task.scene), task.scene.pose(task.scene.center, 0.2)
    assert judge.reached(moved(target, (0.01, 0.0, 0.0), 0.1), target, 1.0)
    assert not judge.reached(moved(target, (0.03, 0.0, 0.0)), target, 1.0)
    assert not judge.reached(moved(target, (0.0, 0.0, 0.0), 0.25), target, 1.0)
    assert not judge.reached(target, target, 0.2), "a fist is no raised hand"
    assert not judge.reached(target * np.array([1, 1, 1, -1, -1, -1, -1]), target, 0.2)
    assert judge.reached(target * np.array([1, 1, 1, -1, -1, -1, -1]), target, 1.0)


def test_the_shown_hand_points_up_and_ahead(task: RaiseHandTask) -> None:
    x, y, z, w = task.scene.pose(task.scene.center, 0.0)[3:]
    axis = np.array([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)])
    np.testing.assert_allclose(axis, (np.sin(2.0), 0.0, -np.cos(2.0)), atol=1e-9)


def test_a_hand_must_stay_not_only_pass(task: RaiseHandTask) -> None:
    sim = RobotSim(load_robot(CONFIG / "robots" / "tora_one.yaml", ["left"]), task)
    sim.place("target", sim.state().arms["left"].tool)
    sim.step(0.6)
    assert not sim.success()
    sim.step(0.5)
    assert sim.success()
    assert not sim.failed()
    tool = sim.state().arms["left"].tool
    sim.place("target", moved(tool, (0.0, 0.0, 0.05)))
    sim.step(0.1)
    assert not sim.success()


def test_distance_of_poses() -> None:
    a = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0])
    away, turned = distance(a, moved(a, (0.3, 0.4, 0.0), 0.2))
    assert away == pytest.approx(0.5)
    assert turned == pytest.approx(0.2)


def test_a_watcher_sees_a_hand_go_astray(task: RaiseHandTask) -> None:
    watcher, target = task.watcher(), task.scene.pose(task.scene.center, 0.0)
    said = [
        watcher.look(
            SceneView(
                stamp=int(1e9 * k / 30),
                tool=moved(target, (0.1 + 0.004 * k, 0.0, 0.0)),
                gripper=1.0,
                objects={"target": target},
                authority=Authority.POLICY,
            )
        )
        for k in range(40)
    ]
    assert said[15] == ""
    assert said[-1] == "going astray"
