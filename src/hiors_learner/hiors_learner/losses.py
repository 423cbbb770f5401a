# SPDX-License-Identifier: Apache-2.0
"""The loss of one minibatch, split over ranks so that their mean is the loss of the whole. Knows
no optimiser.
"""

from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from hiors_learner.data import Samples
from hiors_learner.settings import LossSettings, TuningSettings
from hiors_policy.flow import draw_flow_times
from hiors_policy.flow_policy import FlowPolicy
from hiors_policy.learnable import Learnable
from hiors_policy.network import FlowNetwork


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One rank's part of a minibatch.

    Attributes:
        u: (b, K). noise: (b, K, H, A), x⁰. valid: valid steps of the whole minibatch over the
            number of ranks.
    """

    states: Tensor
    images: Tensor
    tokens: Tensor
    actions: Tensor
    mask: Tensor
    weight: Tensor
    u: Tensor
    noise: Tensor
    valid: float

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on a device."""
        parts = ((f.name, getattr(self, f.name)) for f in fields(self))
        moved: dict[str, Any] = {n: v.to(device) if isinstance(v, Tensor) else v for n, v in parts}
        return Batch(**moved)


def make_batch(
    samples: Samples, settings: LossSettings, seed: tuple[int, int], rank: int, world: int
) -> Batch:
    """Draw (u, x⁰) for the whole minibatch and keep this rank's part: the gradient does not depend
    on ``world``.

    Args:
        seed: seed and step.
    """
    generator = torch.Generator().manual_seed(seed[0] * 1_000_003 + seed[1])
    shape = (len(samples), settings.samples)
    u = draw_flow_times(shape, settings.flow_times, generator)
    noise = torch.randn((*shape, *samples.actions.shape[1:]), generator=generator)
    part = slice(rank, None, world)
    mine = Samples.of(array[part] for array in samples.arrays())
    return Batch(
        states=torch.from_numpy(mine.states),
        images=torch.from_numpy(mine.images),
        tokens=torch.from_numpy(mine.tokens),
        actions=torch.from_numpy(mine.actions),
        mask=torch.from_numpy(mine.mask),
        weight=torch.from_numpy(mine.weight),
        u=u[part],
        noise=noise[part],
        valid=max(1.0, float(samples.mask.sum())) / world,
    )


class HiOrsObjective(nn.Module):
    """L_Hi-ORS of a batch: what the DeepSpeed engine wraps."""

    def __init__(self, network: FlowNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: Batch) -> Tensor:
        """Return the loss, a scalar."""
        network = self.network
        return network.field.loss(
            network.encode(batch.states, batch.images),
            network.normalize(batch.actions),
            batch.mask,
            batch.weight,
            batch.u,
            batch.noise,
            valid=batch.valid,
        )


def make_objective(policy: Learnable, settings: LossSettings) -> nn.Module:
    """Return the loss of a policy's network as a function of a Batch."""
    if isinstance(policy, FlowPolicy):
        return HiOrsObjective(policy.network)
    # Only who trains a pi0 waits for the import of transformers.
    from hiors_learner.pi0_objective import Pi0Objective

    return Pi0Objective(policy, settings)


def tune(policy: Learnable, settings: TuningSettings) -> None:
    """Choose which weights of a pi0 learn, and how; the small policy always learns whole."""
    if isinstance(policy, FlowPolicy):
        return
    from hiors_policy.pi0 import LoraSettings, set_mode
    from hiors_policy.pi0.model import Pi0

    if isinstance(policy.network, Pi0):
        lora = LoraSettings(rank=settings.lora_rank, expert_rank=settings.lora_expert_rank)
        set_mode(policy.network, settings.mode, lora)
        policy.network.use_gradient_checkpointing(settings.gradient_checkpointing)
