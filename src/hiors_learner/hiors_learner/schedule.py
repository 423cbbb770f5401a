# SPDX-License-Identifier: Apache-2.0
"""Learning rate over steps, and how many steps the data pay for. Pure functions."""

import math

from hiors_learner.settings import OptimizerSettings, PacingSettings


def learning_rate(step: int, settings: OptimizerSettings) -> float:
    """Return the rate for optimiser step ``step`` (0, 1, ...), warm-up included.

    constant: stays. cosine: falls once over ``period`` and stays at the floor. cyclical: falls
    like a cosine again and again; each cycle starts at the full rate.
    """
    share = min(1.0, (step + 1) / settings.warm_up) if settings.warm_up else 1.0
    if settings.schedule == "cosine":
        share *= _fall(min(1.0, step / settings.period), settings.floor)
    elif settings.schedule == "cyclical":
        share *= _fall(step % settings.period / settings.period, settings.floor)
    return settings.learning_rate * share


def step_budget(online_transitions: int, settings: PacingSettings) -> int:
    """Return how many optimiser steps may have been done with so many online transitions."""
    return settings.warm_up_steps + math.floor(settings.utd * online_transitions)


def _fall(progress: float, floor: float) -> float:
    return floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * progress))
