# SPDX-License-Identifier: Apache-2.0
import argparse
from pathlib import Path

import pytest

from hiors_bench.arms import (
    ABLATION,
    ARMS,
    COMPARISON,
    GROUPS,
    LEFT_OUT,
    REFERENCE,
    choose,
    needed,
)
from hiors_bench.command import design, main, parse, plan, seeds
from hiors_bench.runs import START, Job
from hiors_bench.settings import SMOKE, BenchSettings, from_json, to_json
from hiors_core.errors import HiorsError, InvalidValue, UnknownName

CONFIG = Path(__file__).parents[3] / "config"
TASKS = ["insert_moisturizer", "pack_detergent", "raise_hand"]


def options(*words: str) -> argparse.Namespace:
    return parse(words, argparse.ArgumentParser())


def test_every_arm_is_compared_with_one_that_exists() -> None:
    for arm in ARMS.values():
        assert arm.against in ARMS
        assert arm.group in GROUPS


def test_each_ablation_differs_from_its_counterpart_in_one_thing() -> None:
    names = (
        "watched", "outcome_filter", "noop_filter", "short_filter", "lead_ups", "rate", "schedule",
        "reward", "wrong", "slips", "second_look", "rule", "beside", "head", "data",
    )  # fmt: skip
    for name, arm in ARMS.items():
        if arm.group in LEFT_OUT:
            other = ARMS[arm.against]
            changed = [n for n in names if getattr(arm, n) != getattr(other, n)]
            assert len(changed) == 1, f"{name} differs in {changed}"
            assert arm.method == other.method


def test_arms_are_chosen_by_name_and_by_group() -> None:
    assert choose(["bc_human", "hi_ors"]) == ["hi_ors", "bc_human"]
    assert choose(["all"]) == list(ARMS)
    assert choose(GROUPS) == list(ARMS)
    assert set(choose([COMPARISON])).isdisjoint(choose([ABLATION]))
    with pytest.raises(UnknownName, match="Did you mean 'hi_ors'"):
        choose(["hi_or"])
    with pytest.raises(InvalidValue, match="No arm is named"):
        choose([])


def test_behaviour_cloning_brings_the_arm_that_it_takes_its_budget_from() -> None:
    assert needed(["bc_total"]) == [REFERENCE, "bc_total"]
    assert needed(["no_correction"]) == ["no_correction"]


@pytest.mark.parametrize(
    ("words", "found"), [(["3"], [3]), (["0-2"], [0, 1, 2]), (["4", "0-1", "4"], [0, 1, 4])]
)
def test_seeds_are_numbers_and_ranges(words: list[str], found: list[int]) -> None:
    assert seeds(words) == found


@pytest.mark.parametrize("word", ["x", "-1", "1-", "3-1", "1.5", "0-99999", ""])
def test_seeds_that_do_not_exist_are_refused(word: str) -> None:
    with pytest.raises(InvalidValue, match="--seeds"):
        seeds([word])


def test_ablations_run_on_the_first_task_unless_arms_are_named() -> None:
    jobs = plan(["all"], None, [0], ["pack_detergent", "insert_moisturizer_ee"])
    ablated = {job.task for job in jobs if job.arm in choose([ABLATION])}
    compared = {job.task for job in jobs if job.arm == REFERENCE}
    assert ablated == {"insert_moisturizer_ee"}
    assert compared == {"insert_moisturizer_ee", "pack_detergent"}
    assert "qc" not in {job.arm for job in jobs}
    named = plan(TASKS[:2], ["no_correction"], [0], TASKS)
    assert {job.task for job in named} == set(TASKS[:2])


def test_an_arm_with_a_task_of_its_own_runs_there_beside_its_counterpart() -> None:
    jobs = plan(
        ["insert_moisturizer"], ["lower_bound", "wrong_05"], [0], [*TASKS, "insert_slippery"]
    )
    there = {job.arm for job in jobs if job.task == "insert_slippery"}
    assert there == {START, REFERENCE, "lower_bound"}
    assert {j.arm for j in jobs if j.task == "insert_moisturizer"} == {START, "wrong_05"}


