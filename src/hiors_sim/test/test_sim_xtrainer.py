# SPDX-License-Identifier: Apache-2.0
"""The simulated robot and scene: kinematics, contacts, reset, success, threads."""

import threading
from pathlib import Path

import mujoco
import numpy as np
import pytest
from numpy.typing import NDArray

from hiors_core.errors import InvalidValue, UnknownName
from hiors_core.kinematics import ArmKinematics
from hiors_core.robot import RobotModel, load_robot
from hiors_sim.angles import quarter_turn, yaw_of
from hiors_sim.insert.judge import InsertJudge
from hiors_sim.insert.mjcf import BOX_JOINTS
from hiors_sim.servo import ServoParameters
from hiors_sim.task import SimTask, load_sim_task
from hiors_sim.xtrainer import XTrainerSim

Array = NDArray[np.float64]
CONFIG = Path(__file__).parents[3] / "config"


@pytest.fixture(scope="module")
def robot() -> RobotModel:
    return load_robot(CONFIG / "robots" / "xtrainer.yaml", ["left"])


@pytest.fixture(scope="module")
def task() -> SimTask:
    return load_sim_task(CONFIG / "tasks" / "insert_moisturizer.yaml")


@pytest.fixture
def sim(robot: RobotModel, task: SimTask) -> XTrainerSim:
    return XTrainerSim(robot, task, seed=3)


def test_the_model_has_the_kinematics_of_the_robot_file(task: SimTask) -> None:
    both = load_robot(CONFIG / "robots" / "xtrainer.yaml")
    sim = XTrainerSim(both, task)
    data = mujoco.MjData(sim.model)
    rng = np.random.default_rng(0)
    for arm in both.arms:
        kinematics = ArmKinematics(arm)
        base = sim.model.body(f"{arm.name}_base").id
        site = sim.model.site(f"{arm.name}_tool").id
        for _ in range(200):
            q = rng.uniform(arm.limits.lower, arm.limits.upper)
            data.qpos[[sim.model.joint(name).qposadr[0] for name in arm.joints]] = q
            mujoco.mj_kinematics(sim.model, data)
            turn = data.xmat[base].reshape(3, 3)
            expected = kinematics.matrix(q)
            point = turn.T @ (data.site_xpos[site] - data.xpos[base])
            np.testing.assert_allclose(point, expected[:3, 3], atol=1e-4)
            np.testing.assert_allclose(
                turn.T @ data.site_xmat[site].reshape(3, 3), expected[:3, :3], atol=1e-6
            )


def test_the_measured_tool_is_the_forward_kinematics(sim: XTrainerSim, robot: RobotModel) -> None:
    arm = robot.arms[0]
    sim.set_targets(arm.home + 0.1, 0.5)
    sim.step(0.3)
    state = sim.state().arms["left"]
    expected = ArmKinematics(arm).forward(state.position)
    np.testing.assert_allclose(state.tool[:3], expected[:3], atol=1e-6)
    assert abs(state.tool[3:] @ expected[3:]) == pytest.approx(1.0, abs=1e-9)


def test_arms_reach_their_targets_and_grippers_theirs(sim: XTrainerSim, robot: RobotModel) -> None:
    target = robot.arms[0].home + np.array([0.2, -0.1, 0.1, 0.2, -0.2, 0.3])
    sim.servo_j(target, ServoParameters(duration=0.5))
    sim.set_gripper(0.4)
    sim.step(1.5)
    state = sim.state().arms["left"]
    np.testing.assert_allclose(state.position, target, atol=1e-3)
    np.testing.assert_allclose(state.velocity, 0.0, atol=1e-3)
    assert state.gripper == pytest.approx(0.4, abs=0.01)


def test_a_gripper_closes_on_the_box_and_lifts_it(
    sim: XTrainerSim, robot: RobotModel, task: SimTask
) -> None:
    kinematics = ArmKinematics(robot.arms[0])
    x, y = task.scene.start_center
    sim.place_box(float(x), float(y), 0.0)

    def go(height: float, gripper: float, seconds: float) -> None:
        pose = kinematics.forward(robot.arms[0].home)
        pose[:3] = x, y, height
        found = kinematics.inverse(pose, sim.state().arms["left"].position)
        sim.servo_j(found.q, ServoParameters(duration=0.8 * seconds))
        sim.set_gripper(gripper)
        sim.step(seconds)

    go(0.17, 1.0, 1.5)
    go(0.10, 1.0, 1.0)
    go(0.10, 0.0, 0.6)
    held = sim.state().arms["left"]
    assert 0.07 < held.gripper < 0.2
    assert held.gripper_load > 5.0
    go(0.16, 0.0, 1.0)
    assert sim.state().objects["box"][2] == pytest.approx(0.15, abs=0.005)
    go(0.16, 1.0, 0.6)
    assert sim.state().objects["box"][2] == pytest.approx(0.09, abs=0.002)


