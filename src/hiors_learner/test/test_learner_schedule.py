# SPDX-License-Identifier: Apache-2.0
"""Learning rate over steps, and how many steps the data pay for."""

import pytest

from hiors_learner.schedule import learning_rate, step_budget
from hiors_learner.settings import OptimizerSettings, PacingSettings


def rates(steps: int, **changes) -> list[float]:
    fields = {"learning_rate": 1.0, "warm_up": 0, "period": 100, "floor": 0.1, **changes}
    return [learning_rate(s, OptimizerSettings(**fields)) for s in range(steps)]


def test_warm_up_rises_to_the_full_rate():
    values = rates(20, warm_up=10)
    assert values[0] == pytest.approx(0.1)
    assert values[9:] == [1.0] * 11
    assert values == sorted(values)


def test_a_cosine_falls_once_and_stays_at_the_floor():
    values = rates(300, schedule="cosine")
    assert values[0] == 1.0
    assert values[50] == pytest.approx(0.55)
    assert values[100:] == pytest.approx([0.1] * 200)
    assert values == sorted(values, reverse=True)


def test_cycles_start_at_the_full_rate_again():
    values = rates(250, schedule="cyclical")
    assert values[0] == values[100] == values[200] == 1.0
    assert values[:100] == values[100:200]
    assert values[99] == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize(
    ("transitions", "utd", "warm_up", "budget"),
    [(0, 1.0, 0, 0), (0, 1.0, 30, 30), (100, 0.5, 0, 50), (3, 0.5, 10, 11), (7, 4.0, 0, 28)],
)
def test_the_budget_grows_with_online_transitions(transitions, utd, warm_up, budget):
    settings = PacingSettings(utd=utd, warm_up_steps=warm_up)
    assert step_budget(transitions, settings) == budget
