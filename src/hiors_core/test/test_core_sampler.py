# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hiors_core.authority import Authority
from hiors_core.clock import to_ns
from hiors_core.errors import InvalidValue
from hiors_core.sampler import PacedStream, VariableRateSampler


def logged(sampler, stamps, authority):
    who = authority if callable(authority) else lambda _: authority
    return [t for t in stamps if sampler.due(to_ns(t), who(t))]


def ticks(seconds, rate=30.0):
    return [i / rate for i in range(int(seconds * rate))]


@pytest.mark.parametrize(("authority", "rate"), [(Authority.POLICY, 0.5), (Authority.HUMAN, 10.0)])
def test_the_rate_is_that_of_the_authority(authority, rate):
    times = logged(VariableRateSampler(0.5, 10.0), ticks(20.0), authority)
    assert len(times) == 20 * rate
    assert np.allclose(np.diff(times), 1.0 / rate, atol=1e-6)


@pytest.mark.parametrize("authority", [Authority.HOLD, Authority.HANDOVER, Authority.STOPPED])
def test_nothing_is_logged_while_nobody_decides(authority):
    sampler = VariableRateSampler(1.0, 10.0)
    assert logged(sampler, ticks(2.0), authority) == []
    assert sampler.rate(authority) == 0.0


def test_a_change_of_authority_is_logged_at_once():
    def who(t):
        return Authority.HUMAN if 1.2 <= t < 1.45 else Authority.POLICY

    times = logged(VariableRateSampler(0.5, 10.0), ticks(2.0, 100.0), who)
    assert times == pytest.approx([0.0, 1.2, 1.3, 1.4, 1.45])


def test_jitter_and_late_ticks_do_not_lower_the_mean_rate():
    rng = np.random.default_rng(0)
    times = np.arange(0.0, 100.0, 1.0 / 30.0) + rng.uniform(0.0, 0.004, 3000)
    found = logged(VariableRateSampler(0.5, 10.0), times, Authority.HUMAN)
    assert len(found) == pytest.approx(1000, abs=3)


def test_a_pause_is_not_made_up_for():
    stream = PacedStream(10.0)
    times = [*ticks(1.0), *(t + 60.0 for t in ticks(1.0))]
    assert sum(stream.due(to_ns(t)) for t in times) == pytest.approx(20, abs=1)


def test_stamps_that_jump_back_start_anew():
    stream = PacedStream(1.0)
    assert stream.due(to_ns(100.0))
    assert not stream.due(to_ns(100.5))
    assert stream.due(to_ns(3.0))


@pytest.mark.parametrize("rates", [(0.0, 1.0), (2.0, 1.0), (-1.0, 1.0), (1.0, float("nan"))])
def test_senseless_rates_are_refused(rates):
    with pytest.raises(InvalidValue, match="f_low"):
        VariableRateSampler(*rates)
