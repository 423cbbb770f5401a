# SPDX-License-Identifier: Apache-2.0
"""The loop's grid on a clock that moves only when told to."""

import pytest

from hiors_core.clock import FakeClock, to_s
from hiors_core.errors import InvalidValue
from hiors_core.pacing import Pacer


def run(loads):
    """Run a 10 Hz loop whose bodies take these times [s]; returns its starts [s] and report."""
    clock = FakeClock(10**9)
    pacer, starts = Pacer(clock, 0.1), []
    for load in loads:
        pacer.wait()
        starts.append(round(to_s(clock.now()) - 1.0, 6))
        clock.advance(load)
    return starts, pacer.report()


def test_a_light_loop_stays_on_its_grid():
    starts, report = run([0.03, 0.09, 0.0, 0.05])
    assert starts == [0.0, 0.1, 0.2, 0.3]
    assert report.missed_ticks == 0
    assert report.rate_hz == pytest.approx(10.0)
    assert report.period_p50 == report.period_max == pytest.approx(0.1)


def test_a_tick_a_little_late_does_not_shift_the_grid():
    starts, report = run([0.14, 0.0, 0.0])
    assert starts == [0.0, 0.14, 0.2]
    assert report.missed_ticks == 0


def test_a_tick_more_than_half_a_period_late_is_missed():
    starts, report = run([0.16, 0.0, 0.0])
    assert starts == [0.0, 0.16, 0.2]
    assert report.missed_ticks == 1


def test_ticks_slept_over_are_counted_and_never_made_up_for():
    starts, report = run([0.52, 0.0, 0.0])
    assert starts == [0.0, 0.52, 0.6]
    assert report.missed_ticks == 4
    assert report.period_max == pytest.approx(0.52)


def test_before_the_second_tick_there_is_nothing_to_report():
    _, report = run([0.0])
    assert (report.rate_hz, report.period_max) == (0.0, 0.0)


def test_a_period_must_be_above_zero():
    with pytest.raises(InvalidValue, match="period"):
        Pacer(FakeClock(), 0.0)
