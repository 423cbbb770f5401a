# SPDX-License-Identifier: Apache-2.0
"""Milliseconds per action chunk of pi0 by stage, against the bare network and the native class.

    python benchmarks/policy_latency.py                            # tiny network, CPU
    python benchmarks/policy_latency.py --size full --dtype bfloat16 --device cuda \
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
from hiors_policy.pi0.latency import measure_latency  # noqa: E402
from hiors_policy.pi0.precision import DTYPES  # noqa: E402
from hiors_policy.pi0.sampler import MODES  # noqa: E402


def main() -> None:
    """Measure as the command line says and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=("tiny", "full"), default="tiny")
    parser.add_argument("--checkpoint", help="a pi0 checkpoint, instead of random weights")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", choices=tuple(DTYPES), default="float32")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=["eager"])
    parser.add_argument("--cameras", type=int, default=3)
    parser.add_argument("--prompt", type=int, default=10, help="tokens of the instruction")
    parser.add_argument("--steps", type=int, default=10, help="Euler steps")
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    if options.checkpoint:
        model = pi0.load(options.checkpoint, dtype=DTYPES[options.dtype], device=options.device)
    else:
        config = pi0.tiny_config() if options.size == "tiny" else pi0.full_config()
        model = pi0.Pi0.random(config, device=options.device, dtype=DTYPES[options.dtype])
    report = measure_latency(
        model.eval(),
        cameras=options.cameras,
        prompt=options.prompt,
        steps=options.steps,
        modes=options.modes,
        rounds=options.rounds,
    )
    print(json.dumps({"size": options.size, "dtype": options.dtype, **report}, indent=2))


if __name__ == "__main__":
    main()
