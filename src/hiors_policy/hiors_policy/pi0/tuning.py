# SPDX-License-Identifier: Apache-2.0
"""Which parameters learn."""

from typing import Any

from torch import nn

from hiors_core.errors import UnknownName
from hiors_policy.pi0.lora import LoraSettings, add_lora, has_lora
from hiors_policy.pi0.model import Pi0

MODES = ("full", "vision_frozen", "expert_only", "lora")
"""full: all; vision_frozen: all but SigLIP; expert_only: action expert and heads;
lora: adapters in both Gemma towers, and the heads."""


def unreachable(model: Pi0) -> list[nn.Parameter]:
    """Return parameters no gradient ever reaches: what follows the keys of the last VLM layer."""
    language: Any = model.native.model.vlm.language_model
    last = language.layers[-1]
    dead = (last.self_attn.q_proj, last.self_attn.o_proj, last.mlp)
    modules = (*dead, last.post_attention_layernorm, language.norm)
    return [parameter for module in modules for parameter in module.parameters()]


def set_mode(model: Pi0, mode: str, lora: LoraSettings | None = None) -> list[nn.Parameter]:
    """Freeze and free parameters for a mode; return those that learn.

    Mode "lora" adds the adapters unless they are there.
    """
    if mode not in MODES:
        raise UnknownName("training mode", mode, MODES)
    vlm: Any = model.native.model.vlm
    if mode == "lora" and not has_lora(model.native):
        add_lora(model.native, lora or LoraSettings())
    for name, parameter in model.native.named_parameters():
        head = name.startswith(("embed_action_time", "action_out_proj"))
        parameter.requires_grad_(mode != "lora" or head or "lora_" in name)
    frozen: dict[str, tuple[nn.Module, ...]] = {
        "vision_frozen": (vlm.vision_tower,),
        "expert_only": (vlm,),
    }
    for module in frozen.get(mode, ()):
        module.requires_grad_(False)
    for parameter in unreachable(model):
        parameter.requires_grad_(False)
    return [parameter for parameter in model.parameters() if parameter.requires_grad]