def test_the_comparison_on_the_first_task_is_done_for_all_seeds_before_anything_else() -> None:
    jobs = list(plan(["all"], [COMPARISON, ABLATION], [0, 1], TASKS[:2]))
    turns = [(j.task != TASKS[0], j.arm != START and ARMS[j.arm].group == ABLATION) for j in jobs]
    first = [turn[0] for turn in turns]
    assert first == sorted(first)
    mine = [turn[1] for turn in turns if not turn[0]]
    assert mine == sorted(mine)
    assert {job.seed for job, turn in zip(jobs, turns, strict=True) if turn == (False, False)} == {
        0,
        1,
    }


def test_a_policy_of_two_tasks_needs_the_starts_of_both_and_is_compared_on_both() -> None:
    jobs = plan(["insert_moisturizer"], ["two_tasks"], [0], TASKS)
    both = ("pack_detergent", "raise_hand")
    needed_first = jobs[Job("pack_detergent", "two_tasks", 0)]
    assert set(needed_first) == {Job(task, START, 0) for task in both}
    assert {Job(task, REFERENCE, 0) for task in both} <= set(jobs)
    with pytest.raises(UnknownName, match="two_tasks needs it"):
        plan(["insert_moisturizer"], ["two_tasks"], [0], TASKS[:2])


def test_a_job_comes_after_those_it_needs() -> None:
    jobs = plan(["insert_moisturizer"], ["bc_total"], [7], TASKS)
    order = list(jobs)
    cloning = Job("insert_moisturizer", "bc_total", 7)
    assert jobs[cloning] == [
        Job("insert_moisturizer", START, 7),
        Job("insert_moisturizer", REFERENCE, 7),
    ]
    for job, before in jobs.items():
        assert all(order.index(b) < order.index(job) for b in before)


def test_a_task_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UnknownName, match="raise_hand"):
        plan(["raise_hands"], None, [0], TASKS)


def test_the_design_is_the_frozen_one_unless_options_change_it() -> None:
    assert design(options()) == BenchSettings()
    assert design(options("--smoke")) == SMOKE
    assert design(options("--frames", "500")).frames == 500
    by_episodes = design(options("--episodes", "6"))
    assert (by_episodes.frames, by_episodes.episodes) == (0, 6)
    assert design(options("--evaluations", "7")).evaluations == 7
    paced = design(options("--utd", "2.5", "--start-steps", "40"))
    assert (paced.utd, paced.start_steps) == (2.5, 40)
    with pytest.raises(InvalidValue, match="--frames must be at least 1, got 0"):
        design(options("--frames", "0"))
    with pytest.raises(InvalidValue, match="--start-steps must be at least 1, got 0"):
        design(options("--start-steps", "0"))
    with pytest.raises(InvalidValue, match="utd must be within 0"):
        design(options("--utd", "nan"))
    with pytest.raises(InvalidValue, match="--jobs must be at least 1"):
        options("--jobs", "0")


def test_settings_come_back_from_json() -> None:
    assert from_json(to_json(SMOKE)) == SMOKE
    with pytest.raises(InvalidValue, match=r"another version.*extra"):
        from_json({**to_json(SMOKE), "extra": 1})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"limits": (0.5, 0.9)}, "limits must rise and contain 1.0"),
        ({"glitch": 1.5}, "glitch must be within 0 .. 1"),
        ({"demonstrations": 0}, "demonstrations must be at least 1"),
        ({"frames": 0}, "nothing would be collected"),
    ],
)
def test_an_impossible_design_is_refused(change: dict, message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        BenchSettings(**change)


@pytest.mark.parametrize(
    "words", [["--tasks", "juggle"], ["--arms", "ppo"], ["--seeds", "one"], ["--episodes", "0"]]
)
def test_wrong_words_leave_no_folder(words: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(HiorsError):
        main([*words, "--out", str(out)], CONFIG, argparse.ArgumentParser())
    assert not out.exists()
