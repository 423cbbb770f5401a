# SPDX-License-Identifier: Apache-2.0
"""Low-rank adaptation through `peft`, on the native modules; always mergeable, never dropped."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from hiors_core.errors import HiorsError, InvalidValue, StateError

_LINEAR = r"(?:self_attn\.[qkvo]_proj|mlp\.(?:gate|up|down)_proj)"
_TOWERS = r".*model\.(?:vlm\.language_model|dit)\.layers\.\d+\." + _LINEAR


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraSettings:
    """Ranks of the two Gemma towers; the scale of the update is alpha / rank.

    The defaults are openpi's: alpha equals rank in either tower.
    """

    rank: int = 16
    expert_rank: int = 32

    def __post_init__(self) -> None:
        for name in ("rank", "expert_rank"):
            if not 1 <= getattr(self, name) <= 1024:
                raise InvalidValue(f"LoRA {name} must be 1 .. 1024, got {getattr(self, name)}")


def add_lora(native: nn.Module, settings: LoraSettings) -> None:
    """Put adapters on attention and MLP of both Gemma towers; they start without effect."""
    if has_lora(native):
        raise StateError("The network has LoRA adapters already: merge them first")
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise HiorsError("LoRA needs the package 'peft': pip install peft") from error
    expert = r".*\.dit\.layers\..*"
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.rank,
        rank_pattern={expert: settings.expert_rank},
        alpha_pattern={expert: settings.expert_rank},
        target_modules=_TOWERS,
        bias="none",
    )
    inject_adapter_in_model(config, native)


def has_lora(native: nn.Module) -> bool:
    """Say whether adapters are there."""
    return any("lora_" in name for name, _ in native.named_parameters())


def merge_lora(native: nn.Module) -> None:
    """Add the adapters' effect to the weights and take the adapters off, in place."""
    for path, layer in _adapted(native):
        parent, _, name = path.rpartition(".")
        base = layer.get_base_layer()
        with torch.no_grad():
            base.weight.copy_(_merged(layer))
        setattr(native.get_submodule(parent), name, base)


def merged_state(native: nn.Module) -> dict[str, Tensor]:
    """Return the state with adapters' effect added, under the names without adapters."""
    layers = dict(_adapted(native))
    state: dict[str, Tensor] = {}
    for name, tensor in native.state_dict().items():
        if ".lora_" in name:
            continue
        path = name.removesuffix(".base_layer.weight")
        merged = _merged(layers[path]) if path != name else tensor
        state[name.replace(".base_layer.", ".")] = merged.detach()
    return state


def _adapted(native: nn.Module) -> list[tuple[str, Any]]:
    return [(name, m) for name, m in native.named_modules() if hasattr(m, "get_delta_weight")]


def _merged(layer: Any) -> Tensor:
    base: Tensor = layer.get_base_layer().weight
    delta: Tensor = layer.get_delta_weight("default")
    return (base.float() + delta.float()).to(base.dtype)
