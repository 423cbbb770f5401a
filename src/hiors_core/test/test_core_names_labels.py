# SPDX-License-Identifier: Apache-2.0
import math

import pytest

from hiors_core.errors import IntegrityError, InvalidValue, StateError
from hiors_core.label import (
    Label,
    LabelRules,
    Outcome,
    judge,
    label_from_json,
    label_to_json,
)
from hiors_core.names import check_episode_id, check_version, new_episode_id


@pytest.mark.parametrize("name", ["a", "20260131-154500-3fa9", "Z_9", "0" * 64])
def test_an_episode_id_passes(name):
    assert check_episode_id(name) == name


@pytest.mark.parametrize(
    "name", ["", "../x", "a/b", "-a", "_a", ".a", "a.b", "a\n", "a b", "ä", "0" * 65, None, 3]
)
def test_what_is_no_episode_id_is_refused_with_the_value(name):
    with pytest.raises(InvalidValue, match="not allowed"):
        check_episode_id(name)


def test_a_huge_id_is_not_repeated_in_full():
    with pytest.raises(InvalidValue) as caught:
        check_episode_id("/" * 10_000)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("name", ["v000000", "v000000-start", "v1.2_x"])
def test_a_version_passes(name):
    assert check_version(name) == name


@pytest.mark.parametrize("name", ["V1", "", "..", "v/1", "-v", "v\n"])
def test_what_is_no_version_is_refused(name):
    with pytest.raises(InvalidValue):
        check_version(name)


def test_new_ids_tell_the_time_and_differ():
    stamp = 1_769_874_300 * 10**9
    ids = {new_episode_id(stamp) for _ in range(20)}
    assert len(ids) > 1
    assert all(check_episode_id(i).startswith("20260131-154500-") for i in ids)


@pytest.mark.parametrize(
    ("outcome", "given", "stages", "expected"),
    [
        (Outcome.SUCCESS, 0.0, (), 1.0),
        (Outcome.FAILURE, 0.0, (), 0.0),
        (Outcome.RETURN, 0.4, (), 0.4),
        (Outcome.RETURN, 0.0, (0.25, 0.5), 0.75),
        (Outcome.SUCCESS, 0.0, (0.5, 1.0), 1.5),
    ],
)
def test_the_return_of_a_judgement(outcome, given, stages, expected):
    label = judge(outcome, episode_return=given, stage_rewards=stages)
    assert label.episode_return == expected


def test_a_discarded_episode_has_no_return():
    assert math.isnan(judge(Outcome.DISCARD).episode_return)


@pytest.mark.parametrize(
    ("outcome", "fields"),
    [
        (0, {}),
        (5, {}),
        (99, {}),
        (Outcome.RETURN, {"episode_return": math.nan}),
        (Outcome.RETURN, {"episode_return": math.inf}),
        (Outcome.SUCCESS, {"stage_rewards": [math.nan]}),
        (Outcome.SUCCESS, {"stage_rewards": [0.0] * 65}),
        (Outcome.SUCCESS, {"labeler": "x" * 129}),
        (Outcome.SUCCESS, {"source": "a\nb"}),
    ],
)
def test_a_senseless_judgement_is_refused(outcome, fields):
    with pytest.raises(InvalidValue):
        judge(outcome, **fields)


def test_the_same_judgement_twice_changes_nothing():
    once = LabelRules().set(judge(Outcome.SUCCESS, labeler="a"))
    assert once.set(judge(Outcome.SUCCESS, labeler="b", stamp=7)) is once
    assert once.label.revision == 1


def test_the_last_judgement_before_consumption_counts_and_undo_goes_back():
    rules = LabelRules().set(judge(Outcome.SUCCESS)).set(judge(Outcome.FAILURE))
    assert (rules.label.outcome, rules.label.revision) == (Outcome.FAILURE, 2)
    back = rules.undo()
    assert (back.label.outcome, back.label.revision) == (Outcome.SUCCESS, 3)
    none = back.undo()
    assert (none.label.outcome, none.label.revision) == (Outcome.NONE, 4)
    with pytest.raises(StateError, match="no label to undo"):
        none.undo()


def test_after_consumption_a_change_is_refused_but_a_repetition_is_not():
    rules = LabelRules(labels=(judge(Outcome.SUCCESS),), revision=1, consumed=True)
    assert rules.set(judge(Outcome.SUCCESS)) is rules
    for change in (lambda: rules.set(judge(Outcome.FAILURE)), rules.undo):
        with pytest.raises(StateError, match="consumed"):
            change()


def test_many_changes_of_mind_stay_bounded():
    rules = LabelRules()
    for i in range(1000):
        rules = rules.set(judge(Outcome.RETURN, episode_return=float(i)))
    assert len(rules.labels) == 32
    assert rules.label.revision == 1000


@pytest.mark.parametrize("outcome", [Outcome.SUCCESS, Outcome.DISCARD])
def test_a_label_survives_json(outcome):
    label = judge(outcome, stage_rewards=(1.0,), labeler="li", source="rqt", stamp=5)
    again = label_from_json(label_to_json(label))
    assert again.same_judgement(label)
    assert (again.labeler, again.source, again.stamp) == ("li", "rqt", 5)


@pytest.mark.parametrize(
    "data", [{}, {"outcome": "WIN"}, {**label_to_json(Label()), "stamp": "x"}]
)
def test_what_is_no_label_is_refused(data):
    with pytest.raises(IntegrityError):
        label_from_json(data)
