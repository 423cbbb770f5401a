# SPDX-License-Identifier: Apache-2.0
"""The statistics that LeRobot normalises with: per column, and per colour for images."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
IMAGES = 32
"""Images of an episode that count, evenly spread, every PIXELS-th pixel of each."""
PIXELS = 4


def of_rows(values: NDArray[Any]) -> dict[str, Any]:
    """Return the statistics over rows (F, n) or (F,)."""
    rows = np.asarray(values, np.float64).reshape(len(values), -1)
    return {name: value.tolist() for name, value in _numbers(rows, len(values)).items()}


def of_pixels(pixels: NDArray[np.uint8], count: int) -> dict[str, Any]:
    """Return the statistics of RGB pixels (P, 3) from ``count`` images, in 0 .. 1: (3, 1, 1)."""
    found = _numbers(pixels.reshape(-1, 3) / 255.0, count)
    return {
        name: value.tolist() if name == "count" else value.reshape(3, 1, 1).tolist()
        for name, value in found.items()
    }


def sampled(images: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Return pixels (P, 3) of evenly spread images."""
    chosen = np.unique(np.linspace(0, len(images) - 1, min(IMAGES, len(images))).astype(int))
    return np.concatenate([images[i][::PIXELS, ::PIXELS].reshape(-1, 3) for i in chosen])


def flat(stats: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the statistics as columns ``stats/<feature>/<name>`` of an episode's row."""
    return {f"stats/{key}/{name}": v for key, row in stats.items() for name, v in row.items()}


def _numbers(rows: NDArray[np.float64], count: int) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {
        "min": rows.min(axis=0),
        "max": rows.max(axis=0),
        "mean": rows.mean(axis=0),
        "std": rows.std(axis=0),
        "count": np.array([count]),
    }
    return found | {n: np.quantile(rows, q, axis=0) for n, q in QUANTILES.items()}
