# SPDX-License-Identifier: Apache-2.0
"""Attention of a Gemma layer over a memory of keys and values, on the native leaf modules."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


class Rotation(NamedTuple):
    """Rotary position: cosine and sine, (B, 1, T, head_dim / 2) float32."""

    cos: Tensor
    sin: Tensor


class Memory(NamedTuple):
    """Keys and values of one layer, each (B, kv_heads, S, head_dim)."""

    keys: Tensor
    values: Tensor

    def joined(self, keys: Tensor, values: Tensor) -> "Memory":
        """Return this memory followed by new keys and values.

        Where the new ones have K times the batch, each row of the memory serves K of theirs.
        """
        times = keys.shape[0] // self.keys.shape[0]
        old_keys, old_values = self.keys, self.values
        if times > 1:
            old_keys = old_keys.repeat_interleave(times, dim=0)
            old_values = old_values.repeat_interleave(times, dim=0)
        return Memory(torch.cat([old_keys, keys], dim=2), torch.cat([old_values, values], dim=2))


def rotation(positions: Tensor, head_dim: int, theta: float = 10000.0) -> Rotation:
    """Return the rotary angles of (B, T) positions."""
    exponent = torch.arange(0, head_dim, 2, dtype=torch.float32, device=positions.device)
    frequency = 1.0 / theta ** (exponent / head_dim)
    angle = positions[:, None, :, None].float() * frequency
    return Rotation(angle.cos(), angle.sin())


def rotate(x: Tensor, turn: Rotation) -> Tensor:
    """Turn (B, heads, T, head_dim) by position, in float32."""
    first, second = x.chunk(2, dim=-1)
    turned = [first * turn.cos - second * turn.sin, second * turn.cos + first * turn.sin]
    return torch.cat(turned, dim=-1).to(x.dtype)


def attend(query: Tensor, memory: Memory, mask: Tensor | None) -> Tensor:
    """Return (B, T, heads * head_dim): every query sees all of the memory that ``mask`` allows.

    Args:
        query: (B, heads, T, head_dim).
        mask: (B, S) bool of the keys that are there, or None when all are.
    """
    batch, heads, length, size = query.shape
    kv_heads = memory.keys.shape[1]
    # Heads that share a key-value head become rows of it: exact, since no query has a mask of
    # its own, and it saves the copies of keys and values.
    rows = query.reshape(batch, kv_heads, heads // kv_heads * length, size)
    bias = None if mask is None else mask[:, None, None, :]
    out = F.scaled_dot_product_attention(rows, memory.keys, memory.values, attn_mask=bias)
    out = out.reshape(batch, heads, length, size).transpose(1, 2)
    return out.reshape(batch, length, heads * size)


def keys_values(layer: nn.Module, normed: Tensor, turn: Rotation, head_dim: int) -> Memory:
    """Return what a layer remembers of its (normalised) input."""
    part: Any = layer.self_attn
    return Memory(
        rotate(_split(part.k_proj(normed), head_dim), turn),
        _split(part.v_proj(normed), head_dim),
    )


def block(
    layer: nn.Module, hidden: Tensor, turn: Rotation, memory: Memory | None, mask: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Run one Gemma layer; return its output and its own keys and values.

    Args:
        hidden: (B * K, T, width). memory: what came before it, (B, ...), or None.
        mask: (B * K, S) bool over memory and own tokens, or None.
    """
    parts: Any = layer
    head_dim = parts.self_attn.head_dim
    normed = parts.input_layernorm(hidden)
    own = keys_values(layer, normed, turn, head_dim)
    query = rotate(_split(parts.self_attn.q_proj(normed), head_dim), turn)
    seen = own if memory is None else memory.joined(*own)
    hidden = hidden + parts.self_attn.o_proj(attend(query, seen, mask))
    hidden = hidden + parts.mlp(parts.post_attention_layernorm(hidden))
    return hidden, own.keys, own.values


def remat(enabled: bool, function: Callable[..., Any], *args: Any) -> Any:
    """Call ``function``, and when ``enabled`` recompute it in the backward pass."""
    if enabled and torch.is_grad_enabled():
        return checkpoint(function, *args, use_reentrant=False, preserve_rng_state=False)
    return function(*args)


def _split(x: Tensor, head_dim: int) -> Tensor:
    return x.unflatten(-1, (-1, head_dim)).transpose(1, 2)
