# SPDX-License-Identifier: Apache-2.0
"""How much memory training a pi0 takes on each device. Arithmetic from sizes and counts.

Weights, gradients and AdamW are float32 here. ZeRO-2 keeps the weights whole on every rank and
shares out the rest: gradients, the optimiser's copy of the weights and its two moments. What a
forward pass keeps for the backward pass, in numbers for each token and layer (w width, m MLP, a of
all heads, k keys or values):

    Gemma    6 w + 4 m + 3 a + 2 k       SigLIP    8 w + 2 m

and for each flow sample a copy of the keys and values that its action tokens attend to. With
gradient checkpointing it is the input of each layer, w, and one layer in full.
"""

from dataclasses import dataclass

from hiors_learner.flops import BACKWARD
from hiors_learner.settings import TuningSettings
from hiors_policy.pi0.architecture import Pi0Config

FLOAT = 4
BUCKET = 5 * 10**8
"""Numbers that DeepSpeed gathers before it adds up gradients (reduce_bucket_size)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Bytes on one device.

    Attributes:
        weights: whole. gradients, optimizer: this rank's share; the optimiser's are a copy of the
            weights and two moments. bucket: gradients on their way. average: moving average, on
            rank 0. activations: kept from forward to backward.
    """

    weights: int
    gradients: int
    optimizer: int
    bucket: int
    average: int
    activations: int

    @property
    def total(self) -> int:
        """All of it, on rank 0."""
        parts = (self.weights, self.gradients, self.optimizer, self.bucket, self.average)
        return sum(parts) + self.activations


def count(config: Pi0Config, tuning: TuningSettings) -> tuple[int, int]:
    """Return how many parameters learn and how many do not."""
    from hiors_policy.pi0 import LoraSettings, Pi0, set_mode
    from hiors_policy.pi0.native import empty_native

    model = Pi0(config, empty_native(config))
    lora = LoraSettings(rank=tuning.lora_rank, expert_rank=tuning.lora_expert_rank)
    learning = sum(p.numel() for p in set_mode(model, tuning.mode, lora))
    return learning, sum(p.numel() for p in model.parameters()) - learning


def memory(learning: int, frozen: int, world: int, activations: int = 0) -> Memory:
    """Return the memory of rank 0 of ``world`` with so many parameters that learn or do not."""
    share = -(-learning // world)
    return Memory(
        weights=FLOAT * (learning + frozen),
        gradients=FLOAT * share,
        optimizer=3 * FLOAT * share,
        bucket=FLOAT * min(BUCKET, learning),
        average=FLOAT * learning,
        activations=activations,
    )


def activations(
    config: Pi0Config,
    tuning: TuningSettings,
    *,
    batch: int,
    cameras: int,
    prompt: int,
    samples: int,
) -> int:
    """Return the bytes that one rank keeps for the backward pass.

    Args:
        batch: observations of this rank. samples: K. Others as of a pi0's inputs.
    """
    c, remat = config, tuning.gradient_checkpointing
    vision, prefix, _ = BACKWARD[tuning.mode]
    heads, kv = c.heads * c.head_dim, c.kv_heads * c.head_dim
    seen = cameras * c.image_tokens + prompt

    def gemma(width: int, mlp: int, tokens: int, layers: int) -> int:
        layer = tokens * (6 * width + 4 * mlp + 3 * heads + 2 * kv)
        return layers * tokens * width + layer if remat else layers * layer

    kept = 0
    if vision:
        tokens = cameras * c.image_tokens
        layer = tokens * (8 * c.vision_width + 2 * c.vision_mlp)
        inputs = c.vision_layers * tokens * c.vision_width
        kept += inputs + layer if remat else c.vision_layers * layer
    if prefix:
        kept += gemma(c.width, c.mlp, seen, c.layers - 1)
    rows = samples * c.horizon
    kept += gemma(c.expert_width, c.expert_mlp, rows + 1, c.layers)
    copies = samples * 2 * kv * (seen + 1)
    own = 2 * kv * rows
    kept += (1 if remat else c.layers) * (copies + own)
    if remat:
        kept += c.layers * 2 * kv * (seen + 1)
    return FLOAT * batch * kept
