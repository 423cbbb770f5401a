# SPDX-License-Identifier: Apache-2.0
"""Number formats: which weights stay float32, and updates that bfloat16 would lose.

A bfloat16 weight has 8 bits: at the usual learning rate most Adam steps are smaller than its last
bit and vanish. MasterWeights keeps float32 copies that the optimiser steps; ZeRO does the same.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from hiors_core.errors import UnknownName

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}

_KEPT = ("patch_embedding", "position_embedding", "layernorm.weight", ".norm.weight")
_HEADS = ("state_proj", "action_in_proj", "action_out_proj", "action_time_mlp")


def dtype_named(name: str) -> torch.dtype:
    """Return the dtype of that name, or raise UnknownName."""
    if name not in DTYPES:
        raise UnknownName("number format", name, DTYPES)
    return DTYPES[name]


def stored_dtype(name: str, dtype: torch.dtype) -> torch.dtype:
    """Return the dtype of a parameter in a network of ``dtype``.

    As in openpi, patch and position embedding, Gemma's norms and the heads stay float32.
    """
    if dtype == torch.float32 or any(part in name for part in _HEADS):
        return torch.float32
    is_gemma_norm = "vision_tower" not in name
    kept = _KEPT if is_gemma_norm else _KEPT[:2]
    return torch.float32 if any(part in name for part in kept) else dtype


def set_precision(module: nn.Module, dtype: torch.dtype) -> None:
    """Change the parameters of a pi0 in place; see ``stored_dtype``."""
    for name, parameter in module.named_parameters():
        parameter.data = parameter.data.to(stored_dtype(name, dtype))


class MasterWeights:
    """float32 copies of parameters, for an optimiser in one process without ZeRO.

    Use: ``optimizer = AdamW(masters.copies)``; then in each iteration ``loss.backward()``,
    ``masters.take_gradients()``, ``optimizer.step()``, ``masters.write_back()``.
    """

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        self._parameters = [p for p in parameters if p.requires_grad]
        self.copies = [nn.Parameter(p.detach().float().clone()) for p in self._parameters]

    def take_gradients(self) -> None:
        """Move the gradients of the parameters to their copies, in float32."""
        for copy, parameter in zip(self.copies, self._parameters, strict=True):
            copy.grad = None if parameter.grad is None else parameter.grad.float()
            parameter.grad = None

    @torch.no_grad()
    def write_back(self) -> None:
        """Round the copies into the parameters."""
        for copy, parameter in zip(self.copies, self._parameters, strict=True):
            parameter.copy_(copy)

    def state(self) -> list[Tensor]:
        """Return the copies, for a training checkpoint."""
        return [copy.detach() for copy in self.copies]
