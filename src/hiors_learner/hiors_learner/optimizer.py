# SPDX-License-Identifier: Apache-2.0
"""AdamW with clipping, schedule and moving average in one process: what the Engine does without
DeepSpeed. Knows no data.
"""

import torch
from torch import Tensor, nn

from hiors_learner.schedule import learning_rate
from hiors_learner.settings import OptimizerSettings
from hiors_policy.ema import MovingAverage


class Optimizer:
    """Trains a module in place and averages its weights."""

    def __init__(self, module: nn.Module, settings: OptimizerSettings) -> None:
        self.steps = 0
        self.average = MovingAverage(module, settings.average)
        self._module, self._settings = module, settings
        self._parameters = [p for p in module.parameters() if p.requires_grad]
        self._adam = torch.optim.AdamW(
            self._parameters,
            lr=settings.learning_rate,
            betas=(settings.beta1, settings.beta2),
            weight_decay=settings.weight_decay,
            fused=True,
        )

    def step(self, loss: Tensor) -> None:
        """Go one step down the loss."""
        for group in self._adam.param_groups:
            group["lr"] = learning_rate(self.steps, self._settings)
        self._adam.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self._parameters, self._settings.clip)
        self._adam.step()
        self.steps += 1
        self.average.update(self._module, self.steps)
