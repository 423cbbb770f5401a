# SPDX-License-Identifier: Apache-2.0
"""Milliseconds per action chunk of pi0 by stage, against the bare network and the native class.

    hiors bench policy                                             # the same as:
    python benchmarks/policy.py                                    # tiny network, CPU
    python benchmarks/policy.py --size full --dtype bfloat16 --device cuda \
        --modes eager graph compile_graph

Random weights by default, since values do not change the time; --checkpoint takes real ones.
"""

import argparse
import json
import sys
from pathlib import Path

for package in ("hiors_core", "hiors_policy"):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src" / package))

from hiors_policy import pi0  # noqa: E402
from hiors_policy.pi0.latency import measure_latency, measure_sharing  # noqa: E402
from hiors_policy.pi0.precision import DTYPES  # noqa: E402
from hiors_policy.pi0.sampler import MODES  # noqa: E402

SIZES = {
    "tiny": pi0.tiny_config,
    "middle": lambda: pi0.tiny_config(
        width=256, mlp=1024, layers=6, head_dim=32, expert_width=128, expert_mlp=512,
        vision_width=128, vision_layers=4, vision_heads=4, vision_mlp=512, image_size=112,
        horizon=50, prompt_tokens=48,
    ),
    "full": pi0.full_config,
}  # fmt: skip
"""middle: large enough that arithmetic, not the calls, takes the time on a CPU."""


def main() -> None:
    """Measure as the command line says and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=tuple(SIZES), default="tiny")
    parser.add_argument("--checkpoint", help="a pi0 checkpoint, instead of random weights")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", choices=tuple(DTYPES), default="float32")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=["eager"])
    parser.add_argument("--cameras", type=int, default=3)
    parser.add_argument("--prompt", type=int, default=10, help="tokens of the instruction")
    parser.add_argument("--steps", type=int, default=10, help="Euler steps")
    parser.add_argument("--samples", type=int, default=8, help="K, flow samples on one prefix")
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    if options.checkpoint:
        model = pi0.load(options.checkpoint, dtype=DTYPES[options.dtype], device=options.device)
    else:
        config = SIZES[options.size]()
        model = pi0.Pi0.random(config, device=options.device, dtype=DTYPES[options.dtype])
    report = measure_latency(
        model.eval(),
        cameras=options.cameras,
        prompt=options.prompt,
        steps=options.steps,
        modes=options.modes,
        rounds=options.rounds,
    )
    report["sharing"] = measure_sharing(model, samples=options.samples)
    if model.device.type != "cuda":
        report["gpu"] = "not measured: no CUDA device was used, so no graphs and no compiled modes"
    print(json.dumps({"size": options.size, "dtype": options.dtype, **report}, indent=2))


if __name__ == "__main__":
    main()
