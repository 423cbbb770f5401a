# SPDX-License-Identifier: Apache-2.0
"""Means and spreads of features and actions, fitted once on the first data and kept inside the
checkpoint.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiors_core.errors import InvalidValue

F32 = NDArray[np.float32]

LEAST_STATE_STD = 1e-3
"""Features that hardly vary are not blown up beyond this [their unit]."""
LEAST_STEP_STD = 1e-4
"""Likewise the steps of an action [m] or [rad]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalization:
    """z = (value - mean) / std.

    Attributes:
        state_mean, state_std: (D,) of the features.
        action_mean, action_std: (A,) of encoded actions. Steps keep a mean of 0; grippers map 0 ..
            1 to -1 .. 1.
    """

    state_mean: F32
    state_std: F32
    action_mean: F32
    action_std: F32


def fit(
    states: F32, actions: F32, mask: NDArray[np.bool_], grippers: NDArray[np.bool_]
) -> Normalization:
    """Fit on states (n, D) and encoded actions (n, H, A) under a mask (n, H)."""
    valid = actions[mask]
    if not len(states) or not len(valid):
        raise InvalidValue("Normalisation needs at least one transition with a valid action")
    spread = np.sqrt(np.mean(np.square(valid, dtype=np.float64), axis=0))
    return Normalization(
        state_mean=states.mean(axis=0, dtype=np.float64).astype(np.float32),
        state_std=np.maximum(states.std(axis=0, dtype=np.float64), LEAST_STATE_STD).astype(
            np.float32
        ),
        action_mean=np.where(grippers, 0.5, 0.0).astype(np.float32),
        action_std=np.where(grippers, 0.5, np.maximum(spread, LEAST_STEP_STD)).astype(np.float32),
    )


def identity(features: int, actions: int) -> Normalization:
    """Return the normalisation that changes nothing."""
    return Normalization(
        state_mean=np.zeros(features, np.float32),
        state_std=np.ones(features, np.float32),
        action_mean=np.zeros(actions, np.float32),
        action_std=np.ones(actions, np.float32),
    )
