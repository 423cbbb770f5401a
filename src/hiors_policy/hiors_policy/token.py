# SPDX-License-Identifier: Apache-2.0
"""Accept and distill for an autoregressive policy over binned actions. Tensors only. Knows no
robot, no observation and no file.

The loss is eq. 4 itself: -I_m(τ) log π_θ(a_t | s_t), a sum over tokens, one a column and row of
the chunk, each given all tokens before it.
"""

import torch
from torch import Tensor, nn

from hiors_policy.flow import ResidualBlock, masked_mean

BINS = 64
"""Tokens of a column. Bins are equal in asinh: 0.014 standard deviations wide at rest, where a
millimetre counts, and wide where the arm travels."""

_FINEST = 0.1
_FARTHEST = 4.0


class TokenDecoder(nn.Module):
    """π_θ: a recurrent network over the rows of a chunk, a residual network over the columns of a
    row.
    """

    def __init__(self, horizon: int, actions: int, width: int, blocks: int) -> None:
        super().__init__()
        self.horizon, self.actions = horizon, actions
        self.token = nn.Parameter(0.3 * torch.randn(BINS, width))
        # One table of bins for all columns: what tells them apart is a factor of each column.
        self.factor = nn.Parameter(torch.randn(actions, width))
        self.column = nn.Parameter(0.1 * torch.randn(actions, width))
        # It has as many weights as three residual blocks: those stay with the columns.
        self.rows = nn.GRUCell(width, width)
        self.blocks = nn.Sequential(*(ResidualBlock(width) for _ in range(max(1, blocks - 2))))
        self.norm = nn.LayerNorm(width)
        self.to_logits = nn.Linear(width, BINS)
        nn.init.zeros_(self.to_logits.weight)
        nn.init.zeros_(self.to_logits.bias)

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
        """Return -I_m(τ) log π_θ, the mean over valid steps and columns; u and x⁰ are not used."""
        del u, x0
        tokens = to_tokens(x1)
        shown = self._embed(tokens)
        entering = self._rows(context, shown.sum(2))
        # What a column sees of its row: the tokens of the columns before it.
        before = shown.cumsum(2) - shown
        logits = self._logits(entering[:, :, None] + before + self.column)
        cost = nn.functional.cross_entropy(
            logits.flatten(0, 2), tokens.flatten(), reduction="none"
        ).view(tokens.shape)
        return masked_mean(cost.mean(2), mask, weight, valid)

    def sample(self, context: Tensor, noise: Tensor, steps: int) -> Tensor:
        """Return x¹ (B, H, A); Φ of the noise chooses each token: a seed decides a chunk."""
        del steps
        chance = torch.special.ndtr(noise)
        hidden = context
        rows = []
        for k in range(self.horizon):
            seen = hidden
            chosen = []
            for j in range(self.actions):
                mass = self._logits(seen + self.column[j]).softmax(-1).cumsum(-1)
                token = (mass < chance[:, k, j, None]).sum(-1).clamp(max=BINS - 1)
                seen = seen + self.token[token] * self.factor[j]
                chosen.append(token)
            hidden = self.rows(seen - hidden, hidden)
            rows.append(torch.stack(chosen, 1))
        return to_values(torch.stack(rows, 1))

    def _embed(self, tokens: Tensor) -> Tensor:
        return self.token[tokens] * self.factor

    def _rows(self, context: Tensor, shown: Tensor) -> Tensor:
        """Return what each row (B, H, W) knows of the rows before it."""
        hidden, entering = context, []
        for k in range(self.horizon):
            entering.append(hidden)
            hidden = self.rows(shown[:, k], hidden)
        return torch.stack(entering, 1)

    def _logits(self, seen: Tensor) -> Tensor:
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
