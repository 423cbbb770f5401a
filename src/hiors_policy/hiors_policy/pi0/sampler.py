# SPDX-License-Identifier: Apache-2.0
"""Fast inference for one fixed shape of input: static buffers, compilation, CUDA graphs.

Use ``Pi0.sample`` for any shape; use this where the same robot asks again and again. The weights
are read when it is made: make a new one for a new checkpoint.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from hiors_core.errors import InvalidValue, StateError, UnknownName
from hiors_policy.pi0.attention import Memory, rotation
from hiors_policy.pi0.flow_time import euler_times
from hiors_policy.pi0.fused import FusedExpert
from hiors_policy.pi0.inputs import Pi0Inputs
from hiors_policy.pi0.lora import has_lora
from hiors_policy.pi0.model import Pi0

MODES = ("eager", "graph", "compile", "compile_graph")
"""eager: any device; graph: CUDA graphs; compile: torch.compile; compile_graph: both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTimes:
    """Wall time of one chunk by stage [ms]."""

    vision: float
    prefix: float
    denoise: float

    @property
    def total(self) -> float:
        return self.vision + self.prefix + self.denoise


class FastSampler:
    """Samples chunks of one shape.

    The key-value buffer holds prefix, state and H action places; an Euler step overwrites the last
    H places and attends to the whole buffer, so nothing grows, is copied or is cropped.
    """

    def __init__(self, model: Pi0, example: Pi0Inputs, *, steps: int = 10, mode: str = "eager"):
        """Prepare for inputs of the example's shape, cameras and prompt length.

        Args:
            example: cameras and prompt places that are masked in all its rows are left out for
                good; every later call must have the same masks.
        """
        if mode not in MODES:
            raise UnknownName("sampler mode", mode, MODES)
        if "graph" in mode and model.device.type != "cuda":
            raise InvalidValue(
                f"Mode '{mode}' needs a CUDA device, the network is on {model.device}"
            )
        if has_lora(model.native):
            raise StateError("Merge the LoRA adapters first: hiors_policy.pi0.merge_lora")
        self._model, self._mode = model, mode
        self._masks = (example.image_mask.cpu(), example.token_mask.cpu())
        self._inputs = _static(example.trimmed().to(model.device))
        step, times = euler_times(steps)
        self._step = float(step)
        with torch.no_grad():
            self._expert = FusedExpert(model, times)
            self._allocate()
        self._vision: Callable[[], Any] = self._run_vision
        self._prefix: Callable[[], Any] = self._run_prefix
        self._denoise: Callable[[], Any] = self._run_denoise
        self._advance: Callable[[Tensor, Tensor], Tensor] = self._run_step
        self.warmed = False

    def warm_up(self) -> float:
        """Compile, capture and run once; return the seconds it took. Call it before arming."""
        start = time.perf_counter()
        with torch.no_grad():
            if self._mode.startswith("compile"):
                self._vision = torch.compile(self._run_vision, dynamic=False)
                self._prefix = torch.compile(self._run_prefix, dynamic=False)
                # One step, used for all: compiling the whole loop takes ten times as long.
                self._advance = torch.compile(self._run_step, dynamic=False)
            self._run()
            if self._mode.endswith("graph"):
                self._vision = _captured(self._vision)
                self._prefix = _captured(self._prefix)
                self._denoise = _captured(self._denoise)
            self._run()
        self._synchronise()
        self.warmed = True
        return time.perf_counter() - start

    def accepts(self, inputs: Pi0Inputs) -> bool:
        """Say whether the inputs have the batch, cameras and prompt length this was made for."""
        masks = (inputs.image_mask.cpu(), inputs.token_mask.cpu())
        pairs = zip(masks, self._masks, strict=True)
        return all(a.shape == b.shape and torch.equal(a, b) for a, b in pairs)

    @torch.no_grad()
    def sample(self, inputs: Pi0Inputs, noise: Tensor, fixed: Tensor | None = None) -> Tensor:
        """Return (B, H, action_dim) float32; see Pi0.sample. ``noise`` is not changed."""
        if not self.warmed:
            self.warm_up()
        self._fill(inputs, noise, fixed)
        self._run()
        return self._x.clone()

    @torch.no_grad()
    def timed(self, inputs: Pi0Inputs, noise: Tensor) -> tuple[Tensor, StageTimes]:
        """Sample and measure each stage, waiting for the device after each."""
        if not self.warmed:
            self.warm_up()
        self._fill(inputs, noise, None)
        took = []
        for stage in (self._vision, self._prefix, self._denoise):
            self._synchronise()
            start = time.perf_counter()
            stage()
            self._synchronise()
            took.append(1e3 * (time.perf_counter() - start))
        times = StageTimes(vision=took[0], prefix=took[1], denoise=took[2])
        return self._x.clone(), times

    def _allocate(self) -> None:
        config, inputs = self._model.config, self._inputs
        batch, horizon = inputs.batch, config.horizon
        device = self._model.device
        there = inputs.valid(config.image_tokens)
        self._whole = bool(there.all())
        self._mask = None if self._whole else F.pad(there, (0, 1 + horizon), value=True)
        start = there.sum(1) + 1
        rows = torch.arange(horizon, device=device)
        self._turn = rotation(start[:, None] + rows, config.head_dim)
        self._x = torch.zeros(batch, horizon, config.action_dim, device=device)
        self._known = torch.zeros_like(self._x)
        self._fixed = torch.zeros(batch, horizon, 1, dtype=torch.bool, device=device)
        native: Any = self._model.native
        dtype = native.model.dit.layers[0].mlp.down_proj.weight.dtype
        shape = (batch, config.kv_heads, there.shape[1] + 1 + horizon, config.head_dim)
        self._buffers = [
            Memory(*(torch.zeros(shape, dtype=dtype, device=device) for _ in range(2)))
            for _ in range(config.layers)
        ]
        self._tokens = self._model.encoder.embed(inputs).clone()

    def _fill(self, inputs: Pi0Inputs, noise: Tensor, fixed: Tensor | None) -> None:
        if not self.accepts(inputs):
            raise InvalidValue(
                "The inputs have other cameras or another prompt length than the sampler was "
                "made for: make a new FastSampler"
            )
        if noise.shape != self._x.shape:
            raise InvalidValue(
                f"noise must have shape {tuple(self._x.shape)}, got {tuple(noise.shape)}"
            )
        kept = inputs.trimmed()
        self._inputs.images.copy_(kept.images, non_blocking=True)
        self._inputs.tokens.copy_(kept.tokens, non_blocking=True)
        self._inputs.state.copy_(kept.state, non_blocking=True)
        self._x.copy_(noise, non_blocking=True)
        count = 0 if fixed is None else fixed.shape[1]
        self._fixed[:, :count] = True
        self._fixed[:, count:] = False
        if fixed is not None:
            self._known[:, :count] = fixed.to(self._known)

    def _run(self) -> None:
        self._vision()
        self._prefix()
        self._denoise()

    def _run_vision(self) -> None:
        self._tokens.copy_(self._model.encoder.embed(self._inputs))

    def _run_prefix(self) -> None:
        there = self._inputs.valid(self._model.config.image_tokens)
        context = self._model.encoder.attend(self._tokens, self._inputs.state, there, self._whole)
        for buffer, memory in zip(self._buffers, context.memories, strict=True):
            length = memory.keys.shape[2]
            buffer.keys[:, :, :length] = memory.keys
            buffer.values[:, :, :length] = memory.values

    def _run_denoise(self) -> None:
        x = self._x
        for bias in self._expert.biases[:-1]:
            x = self._advance(bias, x)
        self._x.copy_(torch.where(self._fixed, self._known, x))

    def _run_step(self, bias: Tensor, x: Tensor) -> Tensor:
        x = torch.where(self._fixed, self._known, x)
        velocity = self._expert.velocity(
            bias, x, self._turn, self._buffers, self._mask, self._fixed
        )
        return x + self._step * velocity

    def _synchronise(self) -> None:
        if self._model.device.type == "cuda":
            torch.cuda.synchronize(self._model.device)


def _static(inputs: Pi0Inputs) -> Pi0Inputs:
    names = ("images", "image_mask", "tokens", "token_mask", "state")
    return Pi0Inputs(**{name: getattr(inputs, name).clone() for name in names})


def _captured(stage: Callable[[], Any]) -> Callable[[], None]:
    """Record a stage as a CUDA graph; what it reads and writes must stay where it is."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        stage()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        stage()
    return graph.replay
