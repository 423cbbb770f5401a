# SPDX-License-Identifier: Apache-2.0
"""pi0 as a network: its training loss and its sampler. Knows no files, no robot, no units."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hiors_core.errors import InvalidValue
from hiors_policy.pi0.architecture import Pi0Config
from hiors_policy.pi0.context import Context, ContextEncoder
from hiors_policy.pi0.denoiser import Denoiser
from hiors_policy.pi0.flow_time import TimeLaw, euler_times, sample_time
from hiors_policy.pi0.guidance import Guidance
from hiors_policy.pi0.inputs import Pi0Inputs
from hiors_policy.pi0.native import random_native


class Pi0(nn.Module):
    """The pi0 flow-matching network on the native modules of `transformers`.

    ``native`` holds every parameter (class PI0ForConditionalGeneration) and can be run by itself.
    """

    def __init__(self, config: Pi0Config, native: Any) -> None:
        super().__init__()
        self.config = config
        self.native = native
        self.encoder = ContextEncoder(native, config.head_dim, config.image_tokens)
        self.denoiser = Denoiser(native, config)

    @classmethod
    def random(
        cls,
        config: Pi0Config,
        seed: int = 0,
        *,
        std: float = 0.02,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> "Pi0":
        """Return a network with normal random weights, for tests and measurements."""
        return cls(config, random_native(config, seed, std, dtype, torch.device(device)))

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def use_gradient_checkpointing(self, enabled: bool = True) -> None:
        """Recompute each layer in the backward pass instead of keeping its activations."""
        self.encoder.rematerialise = enabled
        self.denoiser.rematerialise = enabled

    def context(self, inputs: Pi0Inputs) -> Context:
        """Encode images, prompt and state once."""
        return self.encoder.encode(inputs)

    def velocity(self, context: Context, actions: Tensor, time: Tensor) -> Tensor:
        """Return the network's velocity, noise minus action; see Denoiser.velocity."""
        return self.denoiser.velocity(context, actions, time)

    def errors(
        self,
        inputs: Pi0Inputs,
        actions: Tensor,
        noise: Tensor,
        time: Tensor,
        delay: Tensor | None = None,
    ) -> Tensor:
        """Return the squared error of the velocity, (B, K, H, action_dim) float32.

        Args:
            actions: (B, H, action_dim) normalised and padded.
            noise: (B, H, action_dim) or (B, K, H, action_dim): K flow samples on one context.
            time: (B,) or (B, K), 1 for noise, 0 for the action.
            delay: (B,) int64 rows that are given without noise (training-time real-time chunking,
                arXiv 2512.05964), or None. Their errors are zero.
        """
        noise = noise[:, None] if noise.ndim == 3 else noise
        time = time[:, None] if time.ndim == 1 else time
        self._check(inputs, actions, noise, time)
        moment, target = time[..., None, None], noise - actions[:, None]
        mixed = moment * noise + (1 - moment) * actions[:, None]
        moments = time
        fixed = None
        if delay is not None:
            rows = torch.arange(actions.shape[1], device=actions.device)
            fixed = rows < delay[:, None, None]
            moments = time[..., None].expand(noise.shape[:3]).masked_fill(fixed, 0.0)
            mixed = torch.where(fixed[..., None], actions[:, None], mixed)
        found = self.velocity(self.context(inputs), mixed.flatten(0, 1), moments.flatten(0, 1))
        error = (found.view_as(target) - target).square()
        return error if fixed is None else error.masked_fill(fixed[..., None], 0.0)

    def loss(
        self,
        inputs: Pi0Inputs,
        actions: Tensor,
        *,
        noise: Tensor | None = None,
        time: Tensor | None = None,
        samples: int = 1,
        mask: Tensor | None = None,
        weights: Tensor | None = None,
        columns: int | None = None,
        law: TimeLaw = "beta",
        delay: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Return the flow-matching loss (eq. 5 of arXiv 2510.26406), a scalar.

        With ``noise`` and ``time`` given and nothing else it is the mean over all rows and all
        padded columns, as in openpi.

        Args:
            noise, time: see ``errors``; drawn when None.
            samples: K, flow samples per observation that share one context.
            mask: (B, H) bool, False for rows past the end of the episode.
            weights: (B,) weight of each observation, I_m in the paper.
            columns: count only the first so many action columns.
            law: how flow time is drawn. generator: of the CPU, for time and noise.
        """
        batch, horizon, width = actions.shape
        if noise is None:
            noise = torch.randn((batch, samples, horizon, width), generator=generator)
        if time is None:
            drawn = (batch, noise.shape[1]) if noise.ndim == 4 else (batch,)
            time = sample_time(drawn, law, generator)
        device = actions.device
        errors = self.errors(inputs, actions, noise.to(device), time.to(device), delay)
        errors = errors[..., :columns].mean(-1).mean(1)
        counted = torch.ones_like(errors) if mask is None else mask.to(errors)
        if delay is not None:
            counted = counted * (torch.arange(horizon, device=device) >= delay[:, None])
        if weights is not None:
            errors = errors * weights.to(errors)[:, None]
        return (errors * counted).sum() / counted.sum().clamp(min=1.0)

    def forward(self, inputs: Pi0Inputs, actions: Tensor, **options: Any) -> Tensor:
        """Return ``loss``: the call that distributed wrappers go through."""
        return self.loss(inputs, actions, **options)

    @torch.no_grad()
    def sample(
        self,
        inputs: Pi0Inputs,
        *,
        noise: Tensor | None = None,
        steps: int = 10,
        guidance: Guidance | None = None,
        fixed: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Integrate the flow from noise to actions; return (B, H, action_dim) float32.

        Args:
            noise: (B, H, action_dim) where the flow starts; drawn when None.
            steps: Euler steps.
            guidance: inpaint the beginning from the chunk in execution (arXiv 2506.07339).
            fixed: (B, d, action_dim) first rows that will be executed anyway, for a network
                trained with ``delay`` (arXiv 2512.05964).
        """
        if noise is None:
            shape = (inputs.batch, self.config.horizon, self.config.action_dim)
            noise = torch.randn(shape, generator=generator)
        x = noise.to(self.device, torch.float32)
        context = self.context(inputs)
        step, times = euler_times(steps)
        for time in times:
            moment = x.new_full(x.shape[:2], time)
            if fixed is not None:
                moment[:, : fixed.shape[1]] = 0.0
                x = torch.cat([fixed, x[:, fixed.shape[1] :]], dim=1)
            if guidance is None:
                velocity = self.velocity(context, x, moment)
            else:
                velocity = guidance.velocity(self, context, x, time)
            x = x + float(step) * velocity
        return x if fixed is None else torch.cat([fixed, x[:, fixed.shape[1] :]], dim=1)

    def _check(self, inputs: Pi0Inputs, actions: Tensor, noise: Tensor, time: Tensor) -> None:
        batch, width = inputs.batch, self.config.action_dim
        wanted: Sequence[tuple[str, Tensor, tuple[int, ...]]] = (
            ("actions", actions, (batch, actions.shape[1], width)),
            ("noise", noise, (batch, noise.shape[1], actions.shape[1], width)),
            ("time", time, (batch, noise.shape[1])),
        )
        for name, tensor, shape in wanted:
            if tuple(tensor.shape) != shape:
                raise InvalidValue(f"{name} must have shape {shape}, got {tuple(tensor.shape)}")
