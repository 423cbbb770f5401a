# SPDX-License-Identifier: Apache-2.0
"""The simulated arm in real time behind what a device asks of it; when its scene is reset."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mujoco")

from hiors_core.clock import SteadyClock
from hiors_core.errors import HiorsError, StateError
from hiors_core.robot import load_robot
from hiors_sim.servo import ServoParameters
from hiors_sim.task import load_sim_task
from hiors_sim.xtrainer import XTrainerSim
from hiors_sim_ros.cameras import CameraLoop
from hiors_sim_ros.world import World, WorldArm, WorldGripper

CONFIG = Path(__file__).parents[3] / "config"


def wait_for(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 15.0
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"waited in vain for: {what}")
        time.sleep(0.005)


@pytest.fixture
def world() -> Iterator[World]:
    robot = load_robot(CONFIG / "robots" / "xtrainer.yaml", ["left"])
    task = load_sim_task(CONFIG / "tasks" / "insert_moisturizer.yaml")
    world = World(XTrainerSim(robot, task, seed=1), SteadyClock())
    world.start()
    yield world
    world.close()


def test_arm_and_gripper_go_where_the_devices_are_told(world: World) -> None:
    arm, gripper = WorldArm(world, "left"), WorldGripper(world, "left")
    goal = arm.read().position + np.array([0.2, -0.1, 0, 0, 0, 0.3])
    arm.servo(goal, ServoParameters(duration=0.5))
    gripper.command(0.4, 2.0)
    wait_for(lambda: np.abs(arm.read().position - goal).max() < 0.01, "the joints")
    wait_for(lambda: abs(gripper.read() - 0.4) < 0.05, "the gripper")
    np.testing.assert_array_equal(arm.read().target, goal)


def test_hold_stops_a_motion(world: World) -> None:
    arm = WorldArm(world, "left")
    start = arm.read().position
    arm.servo(start + np.array([1.0, 0, 0, 0, 0, 0]), ServoParameters(duration=4.0))
    wait_for(lambda: arm.read().position[0] > start[0] + 0.1, "motion")
    arm.hold()
    wait_for(lambda: abs(arm.read().velocity[0]) < 0.01, "rest")
    assert arm.read().position[0] < start[0] + 0.5


def test_reset_moves_the_box_by_seed_and_leaves_the_arm(world: World) -> None:
    before = world.state.arms["left"].position
    world.reset(5)
    five = world.state.objects["box"][:2].copy()
    world.reset(6)
    assert np.abs(world.state.objects["box"][:2] - five).max() > 1e-3
    world.reset(5)
    np.testing.assert_allclose(world.state.objects["box"][:2], five, atol=1e-4)
    np.testing.assert_allclose(world.state.arms["left"].position, before, atol=0.01)


def test_reset_is_refused_while_the_arm_moves(world: World) -> None:
    arm = WorldArm(world, "left")
    arm.servo(arm.read().position + 0.5, ServoParameters(duration=5.0))
    wait_for(lambda: np.abs(arm.read().velocity).max() > 0.08, "motion")
    with pytest.raises(StateError, match=r"The arm moves at .* HOME"):
        world.reset(2)


def test_reset_is_refused_with_the_tool_in_the_start_zone(world: World) -> None:
    from hiors_core.kinematics import ArmKinematics

    arm = WorldArm(world, "left")
    chain = ArmKinematics(world.sim.robot.arms[0])
    pose = chain.forward(arm.read().position)
    pose[:3] = [*world.sim.task.scene.start_center, 0.16]
    solution = chain.inverse(pose, arm.read().position, iterations=60)
    assert solution.converged
    arm.servo(solution.q, ServoParameters(duration=1.0))
    wait_for(
        lambda: (
            np.abs(arm.read().position - solution.q).max() < 0.02
            and np.abs(arm.read().velocity).max() < 0.02
        ),
        "the start zone",
    )
    with pytest.raises(StateError, match="where things are to appear"):
        world.reset(2)


def test_unknown_arm_is_named(world: World) -> None:
    with pytest.raises(HiorsError, match=r"Unknown arm 'right'. Allowed: left"):
        WorldArm(world, "right")


def test_cameras_deliver_pictures_with_growing_stamps(world: World) -> None:
    pictures: list[tuple[str, tuple[int, ...], int]] = []
    loop = CameraLoop(
        world.sim,
        ["top", "left_wrist"],
        (64, 48),
        20.0,
        SteadyClock(),
        lambda name, image, stamp: pictures.append((name, image.shape, stamp)),
    )
    wait_for(lambda: len(pictures) >= 4 or loop.failure is not None, "pictures")
    loop.close()
    if loop.failure:
        pytest.skip(loop.failure)
    assert {p[0] for p in pictures} == {"top", "left_wrist"}
    assert pictures[0][1] == (48, 64, 3)
    assert pictures[0][2] == pictures[1][2] < pictures[2][2]
