# SPDX-License-Identifier: Apache-2.0
"""Accept and distill for an autoregressive policy over binned actions. Tensors only. Knows no
robot, no observation and no file.

The loss is eq. 4: -I_m(τ) log π_θ(a_t | s_t), a sum over tokens, one a column and row of the
chunk, each given tokens before it. A token's target is shared with the bins beside it (Farebrother
et al., arXiv 2403.03950), and of the tokens before only some are shown, not quite where they are:
who learns each token of a few demonstrations by heart knows nothing between them.
"""

import torch
from torch import Tensor, nn

from hiors_policy.flow import ResidualBlock, masked_mean

BINS = 64
"""Tokens of a column. Bins are equal in asinh: 0.014 standard deviations wide at rest, where a
millimetre counts, and wide where the arm travels."""

_FINEST = 0.1
_FARTHEST = 4.0
_SPREAD = 2.0
"""Deviation of a target [bins]."""
_HIDDEN_BEYOND = 0.6745
"""x⁰ that hides a token in training: half of the draws of a standard normal are beyond."""
_JITTER = 4.0
"""Bins that a shown token is off by, for each unit of x⁰."""


class TokenDecoder(nn.Module):
    """π_θ: a residual network that is asked for one token after the other."""

    def __init__(self, horizon: int, actions: int, width: int, blocks: int) -> None:
        super().__init__()
        self.horizon, self.actions = horizon, actions
        count = horizon * actions
        self.token = nn.Parameter(0.3 * torch.randn(BINS, width))
        # One table of bins for all places of a chunk: what tells them apart is a factor of each.
        self.factor = nn.Parameter(torch.randn(count, width) / count**0.5)
        self.place = nn.Parameter(0.1 * torch.randn(count, width))
        self.blocks = nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))
        self.norm = nn.LayerNorm(width)
        self.to_logits = nn.Linear(width, BINS)
        nn.init.zeros_(self.to_logits.weight)
        nn.init.zeros_(self.to_logits.bias)
        self.register_buffer("values", to_values(torch.arange(BINS)), persistent=False)
        self.values: Tensor

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
        """Return -I_m(τ) log π_θ, the mean over valid steps and columns. The first draw of u says
        which row is asked for, as it says which time of a flow; that of x⁰ which tokens are shown.
        """
        tokens, chance = to_tokens(x1), x0[:, 0]
        seen = (tokens + (_JITTER * chance).round().long()).clamp(0, BINS - 1).flatten(1)
        shown = (chance.abs() < _HIDDEN_BEYOND).flatten(1).unsqueeze(-1) * self._embed(seen)
        row = (u[:, 0] * self.horizon).long().clamp(max=self.horizon - 1)
        asked = nn.functional.one_hot(row, self.horizon).bool()
        each = self._entering(context, shown).unflatten(1, (self.horizon, self.actions))
        log_mass = self._ask(each[asked]).log_softmax(-1)
        away = torch.arange(BINS, device=tokens.device) - tokens[asked].unsqueeze(-1)
        target = (-0.5 * (away / _SPREAD).square()).softmax(-1)
        cost = -(target * log_mass).sum(-1).mean(1, keepdim=True)
        return masked_mean(self.horizon * asked * cost, mask, weight, valid)

    def sample(self, context: Tensor, noise: Tensor, steps: int) -> Tensor:
        """Return x¹ (B, H, A); Φ of the noise chooses each token: a seed decides a chunk.

        Noise of 0 throughout chooses none: each value is then the mean of what it may be, as that
        of a flow nearly is. Tokens from the middle would rest wherever the person rested.
        """
        del steps
        chance = torch.special.ndtr(noise).flatten(1)
        mean = (noise == 0.0).all(2).all(1, keepdim=True)
        before, chosen = context, []
        for j in range(self.horizon * self.actions):
            mass = self._ask(before + self.place[j]).softmax(-1)
            token = (mass.cumsum(-1) < chance[:, j, None]).sum(-1).clamp(max=BINS - 1)
            chosen.append(torch.where(mean[:, 0], mass @ self.values, self.values[token]))
            shown = torch.where(mean, mass @ self.token, self.token[token])
            before = before + shown * self.factor[j]
        return torch.stack(chosen, 1).view(noise.shape)

    def _embed(self, tokens: Tensor) -> Tensor:
        return self.token[tokens] * self.factor

    def _entering(self, context: Tensor, shown: Tensor) -> Tensor:
        """Return what each token (B, H A, W) is asked with: it sees those shown before it."""
        before = shown.cumsum(1) - shown
        return context.unsqueeze(1) + before + self.place

    def _ask(self, seen: Tensor) -> Tensor:
        logits: Tensor = self.to_logits(self.norm(self.blocks(seen)))
        return logits


def to_tokens(x1: Tensor) -> Tensor:
    """Return the bins (B, H, A) of normalised actions."""
    place = torch.asinh(x1 / _FINEST) / _REACH
    return ((place + 1.0) * 0.5 * BINS).long().clamp(0, BINS - 1)


def to_values(tokens: Tensor) -> Tensor:
    """Return the middles (B, H, A) of bins, normalised."""
    place = (tokens.float() + 0.5) / BINS * 2.0 - 1.0
    return _FINEST * torch.sinh(place * _REACH)


_REACH = float(torch.asinh(torch.tensor(_FARTHEST / _FINEST)))
