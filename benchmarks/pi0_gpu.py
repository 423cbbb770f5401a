# SPDX-License-Identifier: Apache-2.0
"""Everything about pi0 that only a GPU can tell, in one command; prints one JSON object per part.

    python benchmarks/pi0_gpu.py                       # full size, bfloat16, 3 cameras
    python benchmarks/pi0_gpu.py --size tiny --device cpu --rounds 3   # the script itself

Parts: parity (float32, tiny: network against the native class, every sampler mode against the
network), latency (milliseconds per chunk by stage and mode), training (milliseconds and memory of
an iteration per mode), sharing (K flow samples on one context against K passes). It needs torch,
transformers, safetensors, numpy and pillow, and for the mode "lora" peft; random weights.
"""

import argparse
import gc
import json
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

for package in ("hiors_core", "hiors_policy"):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src" / package))

import torch  # noqa: E402

from hiors_policy import pi0  # noqa: E402
from hiors_policy.pi0.example import example_inputs, native_arguments  # noqa: E402
from hiors_policy.pi0.latency import measure_latency  # noqa: E402

Result = dict[str, Any]


def main() -> None:
    """Run the parts that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=("tiny", "full"), default="full")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--parts", nargs="+", default=["parity", "latency", "sharing", "training"])
    options = parser.parse_args()
    config = pi0.tiny_config() if options.size == "tiny" else pi0.full_config()
    graphs = ["graph", "compile_graph"] if options.device == "cuda" else []
    parts: dict[str, Callable[[], Result]] = {
        "parity": lambda: parity(options.device, ["eager", *graphs[:1]]),
        "latency": lambda: latency(config, options.device, ["eager", *graphs], options.rounds),
        "sharing": lambda: sharing(config, options.device, options.batch),
        "training": lambda: training(config, options.device, options.batch),
    }
    for name in options.parts:
        start = time.perf_counter()
        try:
            result = parts[name]()
        except Exception:  # noqa: BLE001 - one part must not take the others along
            result = {"error": traceback.format_exc(limit=4)}
        result["took_s"] = round(time.perf_counter() - start, 1)
        print(json.dumps({"part": name, "size": options.size, **result}), flush=True)
        _clean(options.device)


def parity(device: str, modes: list[str]) -> Result:
    """Compare the network with the native class and with the sampler's modes, float32."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    config = pi0.tiny_config()
    model = pi0.Pi0.random(config, std=0.15, device=device)
    inputs = example_inputs(config, batch=2, cameras=3, absent=1, prompt=9).to(device)
    noise = torch.randn(2, config.horizon, config.action_dim, device=device)
    sampled = model.sample(inputs, noise=noise)
    native = model.native.sample_actions(noise=noise, **native_arguments(inputs, config))
    result: Result = {"native": _relative(native, sampled)}
    for mode in modes:
        sampler = pi0.FastSampler(model, inputs, mode=mode)
        sampler.warm_up()
        result[mode] = _relative(sampler.sample(inputs, noise), sampled)
    return result


def latency(config: pi0.Pi0Config, device: str, modes: list[str], rounds: int) -> Result:
    """Measure milliseconds per chunk, bfloat16, three cameras."""
    model = pi0.Pi0.random(config, dtype=torch.bfloat16, device=device).eval()
    result = measure_latency(model, cameras=3, prompt=10, modes=modes, rounds=rounds)
    del model
    return result


def sharing(config: pi0.Pi0Config, device: str, batch: int) -> Result:
    """K = 8 flow samples on one context against 8 passes; forward and backward."""
    model = pi0.Pi0.random(config, dtype=torch.bfloat16, device=device)
    pi0.set_mode(model, "full")
    model.use_gradient_checkpointing()
    rows = max(1, batch // 4)
    inputs = example_inputs(config, batch=rows, prompt=10).to(device)
    actions = torch.randn(rows, config.horizon, config.action_dim, device=device)

    def shared() -> None:
        model.zero_grad(set_to_none=True)
        model.loss(inputs, actions, samples=8).backward()

    def separate() -> None:
        model.zero_grad(set_to_none=True)
        for _ in range(8):
            (model.loss(inputs, actions) / 8).backward()

    result = {name: _timed(call, device, 3) for name, call in
              (("shared_ms", shared), ("separate_ms", separate))}  # fmt: skip
    return {**result, "batch": rows, "ratio": result["separate_ms"] / result["shared_ms"]}


def training(config: pi0.Pi0Config, device: str, batch: int) -> Result:
    """Measure an iteration of each training mode and its peak memory."""
    cases = (
        ("full", True, 1), ("full", True, 4), ("full", False, 1),
        ("vision_frozen", True, 1), ("expert_only", False, 1), ("lora", True, 1),
    )  # fmt: skip
    result: Result = {"batch": batch, "cases": []}
    for mode, checkpointing, samples in cases:
        try:
            case = _iteration(config, device, batch, mode, checkpointing, samples)
        except Exception as error:  # noqa: BLE001 - out of memory is a result too
            case = {"error": f"{type(error).__name__}: {error}"[:300]}
        case = {"mode": mode, "checkpointing": checkpointing, "samples": samples, **case}
        result["cases"].append(case)
        print(json.dumps(case), file=sys.stderr, flush=True)
        _clean(device)
    return result


def _iteration(
    config: pi0.Pi0Config, device: str, batch: int, mode: str, checkpointing: bool, samples: int
) -> Result:
    """Forward, backward, AdamW on float32 masters; 5 iterations after 2 of warm-up."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    model = pi0.Pi0.random(config, dtype=torch.bfloat16, device=device)
    learning = pi0.set_mode(model, mode)
    model.use_gradient_checkpointing(checkpointing)
    masters = pi0.MasterWeights(learning)
    optimizer = torch.optim.AdamW(masters.copies, lr=2.5e-5, fused=device == "cuda")
    inputs = example_inputs(config, batch=batch, prompt=10).to(device)
    actions = torch.randn(batch, config.horizon, config.action_dim, device=device)

    def iteration() -> None:
        model.loss(inputs, actions, samples=samples).backward()
        masters.take_gradients()
        optimizer.step()
        masters.write_back()

    took = _timed(iteration, device, 5)
    peak = torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else 0.0
    return {
        "ms": took,
        "peak_gib": round(peak, 2),
        "samples_per_s": round(1e3 * batch / took, 2),
        "learning_parameters": sum(p.numel() for p in learning),
    }


def _timed(call: Callable[[], None], device: str, count: int) -> float:
    for _ in range(2):
        call()
    _synchronise(device)
    start = time.perf_counter()
    for _ in range(count):
        call()
    _synchronise(device)
    return round(1e3 * (time.perf_counter() - start) / count, 2)


def _synchronise(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def _clean(device: str) -> None:
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()


def _relative(found: torch.Tensor, reference: torch.Tensor) -> float:
    return float((found - reference).abs().max() / reference.abs().max())


if __name__ == "__main__":
    main()
