# SPDX-License-Identifier: Apache-2.0
"""The action expert's weights laid out for speed: fewer, larger products and no time left in them.

In inference the Euler times are known, so what the time embedding adds is a constant vector per
step, and the two linear maps before the first SiLU are one.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from hiors_policy.pi0.attention import Memory, Rotation, attend, rotate
from hiors_policy.pi0.flow_time import embed_time
from hiors_policy.pi0.model import Pi0


@dataclass(frozen=True, slots=True, kw_only=True)
class FusedLayer:
    """One expert layer: q, k, v in one matrix, gate and up in another."""

    norm_in: Tensor
    qkv: Tensor
    out: Tensor
    norm_mlp: Tensor
    gate_up: Tensor
    down: Tensor

    @classmethod
    def of(cls, layer: Any) -> "FusedLayer":
        part, mlp = layer.self_attn, layer.mlp
        joined = [part.q_proj.weight, part.k_proj.weight, part.v_proj.weight]
        return cls(
            norm_in=1.0 + layer.input_layernorm.weight.detach().float(),
            qkv=torch.cat(joined).detach(),
            out=part.o_proj.weight.detach(),
            norm_mlp=1.0 + layer.post_attention_layernorm.weight.detach().float(),
            gate_up=torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight]).detach(),
            down=mlp.down_proj.weight.detach(),
        )


def norm(x: Tensor, weight: Tensor) -> Tensor:
    """RMS norm in float32; ``weight`` is 1 + the stored one."""
    return F.rms_norm(x.float(), weight.shape, weight, 1e-6).to(x.dtype)


class FusedExpert:
    """The denoiser for fixed times, writing keys and values into a static buffer.

    Attributes:
        biases: (steps + 1, width) what each time, and last the time 0, adds to an action token.
    """

    def __init__(self, model: Pi0, times: tuple[float, ...]) -> None:
        config = model.config
        native: Any = model.native
        self._heads, self._kv_heads, self._size = config.heads, config.kv_heads, config.head_dim
        self._layers = [FusedLayer.of(layer) for layer in native.model.dit.layers]
        self._norm = 1.0 + native.model.dit.norm.weight.detach().float()
        self._out = native.action_out_proj
        self._dtype = self._layers[0].qkv.dtype
        self._mlp_out = native.embed_action_time.action_time_mlp_out
        moments = torch.tensor([*times, 0.0], device=model.device)
        embedded = embed_time(moments, config.expert_width, config.min_period, config.max_period)
        self._matrix, self.biases = _fold(native.embed_action_time, embedded)

    def velocity(
        self, bias: Tensor, x: Tensor, turn: Rotation, buffers: list[Memory],
        mask: Tensor | None, fixed: Tensor,
    ) -> Tensor:  # fmt: skip
        """Return the velocity; the last H places of the buffers are overwritten.

        Args:
            bias: (width,) the row of ``biases`` of the present time.
            fixed: (B, H, 1) bool rows that are known actions: their time is 0.
        """
        bias = torch.where(fixed, self.biases[-1], bias)
        hidden = self._mlp_out(F.silu(F.linear(x.to(bias.dtype), self._matrix) + bias)).to(
            self._dtype
        )
        for layer, buffer in zip(self._layers, buffers, strict=True):
            hidden = self._block(layer, hidden, turn, buffer, mask)
        return self._out(norm(hidden, self._norm).to(self._out.weight.dtype)).float()

    def _block(
        self, layer: FusedLayer, hidden: Tensor, turn: Rotation, buffer: Memory,
        mask: Tensor | None,
    ) -> Tensor:  # fmt: skip
        heads, kv_heads = self._heads, self._kv_heads
        mixed = F.linear(norm(hidden, layer.norm_in), layer.qkv)
        mixed = mixed.unflatten(-1, (-1, self._size)).transpose(1, 2)
        query, keys, values = mixed.split([heads, kv_heads, kv_heads], dim=1)
        horizon = hidden.shape[1]
        buffer.keys[:, :, -horizon:] = rotate(keys, turn)
        buffer.values[:, :, -horizon:] = values
        seen = attend(rotate(query, turn), buffer, mask)
        hidden = hidden + F.linear(seen, layer.out)
        gate, up = F.linear(norm(hidden, layer.norm_mlp), layer.gate_up).chunk(2, dim=-1)
        return hidden + F.linear(F.gelu(gate, approximate="tanh") * up, layer.down)


def _fold(embedding: Any, moments: Tensor) -> tuple[Tensor, Tensor]:
    """Return one matrix (width, action_dim) and a bias (steps + 1, width) for each time."""
    first, second = embedding.action_in_proj, embedding.action_time_mlp_in
    width = first.out_features
    weight = second.weight.detach().double()
    matrix = weight[:, :width] @ first.weight.detach().double()
    constant = second.bias.detach().double() + weight[:, :width] @ first.bias.detach().double()
    bias = moments.double() @ weight[:, width:].T + constant
    return matrix.to(first.weight.dtype), bias.to(first.weight.dtype)
