# SPDX-License-Identifier: Apache-2.0
"""Memory of training a pi0 by mode and number of ranks: computed, and checked on this machine.

    hiors bench memory                       # the table of the full size, computed
    hiors bench memory -- --measure          # a middle size on the CPU: computed beside measured

Measured is the highest resident memory of rank 0 in two steps of the learner's own engine (gloo,
float32), less what was there before the network.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
for package in ("hiors_core", "hiors_policy", "hiors_link", "hiors_learner"):
    sys.path.insert(0, str(ROOT / "src" / package))

from hiors_learner.memory import Memory, activations, count, memory  # noqa: E402
from hiors_learner.settings import MODES, LearnerSettings, TuningSettings  # noqa: E402
from hiors_policy import pi0  # noqa: E402

GIB = 2**30
MIDDLE = {
    "width": 512, "mlp": 3072, "layers": 6, "head_dim": 64, "expert_width": 256,
    "expert_mlp": 1024, "vision_width": 256, "vision_layers": 6, "vision_heads": 4,
    "vision_mlp": 1024,
}  # fmt: skip


def main() -> None:
    """Print the table that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--batch", type=int, default=8, help="observations of one rank")
    parser.add_argument("--samples", type=int, default=4, help="K, flow samples on one prefix")
    parser.add_argument("--cameras", type=int, default=3)
    parser.add_argument("--prompt", type=int, default=20, help="tokens of the instruction")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=MODES)
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--worker", choices=MODES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options)
    elif options.measure:
        compare(options)
    else:
        table(options)


def computed(
    config: pi0.Pi0Config, tuning: TuningSettings, world: int, options: argparse.Namespace
) -> Memory:
    """Return what the arithmetic says of rank 0."""
    kept = activations(
        config, tuning, batch=options.batch, cameras=options.cameras, prompt=options.prompt,
        samples=options.samples,
    )  # fmt: skip
    return memory(*count(config, tuning), world, kept)


def table(options: argparse.Namespace) -> None:
    """Print Markdown: GiB of the full size."""
    ranks = options.ranks
    print("| mode | learn | weights | activations | " + " | ".join(f"G={g}" for g in ranks) + " |")
    print("|---" * (4 + len(ranks)) + "|")
    for mode in options.modes:
        for remat in (False, True):
            tuning = TuningSettings(mode=mode, gradient_checkpointing=remat)
            learning, _ = count(pi0.full_config(), tuning)
            found = [computed(pi0.full_config(), tuning, g, options) for g in ranks]
            cells = [found[0].weights, found[0].activations, *(f.total for f in found)]
            name = f"{mode}{', checkpointing' if remat else ''}"
            row = " | ".join(f"{cell / GIB:.1f}" for cell in cells)
            print(f"| {name} | {learning / 1e6:.0f} M | {row} |", flush=True)


def compare(options: argparse.Namespace) -> None:
    """Print Markdown: MiB of a middle size on the CPU, computed and measured."""
    options.batch, options.cameras = 2, 2
    print("| mode | ranks | computed | measured |\n|---|---|---|---|")
    for mode in options.modes:
        for world in (1, 2):
            config, tuning = pi0.tiny_config(**MIDDLE), TuningSettings(mode=mode)
            total = computed(config, tuning, world, options).total
            added = measured(mode, world)
            print(f"| {mode} | {world} | {total / 2**20:.0f} | {added:.0f} |", flush=True)


def measured(mode: str, world: int) -> float:
    """Return MiB that rank 0 of ``world`` has added at most."""
    from hiors_learner.team import free_port

    shared = {
        "WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()),
        "DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "1", "MALLOC_TRIM_THRESHOLD_": "0",
    }  # fmt: skip
    line = [sys.executable, __file__, "--worker", mode]
    ranks = [
        subprocess.Popen(
            line,
            env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for rank in range(world)
    ]
    said = [rank.communicate()[0] for rank in ranks]
    if any(rank.returncode for rank in ranks):
        raise SystemExit(f"a rank failed with {[rank.returncode for rank in ranks]}")
    return float(json.loads(said[0].splitlines()[-1])["added"]) / 2**20


def work(options: argparse.Namespace) -> None:
    """Do two steps as one of the ranks and print the memory that was added."""
    import deepspeed  # noqa: F401 - before the first reading
    import torch

    from hiors_core.robot import load_robot
    from hiors_learner.data import empty
    from hiors_learner.engine import Engine
    from hiors_learner.losses import make_batch, tune
    from hiors_learner.settings import DataSettings, LossSettings
    from hiors_learner.team import start_team
    from hiors_policy.pi0.tiny import tiny_policy

    team, cameras = start_team(), ("top", "left_wrist")
    robot = load_robot(ROOT / "config" / "robots" / "xtrainer.yaml", ["left"])
    tiny = tiny_policy(robot, cameras)
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    policy = tiny_policy(robot, cameras, config=pi0.tiny_config(**MIDDLE))
    del tiny
    tuning = TuningSettings(mode=options.worker)
    tune(policy, tuning)
    settings = LearnerSettings(
        data=DataSettings(batch_size=2 * team.world),
        loss=LossSettings(samples=options.samples),
        tuning=tuning,
    )
    engine = Engine(policy, settings, team)
    rows = empty(policy, 2 * team.world)
    rows.tokens[:, : min(options.prompt, rows.tokens.shape[1])], rows.mask[:] = 2, True
    rows.weight[:] = 1.0
    for step in range(2):
        engine.step(make_batch(rows, settings.loss, (0, step), team.rank, team.world))
    torch.distributed.barrier()
    print(json.dumps({"added": resident("VmHWM") - before}), flush=True)
    team.end()


def resident(kind: str) -> int:
    """Return a line of /proc/self/status in bytes: VmRSS is now, VmHWM the most so far."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(text.partition(f"{kind}:")[2].split()[0])


if __name__ == "__main__":
    main()
