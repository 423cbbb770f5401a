# SPDX-License-Identifier: Apache-2.0
import math

import pytest

from hiors_core.acceptance import (
    AcceptanceRule,
    AcceptanceRules,
    Summary,
    accept,
    decision_from_json,
    decision_to_json,
)
from hiors_core.errors import IntegrityError, InvalidValue, UnknownName
from hiors_core.label import Label, Outcome, judge


def summary(label=None, **changes):
    fields = {"length": 6.0, "transitions": 20, "moving": 18, **changes}
    return Summary(episode_id="e1", task="insert", label=label or judge(Outcome.SUCCESS), **fields)


def returned(value):
    return judge(Outcome.RETURN, episode_return=value)


@pytest.mark.parametrize(("value", "kept"), [(0.7, True), (0.699, False), (0.71, True)])
def test_the_indicator_of_eq_3_keeps_a_return_equal_to_m(value, kept):
    decision = accept(summary(returned(value)), AcceptanceRule(threshold=0.7), k=0)
    assert decision.accepted is kept
    assert decision.threshold == 0.7
    assert decision.reasons


def test_stage_rewards_that_add_up_to_m_on_paper_reach_it():
    label = judge(Outcome.RETURN, stage_rewards=[0.1] * 10)
    assert label.episode_return < 1.0
    assert accept(summary(label), AcceptanceRule(threshold=1.0), k=0).accepted


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"label": Label()}, "not labelled"),
        ({"label": judge(Outcome.DISCARD, labeler="li")}, "discarded by li"),
        ({"label": judge(Outcome.FAILURE)}, "below m"),
        ({"length": 0.99}, "L_min"),
        ({"length": 0.0}, "L_min"),
        ({"moving": 2}, "2 of 20 transitions move"),
        ({"moving": 0, "transitions": 0}, "0 of 0"),
        ({"aborted": True}, "aborted"),
        ({"max_gap": 0.6}, "gap of 0.60 s"),
        ({"missing": 0.3}, "30.0% of the control ticks"),
    ],
)
def test_every_ground_for_rejection_is_written(changes, word):
    decision = accept(summary(**changes), AcceptanceRule(), k=0)
    assert not decision.accepted
    assert any(word in reason for reason in decision.reasons)


def test_all_grounds_are_written_together():
    bad = summary(judge(Outcome.FAILURE), length=0.1, moving=0, aborted=True)
    assert len(accept(bad, AcceptanceRule(), k=0).reasons) == 4


def test_limits_themselves_are_accepted():
    edge = summary(length=1.0, moving=3, max_gap=0.5, missing=0.2)
    assert accept(edge, AcceptanceRule(), k=0).accepted


def test_the_decision_says_which_label_it_judged():
    label = Label(outcome=Outcome.SUCCESS, episode_return=1.0, revision=4)
    decision = accept(summary(label), AcceptanceRule(), k=7)
    assert (decision.revision, decision.k, decision.outcome) == (4, 7, Outcome.SUCCESS)


def test_the_progressive_schedule_rises_by_stages_and_stays_at_its_last():
    rule = AcceptanceRule(schedule="progressive", thresholds=(0.2, 0.5, 0.9), stage_episodes=10)
    assert [rule.level(k) for k in (0, 9, 10, 19, 20, 1000)] == [0.2, 0.2, 0.5, 0.5, 0.9, 0.9]


@pytest.mark.parametrize(
    "fields",
    [
        {"schedule": "progressive", "thresholds": (0.5, 0.4)},
        {"schedule": "progressive"},
        {"threshold": math.nan},
        {"schedule": "progressive", "thresholds": (0.1, math.inf)},
        {"quantile": 1.5},
        {"stage_episodes": 0},
        {"max_missing": -0.1},
        {"min_length": math.nan},
    ],
)
def test_a_senseless_rule_is_refused(fields):
    with pytest.raises(InvalidValue):
        AcceptanceRule(**fields)


def test_an_unknown_schedule_names_the_nearest():
    with pytest.raises(UnknownName, match="Did you mean 'quantile'"):
        AcceptanceRule(schedule="quantil")


@pytest.mark.parametrize(
    ("returns", "level"),
    [
        ([], 0.3),
        ([0.0], 0.3),
        ([1.0], 1.0),
        ([0.0, 0.2, 0.4, 0.6, 1.0], 0.4),
        ([0.0, 1.0], 0.5),
        ([math.nan, 0.8, math.nan], 0.8),
        ([9.0] * 5 + [0.5] * 4, 0.5),
    ],
)
def test_the_quantile_schedule_follows_the_last_returns_above_its_floor(returns, level):
    rule = AcceptanceRule(schedule="quantile", threshold=0.3, quantile=0.5, window=5)
    window = returns if len(returns) < 9 else [*returns, 0.5]
    assert rule.level(0, window) == pytest.approx(level)


def test_each_task_may_have_its_own_rule():
    rules = AcceptanceRules(tasks={"pack": AcceptanceRule(threshold=2.0)})
    assert rules.rule("pack").threshold == 2.0
    assert rules.rule("insert").threshold == 1.0


@pytest.mark.parametrize("label", [judge(Outcome.SUCCESS), judge(Outcome.DISCARD), Label()])
def test_a_decision_survives_json(label):
    decision = accept(summary(label), AcceptanceRule(), k=2)
    again = decision_from_json(decision_to_json(decision))
    assert decision_to_json(again) == decision_to_json(decision)
    assert again.discarded is (label.outcome == Outcome.DISCARD)


def test_what_is_no_decision_is_refused():
    with pytest.raises(IntegrityError):
        decision_from_json({"accepted": True})
