# SPDX-License-Identifier: Apache-2.0
"""The part of pi0 that does not depend on actions: images, prompt and state, encoded once.

Prefix tokens never see the suffix, and the state token sees neither actions nor time, so the keys
and values of both serve every flow sample in training and every Euler step in inference.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hiors_policy.pi0.attention import Memory, Rotation, block, keys_values, remat, rotation
from hiors_policy.pi0.inputs import Pi0Inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Keys and values that the action tokens attend to.

    Attributes:
        memories: one per layer, S = prefix tokens + 1 state token.
        mask: (B, S) bool of tokens that are there, or None when all are.
        length: (B,) int64 tokens that are there: the position of the first action.
    """

    memories: tuple[Memory, ...]
    mask: Tensor | None
    length: Tensor


def trainable(*modules: nn.Module) -> bool:
    """Say whether a gradient must reach any parameter of the modules."""
    return any(p.requires_grad for module in modules for p in module.parameters())


class ContextEncoder:
    """Runs the native vision tower, language model and (for the state) action expert."""

    def __init__(self, native: Any, head_dim: int, image_tokens: int) -> None:
        self._vision = native.model.vlm.vision_tower
        self._projector = native.model.vlm.multi_modal_projector
        self._language = native.model.vlm.language_model
        self._expert = native.model.dit
        self._state_proj = native.embed_action_time.state_proj
        self._head_dim = head_dim
        self._image_tokens = image_tokens
        self.rematerialise = False

    def encode(self, inputs: Pi0Inputs) -> Context:
        """Return the context of a batch; absent cameras and prompt padding cost nothing."""
        inputs = inputs.trimmed()
        return self.encode_tokens(self.embed(inputs), inputs)

    def embed(self, inputs: Pi0Inputs) -> Tensor:
        """Return the prefix tokens (B, P, width): cameras in order, then the prompt."""
        parts = []
        if inputs.images.shape[1]:
            tokens = self.embed_images(inputs.images.flatten(0, 1))
            parts.append(tokens.unflatten(0, inputs.images.shape[:2]).flatten(1, 2))
        weight = self._language.embed_tokens.weight
        parts.append(F.embedding(inputs.tokens, weight) * weight.shape[1] ** 0.5)
        dtype = self._language.layers[0].mlp.down_proj.weight.dtype
        return torch.cat([part.to(dtype) for part in parts], dim=1)

    def embed_images(self, images: Tensor) -> Tensor:
        """Return (N, image_tokens, width) for (N, 3, S, S) images."""
        with torch.set_grad_enabled(
            torch.is_grad_enabled() and trainable(self._vision, self._projector)
        ):
            first = self._vision.embeddings
            patches = first.patch_embedding(images.to(first.patch_embedding.weight.dtype))
            hidden = patches.flatten(2).transpose(1, 2) + first.position_embedding.weight
            layers = self._vision.encoder.layers
            hidden = hidden.to(layers[0].mlp.fc1.weight.dtype)
            for layer in layers:
                hidden = remat(self.rematerialise, layer, hidden, None)
            hidden = self._vision.post_layernorm(hidden)
            tokens: Tensor = self._projector(hidden.to(self._projector.linear.weight.dtype))
        return tokens

    def encode_tokens(self, hidden: Tensor, inputs: Pi0Inputs) -> Context:
        """Return the context of prefix tokens; ``inputs`` give the masks and the state."""
        there = inputs.valid(self._image_tokens)
        return self.attend(hidden, inputs.state, there, whole=bool(there.all()))

    def attend(self, hidden: Tensor, state: Tensor, there: Tensor, whole: bool) -> Context:
        """Run the language model over the prefix and the expert over the state.

        Args:
            hidden: (B, P, width). there: (B, P) bool; ``whole`` says that all are there, so that
                no mask is needed and the fastest attention kernels may be used.
        """
        memories = self._prefix(hidden, there.cumsum(1) - 1, None if whole else there)
        length = there.sum(1)
        mask = None if whole else F.pad(there, (0, 1), value=True)
        turn = rotation(length[:, None], self._head_dim)
        return Context(
            memories=self._state(state, memories, turn, mask), mask=mask, length=length + 1
        )

    def _prefix(self, hidden: Tensor, positions: Tensor, mask: Tensor | None) -> list[Memory]:
        turn = rotation(positions, self._head_dim)
        memories = []
        layers = self._language.layers
        for layer in layers[:-1]:
            hidden, keys, values = remat(
                self.rematerialise, block, layer, hidden, turn, None, mask
            )
            memories.append(Memory(keys, values))
        # Of the last layer only keys and values are ever read: its attention and MLP are left out.
        last = layers[-1]
        memories.append(keys_values(last, last.input_layernorm(hidden), turn, self._head_dim))
        return memories

    def _state(
        self, state: Tensor, memories: list[Memory], turn: Rotation, mask: Tensor | None
    ) -> tuple[Memory, ...]:
        layers = self._expert.layers
        dtype = layers[0].mlp.down_proj.weight.dtype
        hidden = project(self._state_proj, state)[:, None].to(dtype)
        joined = []
        for layer, memory in zip(layers[:-1], memories[:-1], strict=True):
            hidden, keys, values = remat(
                self.rematerialise, block, layer, hidden, turn, memory, mask
            )
            joined.append(memory.joined(keys, values))
        last = layers[-1]
        own = keys_values(last, last.input_layernorm(hidden), turn, self._head_dim)
        return (*joined, memories[-1].joined(*own))


def project(head: Any, x: Tensor) -> Tensor:
    """Apply one of pi0's heads in the head's own precision, under autocast too."""
    with torch.autocast(x.device.type, enabled=False):
        result: Tensor = head(x.to(head.weight.dtype))
    return result
