# SPDX-License-Identifier: Apache-2.0
"""The action expert: the velocity of noisy actions given a context."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from hiors_policy.pi0.architecture import Pi0Config
from hiors_policy.pi0.attention import block, remat, rotation
from hiors_policy.pi0.context import Context, project
from hiors_policy.pi0.flow_time import embed_time


class Denoiser:
    """Runs the native action expert over the action tokens."""

    def __init__(self, native: Any, config: Pi0Config) -> None:
        self._expert = native.model.dit
        self._embedding = native.embed_action_time
        self._out = native.action_out_proj
        self._config = config
        self.rematerialise = False

    def velocity(self, context: Context, actions: Tensor, time: Tensor) -> Tensor:
        """Return the velocity, noise minus action, (B * K, H, action_dim) float32.

        Args:
            actions: (B * K, H, action_dim) noisy actions; row b * K + k belongs to context row b.
            time: (B * K,) or (B * K, H) flow time, 1 for noise, 0 for the action.
        """
        hidden = remat(self.rematerialise, self._embed, actions, time)
        hidden = hidden.to(self._expert.layers[0].mlp.down_proj.weight.dtype)
        count, horizon = actions.shape[:2]
        times = count // context.length.shape[0]
        start = context.length.repeat_interleave(times)
        turn = rotation(
            start[:, None] + torch.arange(horizon, device=start.device), self._config.head_dim
        )
        mask = None
        if context.mask is not None:
            mask = F.pad(context.mask.repeat_interleave(times, 0), (0, horizon), value=True)
        for layer, memory in zip(self._expert.layers, context.memories, strict=True):
            hidden, _, _ = remat(self.rematerialise, block, layer, hidden, turn, memory, mask)
        return project(self._out, self._expert.norm(hidden)).float()

    def _embed(self, actions: Tensor, time: Tensor) -> Tensor:
        config, parts = self._config, self._embedding
        moment = embed_time(time, config.expert_width, config.min_period, config.max_period)
        if time.ndim == 1:
            moment = moment[:, None].expand(-1, actions.shape[1], -1)
        tokens = project(parts.action_in_proj, actions)
        both = torch.cat([tokens, moment.to(tokens.dtype)], dim=-1)
        return project(parts.action_time_mlp_out, F.silu(project(parts.action_time_mlp_in, both)))
