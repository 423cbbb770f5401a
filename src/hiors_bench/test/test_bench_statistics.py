# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hiors_bench.statistics import difference_interval, pooled, seed_interval, wilson


def test_wilson_agrees_with_published_values() -> None:
    # Newcombe 1998, table I: 81/263, 15/148, 0/20, 1/29, at 95 %.
    expected = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for (k, n), interval in expected.items():
        assert wilson(k, n) == pytest.approx(interval, abs=6e-5)


def test_wilson_without_an_episode_knows_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


def test_wilson_is_symmetric() -> None:
    low, high = wilson(3, 10)
    assert wilson(7, 10) == pytest.approx((1 - high, 1 - low))


def test_pooled_adds_the_seeds() -> None:
    assert pooled([(1, 2), (3, 4)]) == (4, 6)
    assert pooled([]) == (0, 0)


def test_seeds_that_differ_widen_the_interval() -> None:
    same, apart = [(50, 100)] * 4, [(20, 100), (80, 100), (25, 100), (75, 100)]
    narrow, wide = seed_interval(same), seed_interval(apart)
    assert narrow[0] < 0.5 < narrow[1]
    assert wide[1] - wide[0] > 2 * (narrow[1] - narrow[0])


def test_one_seed_has_the_spread_of_its_episodes() -> None:
    low, high = seed_interval([(50, 100)])
    assert 0.38 < low < 0.42
    assert 0.58 < high < 0.62


def test_intervals_are_the_same_every_time_and_exist_without_data() -> None:
    counts = [(3, 10), (9, 10)]
    assert seed_interval(counts) == seed_interval(counts)
    assert seed_interval([]) == seed_interval([(0, 0)]) == (0.0, 1.0)
    assert difference_interval([], []) == (-1.0, 1.0)


def test_differences_are_taken_seed_by_seed() -> None:
    better = [(int(k), 1000) for k in np.array([300, 900, 500]) + 100]
    worse = [(300, 1000), (900, 1000), (500, 1000)]
    low, high = difference_interval(better, worse)
    assert 0.05 < low < 0.1 < high < 0.15


def test_differences_need_the_same_seeds() -> None:
    with pytest.raises(ValueError, match="2 and 1 seeds"):
        difference_interval([(1, 2), (1, 2)], [(1, 2)])
