# SPDX-License-Identifier: Apache-2.0
"""Networks of the baselines: ensembles as one batched product, a squashed Gaussian, scaling. Knows
no algorithm.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hiors_core.errors import InvalidValue
from hiors_learner.trajectory import Trajectory

MARGIN = 1.1
"""Actions reach a tenth beyond the largest step of the first data."""

_LEAST_STD = 1e-3
_LEAST_STEP = 1e-6
_FARTHEST = 5.0


class Scaling(nn.Module):
    """Features to zero mean and unit spread; actions to -1 .. 1, fitted once on the first data."""

    def __init__(self, features: int, actions: int, grippers: Sequence[int]) -> None:
        super().__init__()
        self._grippers = list(grippers)
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("std", torch.ones(features))
        self.register_buffer("middle", torch.zeros(actions))
        self.register_buffer("reach", torch.ones(actions))
        self.register_buffer("fitted", torch.zeros((), dtype=torch.bool))
        self.mean: Tensor
        self.std: Tensor
        self.middle: Tensor
        self.reach: Tensor
        self.fitted: Tensor

    def fit(self, trajectories: Sequence[Trajectory], limits: Sequence[float] = ()) -> None:
        """Fit on episodes; ``limits`` (A,) are known largest steps, in the actions' units."""
        states = torch.cat([torch.tensor(t.states) for t in trajectories])
        actions = torch.cat([torch.tensor(a) for t in trajectories for a in _steps(t)])
        if limits and len(limits) != actions.shape[1]:
            raise InvalidValue(f"limits need one value for each of {actions.shape[1]} actions")
        self.mean.copy_(states.mean(0))
        self.std.copy_(states.std(0, correction=0).clamp(min=_LEAST_STD))
        reach = torch.tensor(limits) if limits else MARGIN * actions.abs().amax(0)
        self.reach.copy_(reach.clamp(min=_LEAST_STEP))
        self.reach[self._grippers] = 0.5
        self.middle[self._grippers] = 0.5
        self.fitted.fill_(True)

    def state(self, values: Tensor) -> Tensor:
        """Return normalised features."""
        return ((values - self.mean) / self.std).clamp(-_FARTHEST, _FARTHEST)

    def to_unit(self, actions: Tensor) -> Tensor:
        """Return actions in -1 .. 1; what reaches further is clipped."""
        return ((actions - self.middle) / self.reach).clamp(-1.0, 1.0)

    def from_unit(self, actions: Tensor) -> Tensor:
        """Return actions in their own units."""
        return actions * self.reach + self.middle


def _steps(trajectory: Trajectory) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return trajectory.actions, trajectory.actions + trajectory.lead


class EnsembleLinear(nn.Module):
    """E linear maps at once: (E, B, in) to (E, B, out)."""

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = 1.0 / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(members, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(members, 1, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map each member's batch."""
        return torch.baddbmm(self.bias, x, self.weight)


class EnsembleNorm(nn.Module):
    """LayerNorm with weights of its own for each member."""

    def __init__(self, members: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(members, 1, width))
        self.bias = nn.Parameter(torch.zeros(members, 1, width))

    def forward(self, x: Tensor) -> Tensor:
        """Map (E, B, W) to (E, B, W)."""
        return nn.functional.layer_norm(x, x.shape[-1:]) * self.weight + self.bias


class Ensemble(nn.Module):
    """E networks with LayerNorm and tanh (as HIL-SERL) or GELU and LayerNorm (as Q-Chunking)."""

    def __init__(
        self, members: int, inputs: int, hidden: Sequence[int], outputs: int, *, gelu: bool = False
    ) -> None:
        super().__init__()
        self.members = members
        layers: list[nn.Module] = []
        for width in hidden:
            layers.append(EnsembleLinear(members, inputs, width))
            norm = EnsembleNorm(members, width)
            layers += [nn.GELU(), norm] if gelu else [norm, nn.Tanh()]
            inputs = width
        self.layers = nn.Sequential(*layers, EnsembleLinear(members, inputs, outputs))

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return (E, B, outputs) of inputs (B, ...) side by side."""
        x = torch.cat(inputs, dim=-1)
        values: Tensor = self.layers(x.expand(self.members, *x.shape))
        return values


class SquashedGaussian(nn.Module):
    """Policy tanh(N(μ(s), σ(s))) with a deviation that depends on the state."""

    def __init__(self, features: int, hidden: Sequence[int], actions: int) -> None:
        super().__init__()
        self._actions = actions
        self.body = Ensemble(1, features, hidden, 2 * actions)

    def forward(self, state: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return actions (B, A) in -1 .. 1 for noise ~ N(0, I) and their log density (B,)."""
        mean, spread = self._moments(state)
        before = mean + spread * noise
        density = -0.5 * (noise.square() + math.log(2.0 * math.pi)) - spread.log()
        return before.tanh(), (density - _log_slope(before)).sum(-1)

    def log_density(self, state: Tensor, actions: Tensor) -> Tensor:
        """Return log π(a | s), (B,), of actions in -1 .. 1."""
        mean, spread = self._moments(state)
        before = actions.clamp(-0.999, 0.999).atanh()
        density = -0.5 * (((before - mean) / spread).square() + math.log(2.0 * math.pi))
        return (density - spread.log() - _log_slope(before)).sum(-1)

    def _moments(self, state: Tensor) -> tuple[Tensor, Tensor]:
        values = self.body(state)[0]
        return values[:, : self._actions], values[:, self._actions :].exp().clamp(1e-5, 5.0)


def _log_slope(before: Tensor) -> Tensor:
    """Return log(1 - tanh²), in the form that does not underflow."""
    return 2.0 * (math.log(2.0) - before - nn.functional.softplus(-2.0 * before))


@torch.no_grad()
def follow(target: nn.Module, source: nn.Module, tau: float) -> None:
    """Move a target network by τ towards its source."""
    torch._foreach_lerp_(list(target.parameters()), list(source.parameters()), tau)
