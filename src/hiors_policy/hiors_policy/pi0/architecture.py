# SPDX-License-Identifier: Apache-2.0
"""The sizes of a pi0 network, and how to read them off a checkpoint. Knows no weights."""

import logging
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from hiors_core.errors import IntegrityError, InvalidValue, UnknownName

_LOG = logging.getLogger(__name__)

VLM = "paligemma_with_expert.paligemma.model."
EXPERT = "paligemma_with_expert.gemma_expert.model."


@dataclass(frozen=True, slots=True, kw_only=True)
class Pi0Config:
    """Sizes of the three towers and the heads. The defaults are those of the published pi0.

    Attributes:
        vision_*: SigLIP encoder; ``image_size`` [px] is a multiple of ``patch_size`` [px].
        width, layers, heads, kv_heads, head_dim, mlp, vocab: the language model (Gemma-2B).
        expert_width, expert_mlp: the action expert; it has the layers and heads of the other.
        horizon: H, rows of an action chunk. state_dim, action_dim: padded columns.
        prompt_tokens: length to which a prompt is padded or cut.
        min_period, max_period: of the sinusoidal embedding of flow time.
    """

    vision_width: int = 1152
    vision_layers: int = 27
    vision_heads: int = 16
    vision_mlp: int = 4304
    image_size: int = 224
    patch_size: int = 14
    width: int = 2048
    layers: int = 18
    heads: int = 8
    kv_heads: int = 1
    head_dim: int = 256
    mlp: int = 16384
    vocab: int = 257152
    expert_width: int = 1024
    expert_mlp: int = 4096
    horizon: int = 50
    state_dim: int = 32
    action_dim: int = 32
    prompt_tokens: int = 48
    min_period: float = 4e-3
    max_period: float = 4.0

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
                raise InvalidValue(f"Pi0Config.{item.name} must be above 0, got {value!r}")
        pairs = (
            ("image_size", "patch_size"),
            ("vision_width", "vision_heads"),
            ("heads", "kv_heads"),
            ("head_dim", 2),
            ("expert_width", 2),
        )
        for name, other in pairs:
            by = getattr(self, other) if isinstance(other, str) else other
            if getattr(self, name) % by:
                raise InvalidValue(
                    f"Pi0Config.{name} must be a multiple of {other} = {by}, "
                    f"got {getattr(self, name)}"
                )

    @property
    def image_tokens(self) -> int:
        """Tokens of one camera image."""
        return (self.image_size // self.patch_size) ** 2

    def changed(self, values: Mapping[str, Any]) -> "Pi0Config":
        """Return a copy with some values replaced; an unknown name is refused."""
        allowed = [item.name for item in fields(self)]
        for name in values:
            if name not in allowed:
                raise UnknownName("pi0 size", name, allowed)
        return replace(self, **values)

    def as_dict(self) -> dict[str, int | float]:
        """Return the values as plain numbers, for a manifest."""
        return asdict(self)


def full_config() -> Pi0Config:
    """Return the sizes of the published pi0 (3.24e9 used parameters)."""
    return Pi0Config()


def tiny_config(**changes: Any) -> Pi0Config:
    """Return a network of about 1e5 parameters with every part of the real one, for the CPU."""
    tiny = Pi0Config(
        vision_width=32, vision_layers=2, vision_heads=2, vision_mlp=48,
        image_size=56, width=64, layers=3, head_dim=16, mlp=96, vocab=320,
        expert_width=32, expert_mlp=64, horizon=10, prompt_tokens=16,
    )  # fmt: skip
    return tiny.changed(changes)


def infer_config(shapes: Mapping[str, tuple[int, ...]], hints: Mapping[str, Any]) -> Pi0Config:
    """Read the sizes off the shapes of a checkpoint with canonical names.

    Shapes do not tell the numbers of heads, the horizon and the prompt length: they come from
    ``hints`` (fields of Pi0Config), else they are those of the published pi0 with its one
    key-value head, and for SigLIP 16 heads, or 72 columns each where 16 does not divide.
    """
    vision = f"{VLM}vision_tower.vision_model."
    try:
        key = shapes[f"{VLM}language_model.layers.0.self_attn.k_proj.weight"]
        query = shapes[f"{VLM}language_model.layers.0.self_attn.q_proj.weight"]
        patch = shapes[f"{vision}embeddings.patch_embedding.weight"]
        positions = shapes[f"{vision}embeddings.position_embedding.weight"][0]
        sizes: dict[str, Any] = {
            "vision_width": patch[0],
            "vision_layers": _count(shapes, f"{vision}encoder.layers."),
            "vision_mlp": shapes[f"{vision}encoder.layers.0.mlp.fc1.weight"][0],
            "patch_size": patch[2],
            "image_size": math.isqrt(positions) * patch[2],
            "width": query[1],
            "layers": _count(shapes, f"{VLM}language_model.layers."),
            "mlp": shapes[f"{VLM}language_model.layers.0.mlp.gate_proj.weight"][0],
            "vocab": shapes[f"{VLM}language_model.embed_tokens.weight"][0],
            "expert_width": shapes["state_proj.weight"][0],
            "expert_mlp": shapes[f"{EXPERT}layers.0.mlp.gate_proj.weight"][0],
            "state_dim": shapes["state_proj.weight"][1],
            "action_dim": shapes["action_in_proj.weight"][1],
        }
    except (KeyError, IndexError) as error:
        raise IntegrityError(
            f"The checkpoint lacks {error}: its sizes cannot be read from it. Is it a pi0?"
        ) from error
    kv_heads = int(hints.get("kv_heads", 1))
    head_dim = int(hints.get("head_dim", key[0] // kv_heads))
    sizes |= {"kv_heads": kv_heads, "head_dim": head_dim, "heads": query[0] // head_dim}
    sizes["vision_heads"] = 16 if patch[0] % 16 == 0 else max(1, patch[0] // 72)
    if "vision_heads" not in hints and patch[0] != Pi0Config().vision_width:
        _LOG.warning(
            "The checkpoint does not tell the number of SigLIP heads of this unusual width %d: "
            "taking %d. Give it as sizes={'vision_heads': n} or in config.json.",
            patch[0],
            sizes["vision_heads"],
        )
    return Pi0Config().changed({**sizes, **hints})


def _count(shapes: Mapping[str, tuple[int, ...]], prefix: str) -> int:
    rest = {name.removeprefix(prefix).split(".")[0] for name in shapes if name.startswith(prefix)}
    return len(rest)
