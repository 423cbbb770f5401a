# SPDX-License-Identifier: Apache-2.0
"""Lucky successes: the lower bound, similar starts, and the schedule that uses them."""

import math

import pytest

from hiors_core.acceptance import AcceptanceRule, Summary, accept
from hiors_core.errors import InvalidValue
from hiors_core.label import judge
from hiors_core.similar import lower_bound, similar_returns

RULE = AcceptanceRule(schedule="lower_bound", radius=0.1, least_rate=0.3, grace=4)


def verdict(similar, outcome=1, rule=RULE):
    summary = Summary(
        episode_id="e", task="t", label=judge(outcome), length=5.0, transitions=9, moving=9
    )
    return accept(summary, rule, 0, similar=similar)


def test_the_bound_lies_below_the_rate_and_closes_in_on_it():
    bounds = [lower_bound(n // 2, n, 1.645) for n in (2, 10, 100, 10_000)]
    assert bounds == sorted(bounds)
    assert 0.0 < bounds[0] < bounds[-1] < 0.5
    assert bounds[-1] == pytest.approx(0.5, abs=0.01)
    assert lower_bound(0, 0, 1.0) == 0.0
    assert lower_bound(0, 5, 1.0) == pytest.approx(0.0, abs=1e-12)
    assert lower_bound(7, 10, 0.0) == pytest.approx(0.7)
    # Wilson's interval for 8 of 10 at 95 % two-sided, as tables give it.
    assert lower_bound(8, 10, 1.96) == pytest.approx(0.490, abs=1e-3)


def test_only_near_starts_of_the_same_length_are_similar():
    past = [((0.0, 0.0), 1.0), ((0.05, 0.0), 0.0), ((0.5, 0.0), 1.0), ((0.0,), 1.0)]
    assert similar_returns((0.0, 0.01), past, 0.1) == (1.0, 0.0)
    assert similar_returns((), [((), 1.0)], 0.0) == (1.0,)
    assert similar_returns((math.inf,), [((math.inf,), 1.0)], 0.1) == ()


def test_a_success_where_most_fail_is_refused_as_luck():
    refused = verdict((0.0,) * 9)
    assert not refused.accepted
    assert refused.reasons[0].startswith("1 of 10 similar starts succeed: the lower bound 0.0")
    assert verdict((1.0, 1.0, 0.0, 1.0, 1.0)).accepted


def test_the_first_similar_starts_are_believed():
    assert verdict((0.0, 0.0, 0.0)).accepted
    assert not verdict((0.0, 0.0, 0.0, 0.0)).accepted
    assert not verdict((), outcome=2).accepted


def test_other_schedules_do_not_look_at_luck():
    plain = AcceptanceRule()
    assert verdict((0.0,) * 9, rule=plain).accepted
    assert plain.similar((0.0,), [((0.0,), 1.0)]) == ()


def test_the_window_holds_the_last_ones():
    rule = AcceptanceRule(schedule="lower_bound", window=2)
    past = [((0.0,), 0.0), ((0.0,), 1.0), ((0.0,), 1.0)]
    assert rule.similar((0.0,), past) == (1.0, 1.0)


@pytest.mark.parametrize("wrong", [{"radius": -1.0}, {"least_rate": 1.5}, {"grace": -1}])
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(InvalidValue, match=next(iter(wrong))):
        AcceptanceRule(schedule="lower_bound", **wrong)
