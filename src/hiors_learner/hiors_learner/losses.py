# SPDX-License-Identifier: Apache-2.0
"""The loss of one minibatch, split over ranks so that their mean is the loss of the whole. Knows
no optimiser.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hiors_learner.data import Samples
from hiors_learner.settings import LossSettings
from hiors_policy.flow import draw_flow_times
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
    actions: Tensor
    mask: Tensor
    weight: Tensor
    u: Tensor
    noise: Tensor
    valid: float


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
    states, images, actions, mask, weight = (
        torch.from_numpy(array[part]) for array in samples.arrays()
    )
    return Batch(
        states=states,
        images=images,
        actions=actions,
        mask=mask,
        weight=weight,
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
