# SPDX-License-Identifier: Apache-2.0
"""Time of one chunk by stage, beside the plain network and the native class, in one run."""

import copy
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hiors_policy.pi0.example import example_inputs, native_arguments
from hiors_policy.pi0.images import camera_tensors
from hiors_policy.pi0.inputs import Pi0Inputs
from hiors_policy.pi0.model import Pi0
from hiors_policy.pi0.sampler import FastSampler
from hiors_policy.pi0.tuning import set_mode

Result = dict[str, Any]


def measure_latency(
    model: Pi0,
    *,
    cameras: int = 3,
    prompt: int = 20,
    steps: int = 10,
    modes: Sequence[str] = ("eager",),
    rounds: int = 20,
    warm_up: int = 3,
) -> Result:
    """Return milliseconds per chunk, batch 1, for the sampler's modes and two yardsticks.

    The yardsticks are "bare", ``Pi0.sample``, and "native", ``sample_actions`` of the class of
    transformers with all weights in the network's precision. Rounds go through all contestants in
    turn, so that a slower or faster spell of the machine touches all alike.
    """
    inputs = example_inputs(model.config, cameras=cameras, prompt=prompt).to(model.device)
    shape = (1, model.config.horizon, model.config.action_dim)
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(model.device)
    calls: dict[str, Callable[[], Tensor]] = {
        "bare": lambda: model.sample(inputs, noise=noise, steps=steps),
        "native": _native_call(model, inputs, noise, steps),
    }
    prepared: dict[str, Any] = {}
    for mode in modes:
        sampler = FastSampler(model, inputs, steps=steps, mode=mode)
        prepared[mode] = {"warm_up_s": round(sampler.warm_up(), 2), "sampler": sampler}
        calls[mode] = lambda s=sampler: s.sample(inputs, noise)  # type: ignore[misc]
    reference = calls["bare"]()
    result: Result = {
        "cameras": cameras, "prompt_tokens": prompt, "steps": steps, "batch": 1, "rounds": rounds,
        "device": _device_name(model.device), "torch": torch.__version__,
        "preprocess_ms": _preprocess(model, cameras, rounds),
    }  # fmt: skip
    result["contestants"] = _race(calls, model.device, rounds, warm_up)
    for mode, entry in prepared.items():
        row = result["contestants"][mode]
        row["warm_up_s"] = entry["warm_up_s"]
        row["stages_ms"] = _stages(entry["sampler"], inputs, noise, rounds)
        row["difference_from_bare"] = _difference(calls[mode](), reference)
    result["contestants"]["native"]["difference_from_bare"] = _difference(
        calls["native"](), reference
    )
    return result


def measure_sharing(model: Pi0, *, samples: int = 8, batch: int = 2, rounds: int = 3) -> Result:
    """Return milliseconds of forward and backward with K flow samples on one context and in K
    separate passes, and the largest relative difference of loss and gradient between the two.
    """
    config, device = model.config, model.device
    set_mode(model, "full")
    inputs = example_inputs(config, batch=batch, prompt=10).to(device)
    generator = torch.Generator().manual_seed(2)
    shape = (batch, config.horizon, config.action_dim)
    actions = torch.randn(shape, generator=generator).to(device)
    noise = torch.randn((batch, samples, *shape[1:]), generator=generator).to(device)
    time = torch.rand((batch, samples), generator=generator).to(device)

    def shared() -> Tensor:
        model.zero_grad(set_to_none=True)
        loss = model.loss(inputs, actions, noise=noise, time=time)
        loss.backward()
        return loss.detach()

    def separate() -> Tensor:
        model.zero_grad(set_to_none=True)
        total = torch.zeros((), device=device)
        for k in range(samples):
            loss = model.loss(inputs, actions, noise=noise[:, k], time=time[:, k]) / samples
            loss.backward()
            total += loss.detach()
        return total

    found = {}
    for name, call in (("shared", shared), ("separate", separate)):
        loss = call()
        found[name] = (loss, [p.grad.flatten() for p in model.parameters() if p.grad is not None])
    gradients = [torch.cat(parts).float() for _, parts in found.values()]
    took = _race({"shared": shared, "separate": separate}, device, rounds, 1)
    middle = {name: row["median_ms"] for name, row in took.items()}
    return {
        "samples": samples, "batch": batch, "shared_ms": middle["shared"],
        "separate_ms": middle["separate"],
        "ratio": round(middle["separate"] / middle["shared"], 2),
        "loss_difference": _difference(found["shared"][0], found["separate"][0]),
        "gradient_difference": _difference(*gradients),
    }  # fmt: skip


def _native_call(model: Pi0, inputs: Pi0Inputs, noise: Tensor, steps: int) -> Callable[[], Tensor]:
    dtype = model.native.model.dit.layers[0].mlp.down_proj.weight.dtype
    native = model.native
    if dtype != torch.float32:
        # The native class cannot run with float32 embeddings and norms in a bfloat16 network.
        native = copy.deepcopy(native).to(dtype)
    arguments = native_arguments(inputs, model.config)
    arguments = {n: t.to(dtype) if t.is_floating_point() else t for n, t in arguments.items()}
    start = noise.to(dtype)
    return lambda: native.sample_actions(noise=start, num_steps=steps, **arguments)


def _race(
    calls: Mapping[str, Callable[[], Tensor]], device: torch.device, rounds: int, warm_up: int
) -> Result:
    took: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(warm_up + rounds):
        for name, call in calls.items():
            elapsed = _milliseconds(call, device)
            if number >= warm_up:
                took[name].append(elapsed)
    return {name: _summary(values) for name, values in took.items()}


def _stages(sampler: FastSampler, inputs: Pi0Inputs, noise: Tensor, rounds: int) -> Result:
    times = [sampler.timed(inputs, noise)[1] for _ in range(rounds)]
    return {
        stage: round(statistics.median(getattr(t, stage) for t in times), 3)
        for stage in ("vision", "prefix", "denoise")
    }


def _preprocess(model: Pi0, cameras: int, rounds: int) -> float:
    names = [f"camera{number}" for number in range(cameras)]
    random = np.random.default_rng(0)
    images = {name: random.integers(0, 256, (480, 640, 3), dtype=np.uint8) for name in names}
    took = []
    for _ in range(rounds):
        start = time.perf_counter()
        camera_tensors(images, names, model.config.image_size)
        took.append(1e3 * (time.perf_counter() - start))
    return round(statistics.median(took), 3)


def _milliseconds(call: Callable[[], Any], device: torch.device) -> float:
    start = time.perf_counter()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return 1e3 * (time.perf_counter() - start)


def _summary(values: Sequence[float]) -> Result:
    ordered = sorted(values)
    return {
        "median_ms": round(statistics.median(ordered), 3),
        "min_ms": round(ordered[0], 3),
        "p95_ms": round(ordered[int(0.95 * (len(ordered) - 1))], 3),
    }


def _difference(found: Tensor, reference: Tensor) -> float:
    scale = reference.abs().max().clamp(min=1e-12)
    return float((found.float() - reference).abs().max() / scale)


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
