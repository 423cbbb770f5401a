# SPDX-License-Identifier: Apache-2.0
"""Flow time: its sampling, its embedding, its steps. Time runs from 1 (noise) to 0 (action).

The paper's u runs the other way: u = 1 - t, and its velocity x1 - x0 is minus the network's.
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from hiors_core.errors import InvalidValue, UnknownName

TimeLaw = Literal["beta", "uniform"]
LAWS: tuple[TimeLaw, ...] = ("beta", "uniform")


def sample_time(
    shape: Sequence[int], law: TimeLaw = "beta", generator: torch.Generator | None = None
) -> Tensor:
    """Draw flow times, float32 on the CPU.

    Law "beta" is pi0's own, t = 0.001 + 0.999 Beta(1.5, 1), which dwells on the noisy end;
    "uniform" is the u of Hi-ORS (arXiv 2510.26406).
    """
    if law not in LAWS:
        raise UnknownName("law of flow time", law, LAWS)
    uniform = torch.rand(tuple(shape), generator=generator, dtype=torch.float32)
    return uniform if law == "uniform" else 0.001 + 0.999 * uniform.pow(2.0 / 3.0)


def embed_time(time: Tensor, width: int, min_period: float, max_period: float) -> Tensor:
    """Return sin | cos of 2 pi t / period, (..., width) float32.

    Computed in float64: float32 phases cost 7e-5 in the embedding.
    """
    fraction = torch.linspace(0.0, 1.0, width // 2, dtype=torch.float64, device=time.device)
    period = min_period * (max_period / min_period) ** fraction
    phase = time.double()[..., None] * (2.0 * math.pi / period)
    return torch.cat([phase.sin(), phase.cos()], dim=-1).float()


def euler_times(steps: int) -> tuple[np.float32, tuple[float, ...]]:
    """Return the step (negative) and the times at which the velocity is taken.

    The time is accumulated in float32, as the reference does.
    """
    if steps < 1:
        raise InvalidValue(f"The number of Euler steps must be at least 1, got {steps}")
    step = np.float32(-1.0 / steps)
    times, time = [], np.float32(1.0)
    while time >= -step / 2:
        times.append(float(time))
        time = np.float32(time + step)
    return step, tuple(times)


def from_paper(u: Tensor, law: str) -> Tensor:
    """Return the network's time t of the paper's u, drawn by hiors_policy.flow.draw_flow_times.

    By law "beta" t is within 0.001 .. 1, as pi0 trains.
    """
    return 1.0 - u if law == "uniform" else 0.001 + 0.999 * (1.0 - u)
