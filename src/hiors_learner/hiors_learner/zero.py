# SPDX-License-Identifier: Apache-2.0
"""What ZeRO-2 keeps in pieces on the ranks, float32 weights and AdamW's moments, whole and by
name: the same whatever the number of ranks. Knows no file.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from hiors_core.errors import InvalidValue

MOMENTS = ("exp_avg", "exp_avg_sq")


class Pieces:
    """The learning parameters of a module under a DeepSpeed engine of stage 2.

    ``whole`` and ``moment`` are called by every rank in the same order.
    """

    def __init__(self, engine: Any, module: nn.Module) -> None:
        self._zero = engine.optimizer
        self._learning = {n: p for n, p in module.named_parameters() if p.requires_grad}

    @property
    def steps(self) -> int:
        """Steps that the moments have seen; 0 where there are none yet."""
        state = self._zero.optimizer.state.get(self._zero.single_partition_of_fp32_groups[0], {})
        return int(state.get("step", 0))

    def weights(self, keep: bool) -> dict[str, Tensor]:
        """Return the float32 weights by name on the CPU, or nothing where they are not kept."""
        from deepspeed.utils import safe_get_full_fp32_param

        return self._gather(safe_get_full_fp32_param, keep)

    def moment(self, kind: str, keep: bool) -> dict[str, Tensor]:
        """Return one of MOMENTS by name on the CPU, or nothing where it is not kept."""
        from deepspeed.utils import safe_get_full_optimizer_state

        return self._gather(lambda p: safe_get_full_optimizer_state(p, kind), keep)

    def set_weights(self, values: Iterable[tuple[str, Tensor]]) -> None:
        """Take over float32 weights; what the network computes with follows them."""
        from deepspeed.utils import safe_set_full_fp32_param

        for parameter, value in self._matched(values):
            safe_set_full_fp32_param(parameter, value)
            parameter.data.copy_(value)

    def begin_moments(self, steps: int) -> None:
        """Make the moments, which AdamW otherwise makes in its first step, as of ``steps``."""
        zero = self._zero
        for flat in zero.single_partition_of_fp32_groups:
            zero.optimizer.state[flat] = {
                "step": torch.full((), float(steps), device=flat.device),
                **{kind: torch.zeros_like(flat) for kind in MOMENTS},
            }
        zero._hp_optimizer_states_linked = False
        zero._lazy_init_hp_params_optimizer_state()

    def set_moment(self, kind: str, values: Iterable[tuple[str, Tensor]]) -> None:
        """Take over one of MOMENTS."""
        from deepspeed.utils import safe_set_full_optimizer_state

        for parameter, value in self._matched(values):
            safe_set_full_optimizer_state(parameter, value, kind)

    def _gather(self, get: Callable[[nn.Parameter], Tensor], keep: bool) -> dict[str, Tensor]:
        found = {}
        for name, parameter in self._learning.items():
            value = get(parameter)
            if keep:
                found[name] = value.cpu()
        return found

    def _matched(
        self, values: Iterable[tuple[str, Tensor]]
    ) -> Iterable[tuple[nn.Parameter, Tensor]]:
        for name, value in values:
            parameter = self._learning.get(name)
            if parameter is None or parameter.shape != value.shape:
                raise InvalidValue(f"The state has a weight {name} that does not learn here")
            yield parameter, value.to(parameter.device)
