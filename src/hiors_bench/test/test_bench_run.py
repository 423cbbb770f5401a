# SPDX-License-Identifier: Apache-2.0
"""Whole runs, as short as they can be: each part of the loop once."""

import argparse
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from hiors_bench.arms import ARMS, REFERENCE
from hiors_bench.command import main
from hiors_bench.experiment import DEMONSTRATIONS, classifier, perform
from hiors_bench.lab import open_lab
from hiors_bench.methods import distillation
from hiors_bench.runs import RESULTS, START, BenchFolder, Job
from hiors_bench.settings import SMOKE, BenchSettings
from hiors_bench.world import Seeds, World, tasks
from hiors_core.errors import InvalidValue, UnknownName
from hiors_learner.trajectory import make_trajectory

CONFIG = Path(__file__).parents[3] / "config"
TASK = "insert_moisturizer_ee"
TINY = replace(
    SMOKE, start_steps=3, episodes=1, evaluations=1, limits=(0.1, 1.0), probe_evaluations=0, grid=0
)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> BenchFolder:
    """A benchmark whose demonstrations are there."""
    folder = BenchFolder(tmp_path_factory.mktemp("bench") / "out")
    folder.create(TINY)
    perform(folder, CONFIG, Job(TASK, START, 0))
    return folder


def counts(record: dict) -> dict:
    return {key: value for key, value in record.items() if key not in ("wall_s", "cpu_s")}


def run(folder: BenchFolder, arm: str) -> dict:
    perform(folder, CONFIG, Job(TASK, arm, 0))
    return folder.load(Job(TASK, arm, 0))


def test_a_run_is_the_same_when_it_is_repeated(started: BenchFolder) -> None:
    first, again = run(started, REFERENCE), run(started, REFERENCE)
    assert counts(first) == counts(again)
    assert first["success"]["n"] == 1
    assert [w["seconds"] for w in first["within"]] == [1.2, 12.0]
    assert first["steps"] == first["frames"] > first["human_frames"] >= 0
    assert first["episodes"] == 1
    assert 0 < first["rows"] < first["transitions"] < first["frames"]
    assert [p["frames"] for p in first["curve"]] == [0, first["frames"]]
    assert first["cpu_s"] > 0.0


def test_the_start_says_what_the_filters_left(started: BenchFolder) -> None:
    start = started.load(Job(TASK, START, 0))
    assert 0 < start["rows"] < start["transitions"] <= start["frames"]


def test_cloning_takes_its_budget_from_the_reference(started: BenchFolder) -> None:
    reference = run(started, REFERENCE)
    cloned, initial = run(started, "bc_total"), run(started, "bc_initial")
    assert cloned["steps"] == initial["steps"] == reference["steps"]
    assert cloned["frames"] == cloned["human_frames"] >= reference["frames"]
    assert initial["frames"] == initial["episodes"] == 0


def test_a_threshold_that_nobody_reaches_is_said_and_learning_goes_on(tmp_path: Path) -> None:
    """The set of accepted episodes stays empty: the demonstrations are all there is."""
    config = tmp_path / "config"
    shutil.copytree(CONFIG, config)
    path = config / "tasks" / "insert_moisturizer.yaml"
    text = path.read_text()
    assert "\n  m: 0.7 " in text
    path.write_text(text.replace("\n  m: 0.7 ", "\n  m: 7.0 "))
    folder = BenchFolder(tmp_path / "out")
    folder.create(TINY)
    for arm in (START, REFERENCE):
        perform(folder, config, Job(TASK, arm, 0))
    record = folder.load(Job(TASK, REFERENCE, 0))
    assert record["accepted"] == 0
    assert record["steps"] == record["frames"] > 0
    assert record["status"].startswith("none of 1 episodes was accepted, most often: return")


