# SPDX-License-Identifier: Apache-2.0
"""Tokens and floating point operations of one optimiser step of a pi0. Arithmetic only.

A matrix product of (m, k) and (k, n) counts 2 m k n, attention as its two products; norms,
activations and softmax count nothing (the counting of PaLM, arXiv 2204.02311, appendix B).
Forward, of one observation with C cameras of n patches each, a prompt of T tokens, P = C n + T:

    vision   C [2 n (layers (4 w² + 2 w m) + 3 p² w + w W) + layers 4 n² w]
    prefix   all layers but the last: 2 P (q + k + v + o + mlp) + 4 P² heads d;
             the last layer: 2 P (k + v)
    suffix   K samples of H action tokens, and the state once: 2 t (q + k + v + o + mlp), attention
             4 t (P + 1 + t) heads d for each sample; the heads

Backward costs twice the forward where weights learn, and nothing before the first weight that
learns. Where gradients only pass through to weights that learn (LoRA) products with weights cost
once the forward, attention twice as ever; the adapters themselves, a hundredth, are left out. What
gradient checkpointing computes again is not counted: it is not the model's work.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hiors_learner.metrics import Work
from hiors_learner.settings import LearnerSettings
from hiors_policy.pi0.adapter import Pi0Policy
from hiors_policy.pi0.architecture import Pi0Config

BACKWARD = {
    "full": (2, 2, 2),
    "vision_frozen": (0, 2, 2),
    "expert_only": (0, 0, 2),
    "lora": (0, 1, 1),
}
"""Of products with weights in vision, prefix and suffix, in times the forward, by mode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Floating point operations of the forward pass of one observation, in one of three parts.

    weights: of products with weights. attention: of activations with each other.
    """

    weights: float
    attention: float


def tokens(config: Pi0Config, cameras: int, prompt: int, samples: int) -> int:
    """Return the tokens of one observation: prefix, state, and K chunks of actions."""
    return cameras * config.image_tokens + prompt + 1 + samples * config.horizon


def forward(config: Pi0Config, cameras: int, prompt: int, samples: int) -> tuple[Part, Part, Part]:
    """Return vision, prefix and suffix of one observation with K flow samples on one prefix."""
    c, heads = config, config.heads * config.head_dim
    kv = 2 * c.kv_heads * c.head_dim

    layer = 4 * c.vision_width**2 + 2 * c.vision_width * c.vision_mlp
    once = 3 * c.patch_size**2 * c.vision_width + c.vision_width * c.width
    n = c.image_tokens
    vision = Part(
        weights=cameras * 2 * n * (c.vision_layers * layer + once),
        attention=cameras * c.vision_layers * 4 * n**2 * c.vision_width,
    )

    seen = cameras * n + prompt
    layer = c.width * (2 * heads + kv + 3 * c.mlp)
    prefix = Part(
        weights=2 * seen * ((c.layers - 1) * layer + c.width * kv),
        attention=(c.layers - 1) * 4 * seen**2 * heads,
    )

    layer = c.expert_width * (2 * heads + kv + 3 * c.expert_mlp)
    embedding = c.action_dim * c.expert_width + 3 * c.expert_width**2
    t = samples * c.horizon
    action = c.layers * layer + embedding + c.expert_width * c.action_dim
    state = (c.layers - 1) * layer + c.expert_width * (kv + c.state_dim)
    pairs = c.layers * t * (seen + 1 + c.horizon) + (c.layers - 1) * (seen + 1)
    suffix = Part(weights=2 * (t * action + state), attention=4 * pairs * heads)
    return vision, prefix, suffix


def step(parts: Sequence[Part], mode: str, batch_size: int) -> float:
    """Return the operations of forward and backward of one step on all ranks together."""
    backward = zip(parts, BACKWARD[mode], strict=True)
    each = sum(p.weights * (1 + b) + p.attention * (3 if b else 1) for p, b in backward)
    return batch_size * each


def work(policy: Pi0Policy, settings: LearnerSettings, prompt: int, world: int) -> Work:
    """Return what one step is; ``prompt`` is the longest one in the data [tokens]."""
    size, samples = settings.data.batch_size, settings.loss.samples
    config, cameras = policy.network.config, len(policy.spec.cameras)
    parts = forward(config, cameras, prompt, samples)
    return Work(
        samples=size,
        tokens=size * tokens(config, cameras, prompt, samples),
        flops=step(parts, settings.tuning.mode, size),
        peak=settings.output.peak_tflops * 1e12 * world or None,
    )
