# SPDX-License-Identifier: Apache-2.0
"""The modules of `transformers` that hold pi0's weights. Knows sizes; knows no file format."""

import math

import torch
from torch import nn

from hiors_core.errors import HiorsError
from hiors_policy.pi0.architecture import Pi0Config
from hiors_policy.pi0.precision import set_precision

try:
    from transformers import PI0Config, PI0ForConditionalGeneration
except ImportError as error:
    raise HiorsError(
        "pi0 needs the package 'transformers' >= 5.9, < 6 (class PI0ForConditionalGeneration): "
        "pip install 'transformers>=5.9,<6'"
    ) from error


def native_config(config: Pi0Config) -> PI0Config:
    """Return the configuration of the native class for these sizes."""
    heads = {
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_dim,
    }
    text = {"hidden_size": config.width, "intermediate_size": config.mlp}
    expert = {"hidden_size": config.expert_width, "intermediate_size": config.expert_mlp}
    vision = {
        "model_type": "siglip_vision_model",
        "hidden_size": config.vision_width,
        "intermediate_size": config.vision_mlp,
        "num_hidden_layers": config.vision_layers,
        "num_attention_heads": config.vision_heads,
        "image_size": config.image_size,
        "patch_size": config.patch_size,
        "vision_use_head": False,
    }
    return PI0Config(
        vlm_config={
            "model_type": "paligemma",
            "text_config": {"model_type": "gemma", "vocab_size": config.vocab, **heads, **text},
            "vision_config": vision,
            "projection_dim": config.width,
            "image_token_id": config.vocab,
        },
        dit_config={"model_type": "gemma", **heads, **expert},
        chunk_size=config.horizon,
        max_state_dim=config.state_dim,
        max_action_dim=config.action_dim,
        min_period=config.min_period,
        max_period=config.max_period,
    )


def empty_native(config: Pi0Config) -> PI0ForConditionalGeneration:
    """Build the native module without memory for its parameters (device "meta").

    The expert's token embedding (263e6 parameters at full size) is never used: it is left out.
    """
    with torch.device("meta"):
        native = PI0ForConditionalGeneration(native_config(config))
    native.model.dit.embed_tokens = nn.Identity()
    return native


def fill_buffers(native: PI0ForConditionalGeneration, config: Pi0Config) -> None:
    """Compute the buffers that no checkpoint holds, in place of those on "meta"."""
    vision = native.model.vlm.vision_tower.embeddings
    vision.position_ids = torch.arange(config.image_tokens)[None]
    for tower in (native.model.vlm.language_model, native.model.dit):
        rotary = tower.rotary_emb
        rotary.inv_freq, _ = rotary.compute_default_rope_parameters(tower.config)
        rotary.original_inv_freq = rotary.inv_freq.clone()
    native.model.vlm.language_model.embed_tokens.embed_scale = torch.tensor(
        math.sqrt(config.width)
    )
    sinusoid = native.embed_action_time.sinusoid_embeds
    sinusoid.sinusoid_freq = sinusoid.compute_freqs(native.config)
    left = [name for name, buffer in native.named_buffers() if buffer.is_meta]
    if left:
        raise HiorsError(
            f"This version of transformers has buffers that hiors does not know: {left}. "
            "Use transformers >= 5.9, < 6."
        )


def random_native(
    config: Pi0Config, seed: int, std: float, dtype: torch.dtype, device: torch.device
) -> PI0ForConditionalGeneration:
    """Build the native module with normal random weights, norms and biases too."""
    native = empty_native(config)
    set_precision(native, dtype)
    native = native.to_empty(device=device)
    generator = torch.Generator(device).manual_seed(seed)
    with torch.no_grad():
        for name, parameter in native.named_parameters():
            parameter.normal_(0.0, std, generator=generator)
            if "layer_norm" in name and name.endswith("weight"):
                parameter.add_(1.0)
    fill_buffers(native, config)
    return native.to(device)
