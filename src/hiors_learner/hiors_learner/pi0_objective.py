# SPDX-License-Identifier: Apache-2.0
"""L_Hi-ORS (eq. 5) of a pi0. Knows no optimiser."""

import torch
from torch import Tensor, nn

from hiors_core.errors import InvalidValue
from hiors_learner.losses import Batch
from hiors_learner.settings import LossSettings
from hiors_policy.flow import masked_mean
from hiors_policy.learnable import Learnable
from hiors_policy.pi0 import Pi0Inputs
from hiors_policy.pi0.adapter import Pi0Policy
from hiors_policy.pi0.flow_time import from_paper
from hiors_policy.pi0.images import pixels


class Pi0Objective(nn.Module):
    """The mean over valid steps, the robot's own columns and K flow samples on one context."""

    def __init__(self, policy: Learnable, settings: LossSettings) -> None:
        super().__init__()
        if not isinstance(policy, Pi0Policy):
            raise InvalidValue(f"There is no objective for a {type(policy).__name__}")
        self.network = policy.network
        self._columns = len(policy.spec.names)
        self._law = settings.flow_times

    def forward(self, batch: Batch) -> Tensor:
        """Return the loss, a scalar."""
        device = self.network.device
        inputs = Pi0Inputs(
            images=pixels(batch.images.to(device)),
            image_mask=torch.ones(batch.images.shape[:2], dtype=torch.bool, device=device),
            tokens=batch.tokens.to(device, torch.int64),
            token_mask=batch.tokens.to(device) != 0,
            state=batch.states.to(device),
        )
        time = from_paper(batch.u.to(device), self._law)
        actions, noise = batch.actions.to(device), batch.noise.to(device)
        errors = self.network.errors(inputs, actions, noise, time)
        each = errors[..., : self._columns].mean(dim=(1, 3))
        mask, weight = batch.mask.to(device), batch.weight.to(device)
        return masked_mean(each, mask, weight, batch.valid)
