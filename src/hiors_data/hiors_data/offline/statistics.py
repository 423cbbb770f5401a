# SPDX-License-Identifier: Apache-2.0
"""Means over episodes with their uncertainty, and rank correlation. Deterministic."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hiors_core.errors import InvalidValue

Array = NDArray[np.float64]

RESAMPLES = 2000
LEVEL = 0.95


def weighted_mean(values: Array, weights: Array) -> float:
    """Return the mean of the values that are numbers; NaN when none weighs anything."""
    known = np.isfinite(values) & (weights > 0.0)
    return float(np.average(values[known], weights=weights[known])) if known.any() else np.nan


def bootstrap(values: Array, weights: Array, seed: int = 0) -> Array:
    """Return weighted means (RESAMPLES, C) over resampled episodes of ``values`` (E, C).

    Every column sees the same resampled episodes, so columns can be compared pair by pair.
    """
    count = len(values)
    picks = np.random.default_rng(seed).integers(0, count, (RESAMPLES, count))
    means = np.empty((RESAMPLES, values.shape[1]))
    for c in range(values.shape[1]):
        known = np.isfinite(values[:, c]) & (weights > 0.0)
        w = np.where(known, weights, 0.0)[picks]
        v = np.where(known, values[:, c], 0.0)[picks]
        total = w.sum(axis=1)
        # A resample without any weight says nothing.
        mean = (w * v).sum(axis=1) / np.maximum(total, 1e-300)
        means[:, c] = np.where(total > 0.0, mean, np.nan)
    return means


def interval(means: Array) -> tuple[float, float]:
    """Return the bounds that hold the LEVEL share of the resampled means (RESAMPLES,)."""
    known = means[np.isfinite(means)]
    if not len(known):
        return np.nan, np.nan
    low, high = np.quantile(known, [(1.0 - LEVEL) / 2.0, (1.0 + LEVEL) / 2.0])
    return float(low), float(high)


def ranks(values: Sequence[float]) -> Array:
    """Return the ranks from 1 on; equal values share the mean of theirs."""
    array = np.asarray(values, np.float64)
    order = np.argsort(array, kind="stable")
    result = np.empty(len(array))
    result[order] = np.arange(1, len(array) + 1)
    for value in np.unique(array):
        same = array == value
        result[same] = result[same].mean()
    return result


def spearman(a: Sequence[float], b: Sequence[float]) -> float:
    """Return Spearman's rank correlation; NaN when either is constant."""
    if len(a) != len(b) or len(a) < 2:
        raise InvalidValue(f"A rank correlation needs two or more pairs, got {len(a)}, {len(b)}")
    x, y = ranks(a), ranks(b)
    if np.ptp(x) == 0.0 or np.ptp(y) == 0.0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])