def drop_into_hole(sim: XTrainerSim, task: SimTask, dx: float, yaw: float = 0.0) -> Array:
    x, y = task.scene.hole_position
    sim.place_box(float(x) + dx, float(y), yaw, z=task.scene.plate_height + 0.045)
    sim.step(0.6)
    return sim.state().objects["box"]


def test_the_hole_takes_the_box_only_where_it_fits(sim: XTrainerSim, task: SimTask) -> None:
    judge, hole = InsertJudge(task.scene), sim.state().objects["hole"]
    assert judge.seated(drop_into_hole(sim, task, 0.0), hole)
    assert judge.seated(drop_into_hole(sim, task, 0.0035), hole), "the chamfer should guide it"
    assert not judge.seated(drop_into_hole(sim, task, 0.010), hole)
    assert not judge.seated(drop_into_hole(sim, task, 0.0, yaw=0.6), hole)


def test_success_needs_a_released_box_and_a_gripper_away(
    sim: XTrainerSim, task: SimTask, robot: RobotModel
) -> None:
    drop_into_hole(sim, task, 0.0)
    assert sim.success()
    assert sim.state().success
    sim.set_gripper(0.0)
    sim.step(0.5)
    assert not sim.success()


def test_a_box_off_the_plate_is_lost(sim: XTrainerSim, task: SimTask) -> None:
    assert not sim.failed()
    edge = task.scene.plate_center[0] - task.scene.plate_size[0] / 2
    sim.place_box(float(edge) - 0.05, -0.37, 0.0)
    assert sim.failed()


def test_reset_is_random_by_seed_and_within_the_zone(sim: XTrainerSim, task: SimTask) -> None:
    scene = task.scene
    starts = []
    for seed in range(40):
        sim.reset(seed)
        box = sim.state().objects["box"]
        starts.append([*box[:2], yaw_of(box)])
        inside = np.abs(box[:2] - scene.start_center) <= scene.start_size / 2
        assert inside.all()
        assert abs(yaw_of(box)) <= scene.start_yaw
    assert np.ptp(starts, axis=0).min() > 0.08
    sim.reset(7)
    np.testing.assert_array_equal(sim.state().objects["box"][:2], starts[7][:2])


def test_time_goes_on_over_a_reset_and_arms_may_stay(sim: XTrainerSim, robot: RobotModel) -> None:
    sim.set_targets(robot.arms[0].home + 0.2, 0.0)
    sim.step(1.0)
    before = sim.state()
    sim.reset(1, arms=False)
    np.testing.assert_allclose(
        sim.state().arms["left"].position, before.arms["left"].position, atol=1e-9
    )
    sim.reset(1)
    assert sim.state().time >= before.time
    np.testing.assert_allclose(sim.state().arms["left"].position, robot.arms[0].home, atol=1e-9)


def test_steps_of_any_length_add_up(sim: XTrainerSim) -> None:
    start = sim.state().time
    for _ in range(300):
        sim.step(1 / 300)
    assert sim.state().time - start == pytest.approx(1.0, abs=1 / 200)


def test_the_box_cannot_tip(sim: XTrainerSim) -> None:
    names = {sim.model.joint(i).name for i in range(sim.model.njnt)}
    assert {n for n in names if n.startswith("box")} == set(BOX_JOINTS)


def test_wrong_targets_are_refused(sim: XTrainerSim) -> None:
    with pytest.raises(UnknownName, match="arm 'right'"):
        sim.set_gripper(0.5, "right")
    with pytest.raises(InvalidValue, match=r"0 \.\. 1"):
        sim.set_gripper(1.2)
    with pytest.raises(InvalidValue, match="finite angles"):
        sim.set_targets(np.full(6, np.inf), 1.0)


def test_one_thread_steps_while_others_command_and_read(
    sim: XTrainerSim, robot: RobotModel
) -> None:
    home = robot.arms[0].home
    errors: list[BaseException] = []

    def command() -> None:
        try:
            for k in range(200):
                sim.set_targets(home + 0.0005 * k, 1.0)
                assert np.isfinite(sim.state().arms["left"].tool).all()
                assert sim.snapshot().shape == (sim.model.nq,)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=command) for _ in range(2)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        sim.step(1 / 240)
    assert not errors
    sim.step(1.0)
    np.testing.assert_allclose(sim.state().arms["left"].position, home + 0.0995, atol=2e-3)


def test_quarter_turn_knows_the_square() -> None:
    assert quarter_turn(np.pi / 2 + 0.1) == pytest.approx(0.1)
    assert quarter_turn(-np.pi + 0.2) == pytest.approx(0.2)
