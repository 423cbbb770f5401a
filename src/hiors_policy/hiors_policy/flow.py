# SPDX-License-Identifier: Apache-2.0
"""Flow matching (eq. 2) and the loss of the method (eq. 5): tensors only. Knows no robot, no
observation and no file.

u = 0 is noise x⁰ ~ N(0, I), u = 1 is the action x¹; x^u = (1 - u) x⁰ + u x¹; the field learns x¹ -
x⁰.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from hiors_core.errors import UnknownName

Field = Callable[[Tensor, Tensor, Tensor], Tensor]
"""v_θ(context (B, C), u (B,), x (B, H, A)) -> (B, H, A)."""

FLOW_TIMES = ("uniform", "beta")
_TIME_FREQUENCIES = 8


class ResidualBlock(nn.Module):
    """x + W2 SiLU(W1 LayerNorm(x))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inner = nn.Linear(width, width)
        self.outer = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, W) to (B, W)."""
        return x + self.outer(nn.functional.silu(self.inner(self.norm(x))))


class VelocityField(nn.Module):
    """v_θ(u, s, x^u) as a residual network; the state enters as a context (B, W) computed once per
    observation.
    """

    def __init__(self, horizon: int, actions: int, width: int, blocks: int) -> None:
        super().__init__()
        self.from_action = nn.Linear(horizon * actions, width)
        self.from_time = nn.Linear(2 * _TIME_FREQUENCIES, width)
        self.blocks = nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))
        self.norm = nn.LayerNorm(width)
        self.to_action = nn.Linear(width, horizon * actions)
        # A field of zeros at the start: the first steps have no noise to unlearn.
        nn.init.zeros_(self.to_action.weight)
        nn.init.zeros_(self.to_action.bias)
        frequencies = math.pi * 2.0 ** torch.arange(_TIME_FREQUENCIES) / 2.0
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.frequencies: Tensor

    def embed(self, u: Tensor) -> Tensor:
        """Return what flow times (B,) add to the context (B, W)."""
        angles = u[:, None] * self.frequencies
        time: Tensor = self.from_time(torch.cat([angles.sin(), angles.cos()], dim=-1))
        return time

    def at(self, context: Tensor, x: Tensor) -> Tensor:
        """Return the velocity (B, H, A) at x (B, H, A); the context includes the flow time."""
        hidden = self.blocks(context + self.from_action(x.flatten(1)))
        velocity: Tensor = self.to_action(self.norm(hidden)).view(x.shape)
        return velocity

    def forward(self, context: Tensor, u: Tensor, x: Tensor) -> Tensor:
        """Return the velocity (B, H, A) at flow times u (B,) and points x (B, H, A)."""
        return self.at(context + self.embed(u), x)

    def loss(
        self,
        context: Tensor,
        x1: Tensor,
        mask: Tensor,
        weight: Tensor,
        u: Tensor,
        x0: Tensor,
        valid: Tensor | float | None = None,
    ) -> Tensor:
        """Return hi_ors_loss of this field."""
        return hi_ors_loss(self, context, x1, mask, weight, u, x0, valid)

    def sample(self, context: Tensor, noise: Tensor, steps: int) -> Tensor:
        """Return x¹ (B, H, A) from noise by Euler steps."""
        return integrate(self, context, noise, steps)


def draw_flow_times(
    shape: tuple[int, ...], distribution: str, generator: torch.Generator
) -> Tensor:
    """Draw u: "uniform" is Unif[0, 1] of the paper; "beta" is 1 - Beta(1.5, 1), which prefers
    noise, as π0 trains.
    """
    uniform = torch.rand(shape, generator=generator)
    if distribution == "uniform":
        return uniform
    if distribution == "beta":
        return 1.0 - uniform ** (1.0 / 1.5)
    raise UnknownName("flow time distribution", distribution, FLOW_TIMES)


def hi_ors_loss(
    field: Field,
    context: Tensor,
    x1: Tensor,
    mask: Tensor,
    weight: Tensor,
    u: Tensor,
    x0: Tensor,
    valid: Tensor | float | None = None,
) -> Tensor:
    """Return L_Hi-ORS (eq. 5): I_m(τ) ‖v_θ(u, s, x^u) - (x¹ - x⁰)‖², the mean over valid steps and
    columns.

    Args:
        context: (B, C) of the observation, shared by its K samples of (u, x⁰).
        x1: (B, H, A) normalised actions. mask: (B, H) True where the step lies in the episode.
        weight: (B,) I_m(τ), 0 or 1; a rejected sample counts in the mean, as in the expectation.
        u: (B, K). x0: (B, K, H, A) noise.
        valid: number of valid steps to divide by, when the batch is a part of a larger one.
    """
    target = x1[:, None] - x0
    velocity = at_samples(field, context, u, x0 + u[:, :, None, None] * target)
    return masked_mean((velocity - target).square().mean(dim=(1, 3)), mask, weight, valid)


def at_samples(field: Field, context: Tensor, times: Tensor, points: Tensor) -> Tensor:
    """Return the field (B, K, H, A) at times (B, K) and points (B, K, H, A) that share contexts
    (B, C).
    """
    repeated = context.repeat_interleave(points.shape[1], dim=0)
    return field(repeated, times.flatten(), points.flatten(0, 1)).view_as(points)


def masked_mean(
    error: Tensor, mask: Tensor, weight: Tensor, valid: Tensor | float | None
) -> Tensor:
    """Return I_m(τ) times the error (B, H), summed over valid steps and divided by their number;
    0 when none is valid. The arguments are those of hi_ors_loss.
    """
    steps = mask.to(error.dtype)
    count = steps.sum() if valid is None else torch.as_tensor(valid, dtype=error.dtype)
    return (weight[:, None] * steps * error).sum() / count.clamp(min=1.0)


def integrate(field: VelocityField, context: Tensor, x0: Tensor, steps: int) -> Tensor:
    """Return x¹ (B, H, A) from noise x⁰ by ``steps`` Euler steps of dx/du = v_θ(u, s, x)."""
    x = x0
    for time in field.embed(torch.arange(steps) / steps):
        x = torch.add(x, field.at(context + time, x), alpha=1.0 / steps)
    return x
