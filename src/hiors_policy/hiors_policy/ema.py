# SPDX-License-Identifier: Apache-2.0
"""Moving average of weights: what is published while the raw weights go on learning."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from hiors_core.errors import InvalidValue


class MovingAverage:
    """θ̄ ← θ̄ + rate (θ - θ̄), with a faster rate over the first steps so that the start is
    forgotten. Parameters that do not learn are left out.
    """

    def __init__(self, module: nn.Module, rate: float) -> None:
        if not 0.0 < rate <= 1.0:
            raise InvalidValue(f"the rate of the moving average must be in (0, 1], got {rate}")
        self.rate = rate
        parameters = module.named_parameters(remove_duplicate=False)
        frozen = {name for name, tensor in parameters if not tensor.requires_grad}
        self._values = {
            n: t.detach().clone() for n, t in module.state_dict().items() if n not in frozen
        }

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Take the module's weights in after optimiser step ``step`` (1, 2, ...)."""
        rate = max(self.rate, 1.0 / (1.0 + step))
        mine, theirs = [], []
        state = module.state_dict()
        for name, value in self._values.items():
            mine.append(value)
            theirs.append(state[name])
        torch._foreach_lerp_(mine, theirs, rate)

    def state(self) -> dict[str, Tensor]:
        """Return the averaged tensors by name (not copies)."""
        return self._values

    def load(self, values: Mapping[str, Tensor]) -> None:
        """Replace the average; names must be the same."""
        if set(values) != set(self._values):
            raise InvalidValue(
                f"moving average: names differ: {sorted(set(values) ^ set(self._values))}"
            )
        for name, value in values.items():
            self._values[name].copy_(value)
