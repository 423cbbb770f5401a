# SPDX-License-Identifier: Apache-2.0
"""Mishaps happen once, and the scripted person gets over each of them."""

from pathlib import Path

import numpy as np
import pytest

from hiors_bench.probes import REACH, grid, placed, probes
from hiors_core.errors import InvalidValue
from hiors_core.robot import load_robot
from hiors_sim.environment import FastEnvironment
from hiors_sim.operator import OperatorSettings, ScriptedOperator
from hiors_sim.rollout import RolloutPlan, RolloutResult, episode_steps
from hiors_sim.task import load_sim_task

CONFIG = Path(__file__).parents[3] / "config"
ROBOT = load_robot(CONFIG / "robots/xtrainer.yaml", ["left"])
TASK = load_sim_task(CONFIG / "tasks/insert_moisturizer.yaml")


def shown(disturb, seed: int = 3) -> tuple[RolloutResult, list[np.ndarray]]:
    """Return a demonstration with a mishap, and how far the box jumped at each tick."""
    environment = FastEnvironment(ROBOT, TASK)
    jumps = []

    def watched(env: FastEnvironment) -> None:
        before = env.state.objects["box"][:2]
        disturb(env)
        jumps.append(float(np.linalg.norm(env.state.objects["box"][:2] - before)))

    operator = ScriptedOperator(TASK, ROBOT.arms[0], OperatorSettings(start_pause=(0.0, 0.0)))
    plan = RolloutPlan(seed=seed, demonstrate=True, disturb=watched)
    with pytest.raises(StopIteration) as end:
        next(episode_steps(environment, None, operator, plan=plan))
    return end.value.value, jumps


@pytest.mark.parametrize("name", ["slipped", "pushed", "beside the hole"])
def test_a_mishap_happens_once_and_can_be_recovered(name: str) -> None:
    result, jumps = shown(probes(TASK)[name](TASK, 3))
    assert sum(jump > 0.015 for jump in jumps) == 1
    assert result.success


def test_the_same_seed_gives_the_same_mishap() -> None:
    first, again = (shown(probes(TASK)["slipped"](TASK, 5), seed=5)[0] for _ in range(2))
    assert first.duration == again.duration


def test_the_grid_reaches_beyond_the_zone_of_the_demonstrations() -> None:
    starts = grid(TASK, 5)
    away = np.array([(s.x, s.y) for s in starts]) - TASK.scene.start_center
    within = np.all(np.abs(away) <= TASK.scene.start_size / 2 + 1e-9, axis=1)
    assert [s.inside for s in starts] == within.tolist()
    assert within.sum() == 9
    assert np.abs(away).max(axis=0) == pytest.approx(TASK.scene.start_size / 2 * REACH)
    assert grid(TASK, 0) == []


def test_a_start_of_the_grid_is_where_the_box_stands() -> None:
    environment, start = FastEnvironment(ROBOT, TASK), grid(TASK, 3)[0]
    put = placed(TASK, start, 4)
    put(environment)
    assert environment.observe().objects["box"][:2] == pytest.approx((start.x, start.y))
    environment.reset(1)
    put(environment)
    assert environment.observe().objects["box"][:2] != pytest.approx((start.x, start.y))


def test_a_task_without_a_box_has_no_probes() -> None:
    other = load_sim_task(CONFIG / "tasks/raise_hand.yaml")
    assert probes(other) == {}
    assert grid(other, 3) == []
    with pytest.raises(InvalidValue, match="raise_hand has no box"):
        placed(other, grid(TASK, 1)[0], 0)
