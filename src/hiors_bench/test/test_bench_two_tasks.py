# SPDX-License-Identifier: Apache-2.0
"""One agent for two tasks of a robot."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hiors_bench.arms import ARMS
from hiors_bench.experiment import perform
from hiors_bench.runs import START, BenchFolder, Job
from hiors_bench.settings import SMOKE, BenchSettings
from hiors_bench.tables import report
from hiors_bench.two_tasks import Place, TwoTasks, twice
from hiors_bench.world import World
from hiors_core.errors import InvalidValue
from hiors_learner.trajectory import make_trajectory

CONFIG = Path(__file__).parents[3] / "config"
ARM = ARMS["two_tasks"]
TINY = replace(SMOKE, start_steps=3, evaluations=1, limits=(0.1, 1.0), probe_evaluations=0, grid=0)


def both() -> TwoTasks:
    worlds = [World(CONFIG, task, TINY) for task in (ARM.task, ARM.beside)]
    return TwoTasks(worlds, ARM, 0)


def test_each_task_has_a_flag_and_features_of_its_own() -> None:
    place = Place(index=1, begin=5, size=2, total=7)
    found = place.states(np.array([[3.0, 4.0]], np.float32))
    assert found.tolist() == [[0.0, 1.0, 0.0, 0.0, 0.0, 3.0, 4.0]]


def test_each_task_keeps_its_threshold_and_its_no_op_filter() -> None:
    """What raising the hand calls a motion may be a no-op in packing."""
    tasks = both()
    agent = tasks.agent
    for i, (name, kept) in enumerate(((ARM.task, 2), (ARM.beside, 11))):
        width = World(CONFIG, name, TINY).spec.features
        slow = make_trajectory(
            np.zeros((41, width)), np.zeros((40, agent.spec.actions)), np.zeros(40, bool),
            [*np.zeros(39), 1.0], dt=0.1, task=name, demonstration=True,
            motion=[0.005, *np.full(9, 0.003), *np.zeros(30)],
        )  # fmt: skip
        assert agent.add(tasks.seen(i, slow)).rows == kept
    rules = agent.settings.rules
    assert rules.rule(ARM.task).threshold == World(CONFIG, ARM.task, TINY).task.threshold
    assert set(rules.tasks) == {ARM.task, ARM.beside}


def test_one_policy_is_for_one_robot() -> None:
    worlds = [World(CONFIG, task, TINY) for task in ("raise_hand", "insert_moisturizer_ee")]
    with pytest.raises(InvalidValue, match="one robot"):
        TwoTasks(worlds, ARM, 0)


def test_two_tasks_have_twice_the_budget() -> None:
    usual = BenchSettings()
    doubled = twice(usual)
    assert (doubled.frames, doubled.start_steps) == (2 * usual.frames, 2 * usual.start_steps)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_run_tells_of_both_tasks(tmp_path: Path) -> None:
    folder = BenchFolder(tmp_path / "out")
    folder.create(TINY)
    for task in (ARM.task, ARM.beside):
        perform(folder, CONFIG, Job(task, START, 0))
    job = Job(ARM.task, "two_tasks", 0)
    perform(folder, CONFIG, job)
    record = folder.load(job)
    assert record["episodes"] == 2
    assert [(part["task"], part["n"]) for part in record["beside"]] == [(ARM.beside, 1)]
    assert "Two tasks in one policy" in report([record], "")
