# SPDX-License-Identifier: Apache-2.0
"""Accept and distill for a diffusion policy: DDPM training (Ho et al., arXiv 2006.11239) and DDIM
sampling (Song et al., arXiv 2010.02502). Tensors only. Knows no robot, no observation and no file.

x^k = √ᾱ_k x¹ + √(1 - ᾱ_k) x⁰, with x¹ the action and x⁰ ~ N(0, I); the network predicts
v = √ᾱ_k x⁰ - √(1 - ᾱ_k) x¹ (Salimans and Ho, arXiv 2202.00512): from x⁰ alone, x¹ could hardly be
told where k is large, and few denoising steps would not do. Every k is supervised, as eq. 5
supervises every u.
"""

import math

import torch
from torch import Tensor

from hiors_policy.flow import VelocityField, at_samples, masked_mean

TRAINING_STEPS = 100
"""K of DDPM, as diffusion policies for robots train."""

_OFFSET = 0.008
_LARGEST_BETA = 0.999
_FARTHEST = 5.0


class Denoiser(VelocityField):
    """v_θ(k, s, x^k): the network of the velocity field, of the same size, with another target."""

    def __init__(self, horizon: int, actions: int, width: int, blocks: int) -> None:
        super().__init__(horizon, actions, width, blocks)
        self.register_buffer("alpha_bar", _cosine_schedule(TRAINING_STEPS), persistent=False)
        self.alpha_bar: Tensor

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
        """Return I_m(τ) ‖v_θ(k, s, x^k) - v‖² with k = ⌊u K⌋; the arguments are those of
        hi_ors_loss.
        """
        step = (u * TRAINING_STEPS).long().clamp(max=TRAINING_STEPS - 1)
        kept = self.alpha_bar[step][:, :, None, None]
        signal, noise = kept.sqrt(), (1.0 - kept).sqrt()
        point = signal * x1[:, None] + noise * x0
        guess = at_samples(self, context, step / TRAINING_STEPS, point)
        target = signal * x0 - noise * x1[:, None]
        return masked_mean((guess - target).square().mean(dim=(1, 3)), mask, weight, valid)

    def sample(self, context: Tensor, noise: Tensor, steps: int) -> Tensor:
        """Return x¹ (B, H, A) from noise by ``steps`` deterministic DDIM steps (η = 0)."""
        steps = min(steps, TRAINING_STEPS)
        order = torch.linspace(TRAINING_STEPS - 1, 0, steps).round().long()
        x = noise
        x1 = x
        for i, time in enumerate(self.embed(order / TRAINING_STEPS)):
            kept = self.alpha_bar[order[i]]
            signal, remainder = kept.sqrt(), (1.0 - kept).sqrt()
            guess = self.at(context + time, x)
            x1 = (signal * x - remainder * guess).clamp(-_FARTHEST, _FARTHEST)
            if i + 1 < steps:
                noise_left = remainder * x + signal * guess
                after = self.alpha_bar[order[i + 1]]
                x = after.sqrt() * x1 + (1.0 - after).sqrt() * noise_left
        return x1


def _cosine_schedule(steps: int) -> Tensor:
    """Return ᾱ_k (K,) of the squared cosine (Nichol and Dhariwal, arXiv 2102.09672)."""
    time = torch.arange(steps + 1, dtype=torch.float64) / steps
    level = ((time + _OFFSET) / (1.0 + _OFFSET) * math.pi / 2.0).cos().square()
    beta = (1.0 - level[1:] / level[:-1]).clamp(max=_LARGEST_BETA)
    return (1.0 - beta).cumprod(0).float()
