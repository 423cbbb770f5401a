# SPDX-License-Identifier: Apache-2.0
"""Intervals of success: over episodes (Wilson) and over seeds (bootstrap). Pure functions."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Interval = tuple[float, float]
Counts = Sequence[tuple[int, int]]
"""(k, n) of each seed."""

Z95 = 1.959963984540054
"""Half width of a 95 % interval in standard deviations."""
DRAWS = 10_000


def wilson(k: int, n: int, z: float = Z95) -> Interval:
    """Return the Wilson score interval of k successes in n episodes; (0, 1) for no episode."""
    if not n:
        return 0.0, 1.0
    share, spread = k / n, z * z / n
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / n + spread / (4 * n))
    low = 0.0 if k == 0 else max(0.0, middle - half)
    return low, 1.0 if k == n else min(1.0, middle + half)


def pooled(counts: Counts) -> tuple[int, int]:
    """Return (k, n) of all seeds together."""
    return sum(k for k, _ in counts), sum(n for _, n in counts)


def seed_interval(counts: Counts, draws: int = DRAWS) -> Interval:
    """Return the 95 % bootstrap interval of the mean success rate; seeds are drawn with
    replacement, and within a seed episodes. (0, 1) without an episode.
    """
    means = _means(counts, draws, 0)
    return _middle(means) if means is not None else (0.0, 1.0)


def difference_interval(counts: Counts, other: Counts, draws: int = DRAWS) -> Interval:
    """Return the 95 % bootstrap interval of the mean rate of ``counts`` minus that of ``other``.

    The two share their seeds, which are drawn together: entry i of both is seed i. (-1, 1) without
    an episode.
    """
    if len(counts) != len(other):
        raise ValueError(f"got {len(counts)} and {len(other)} seeds")
    mine, theirs = _means(counts, draws, 0), _means(other, draws, 1)
    return _middle(mine - theirs) if mine is not None and theirs is not None else (-1.0, 1.0)


def _means(counts: Counts, draws: int, stream: int) -> NDArray[np.float64] | None:
    if not counts or any(n == 0 for _, n in counts):
        return None
    k, n = np.array(counts, np.int64).T
    # The same seeds are drawn for both arms of a difference; episodes are drawn apart.
    chosen = np.random.default_rng(0).integers(0, len(k), (draws, len(k)))
    again = np.random.default_rng([1, stream]).binomial(n[chosen], (k / n)[chosen])
    means: NDArray[np.float64] = (again / n[chosen]).mean(axis=1)
    return means


def _middle(values: NDArray[np.float64]) -> Interval:
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)
