# SPDX-License-Identifier: Apache-2.0
"""Random inputs of the right shapes, for warm-up, tests and measurements; and the native call."""

import torch
from torch import Tensor

from hiors_policy.pi0.architecture import Pi0Config
from hiors_policy.pi0.inputs import Pi0Inputs


def example_inputs(
    config: Pi0Config,
    *,
    batch: int = 1,
    cameras: int = 3,
    absent: int = 0,
    prompt: int | None = None,
    seed: int = 0,
) -> Pi0Inputs:
    """Return random inputs; the last ``absent`` of the cameras are masked.

    Args:
        prompt: tokens of the instruction, all places by default.
    """
    generator = torch.Generator().manual_seed(seed)
    length = config.prompt_tokens if prompt is None else prompt
    size = config.image_size
    image_mask = torch.ones(batch, cameras, dtype=torch.bool)
    image_mask[:, cameras - absent :] = False
    places = torch.arange(config.prompt_tokens)
    tokens = torch.randint(3, config.vocab, (batch, config.prompt_tokens), generator=generator)
    return Pi0Inputs(
        images=torch.rand(batch, cameras, 3, size, size, generator=generator) * 2 - 1,
        image_mask=image_mask,
        tokens=tokens * (places < length),
        token_mask=(places < length).expand(batch, -1),
        state=torch.randn(batch, config.state_dim, generator=generator),
    )


def native_arguments(inputs: Pi0Inputs, config: Pi0Config) -> dict[str, Tensor]:
    """Return the same inputs as keyword arguments of PI0ForConditionalGeneration.

    That class wants an image token id in the prompt for each image token; rows must have the same
    number of cameras.
    """
    counts = inputs.image_mask.sum(1)
    places = int(counts[0]) * config.image_tokens
    image = inputs.tokens.new_full((inputs.batch, places), config.vocab)
    there = torch.ones_like(image, dtype=torch.bool)
    return {
        "input_ids": torch.cat([image, inputs.tokens], dim=1),
        "attention_mask": torch.cat([there, inputs.token_mask], dim=1).long(),
        "pixel_values": inputs.images,
        "pixel_attention_mask": inputs.image_mask,
        "state": inputs.state,
    }