def test_each_ablation_changes_what_it_says() -> None:
    world = World(CONFIG, TASK, BenchSettings())
    usual = distillation(world, ARMS[REFERENCE])
    assert usual.rules.default.threshold == world.task.threshold
    assert usual.noop_threshold == world.task.noop_threshold > 0.0
    assert distillation(world, ARMS["no_outcome_filter"]).rules.default.threshold < -1e6
    assert distillation(world, ARMS["no_noop_filter"]).noop_threshold == 0.0
    short = distillation(world, ARMS["no_short_filter"]).rules.default
    assert (short.min_length, short.min_transitions) == (0.0, 0)
    cyclical = distillation(world, ARMS["cyclical"]).optimizer
    assert (cyclical.schedule, cyclical.period) == ("cyclical", world.settings.cycle)
    assert usual.network.head == "flow"
    assert distillation(world, ARMS["token_initial"]).network.head == "token"
    for arm, rates in {"fixed_low": (2.5, 2.5), "fixed_high": (10.0, 10.0)}.items():
        task = world.environment(ARMS[arm]).task.task
        assert (task.f_low, task.f_high) == rates


def test_no_two_kinds_of_episodes_share_a_seed() -> None:
    one, other = Seeds(0), Seeds(1)
    sets = [{s.demonstration(i) for i in range(100)} for s in (one, other)]
    sets += [{s.online(i) for i in range(100)} for s in (one, other)]
    sets += [set(s.evaluation(100)) for s in (one, other)]
    sets += [set(s.curve(100)) | set(s.probe(100)) for s in (one, other)]
    sets += [{s.extra(i) for i in range(100)} for s in (one, other)]
    assert len(set.union(*sets)) == sum(map(len, sets))


def test_a_policy_in_joints_sees_the_joints() -> None:
    joint = World(CONFIG, "insert_moisturizer", TINY)
    pose = World(CONFIG, TASK, TINY)
    assert joint.learner.policy.kind == "joint"
    assert "joints" in joint.learner.policy.features
    assert "joints" not in pose.learner.policy.features
    with pytest.raises(UnknownName, match="insert_moisturizer"):
        World(CONFIG, "insert_moisturiser", TINY)
    assert {"insert_moisturizer", "raise_hand", "pack_detergent"} <= set(tasks(CONFIG))


def test_the_learned_reward_knows_the_end_of_a_demonstration(started: BenchFolder) -> None:
    lab = open_lab(World(CONFIG, TASK, TINY), ARMS[REFERENCE], 0)
    shown = list(lab.recorded(started.start(TASK, 0) / DEMONSTRATIONS))
    judge = classifier(shown, seed=0)
    for one in shown:
        assert judge(replace(one, rewards=0 * one.rewards)).episode_return == 1.0
        half = len(one) // 2
        begun = make_trajectory(
            one.states[: half + 1], one.actions[:half], one.human[:half], one.rewards[:half],
            dt=one.dt,
        )  # fmt: skip
        assert judge(begun).episode_return == 0.0
    with pytest.raises(InvalidValue, match="no episode to learn a reward from"):
        classifier([], seed=0)


def smoke(out: Path, *more: str) -> dict[str, dict]:
    """Return what the smoke run found, by task and arm."""
    words = ["--smoke", "--jobs", "2", "--out", str(out), *more]
    assert main(words, CONFIG, argparse.ArgumentParser()) == 0
    found = json.loads((out / RESULTS).read_text())["runs"]
    return {f"{r['task']} {r['arm']}": counts(r) for r in found}


@pytest.mark.timeout(900)
def test_the_smoke_run_goes_through_all_arms_and_is_not_done_twice(tmp_path: Path, capsys) -> None:
    first = smoke(tmp_path / "out")
    assert {r["arm"] for r in first.values()} == set(ARMS)
    capsys.readouterr()
    assert smoke(tmp_path / "out") == first
    assert "finished before" in capsys.readouterr().out
    again = smoke(tmp_path / "again", "--arms", REFERENCE, "hil_serl")
    assert again == {name: first[name] for name in again}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_arm_finds_the_same_when_it_is_repeated(tmp_path: Path) -> None:
    assert smoke(tmp_path / "one") == smoke(tmp_path / "other")
