# SPDX-License-Identifier: Apache-2.0
"""Chance in the insertion: the box slips, the same way for the same seed."""

from dataclasses import replace
from pathlib import Path

import pytest

from hiors_core.robot import RobotModel, load_robot
from hiors_sim.environment import FastEnvironment
from hiors_sim.insert.task import InsertTask
from hiors_sim.operator import ScriptedOperator
from hiors_sim.rollout import RolloutResult, rollout
from hiors_sim.task import load_sim_task

CONFIG = Path(__file__).parents[3] / "config"


@pytest.fixture(scope="module")
def robot() -> RobotModel:
    return load_robot(CONFIG / "robots" / "xtrainer.yaml", ["left"])


@pytest.fixture(scope="module")
def task() -> InsertTask:
    loaded = load_sim_task(CONFIG / "tasks" / "insert_slippery.yaml")
    assert isinstance(loaded, InsertTask)
    return loaded


def attempts(robot: RobotModel, task: InsertTask, rate: float) -> list[RolloutResult]:
    slippery = replace(task, scene=replace(task.scene, slip_rate=rate, slip_speed=1.0))
    environment = FastEnvironment(robot, slippery)
    operator = ScriptedOperator(slippery, robot.arms[0])
    return [rollout(environment, operator=operator, seed=seed) for seed in range(3)]


def test_a_box_that_always_slips_is_never_inserted(robot: RobotModel, task: InsertTask) -> None:
    assert not any(r.success for r in attempts(robot, task, 10.0))


def test_chance_belongs_to_the_seed_and_can_be_made_up_for(
    robot: RobotModel, task: InsertTask
) -> None:
    dry = [r.duration for r in attempts(robot, task, 0.0)]
    first, second = (attempts(robot, task, 0.6) for _ in range(2))
    assert [r.duration for r in first] == [r.duration for r in second]
    longer = [r for r, usual in zip(first, dry, strict=True) if r.duration > usual + 0.5]
    assert longer
    assert any(r.success for r in first)


def test_only_the_variant_slips(task: InsertTask) -> None:
    usual = load_sim_task(CONFIG / "tasks" / "insert_moisturizer.yaml")
    assert isinstance(usual, InsertTask)
    assert usual.scene.slip_rate == 0.0
    assert task.scene.slip_rate > 0.0
    assert replace(usual.scene, slip_rate=1.0).hole_depth == task.scene.hole_depth
