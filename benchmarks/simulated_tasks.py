# SPDX-License-Identifier: Apache-2.0
"""Simulated tasks: what the scripted expert achieves, how fast they run, what a clone learns.

For each task: demonstrations that succeed, their length, simulated against real time on one core;
then a policy on object poses is cloned from a few of them and evaluated alone, before and after.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from hiors.demo import stages
from hiors.demo.report import wilson
from hiors.places import config_file, learner_program
from hiors_core.robot import load_robot
from hiors_sim.environment import FastEnvironment
from hiors_sim.operator import ScriptedOperator
from hiors_sim.rollout import rollout
from hiors_sim.task import load_sim_task

TASKS = ("raise_hand", "pack_detergent", "insert_moisturizer", "insert_moisturizer_ee")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expert:
    """Successes ``k`` of ``n``, mean duration [s], simulated over CPU time."""

    k: int
    n: int
    mean: float
    factor: float


def main(argv: Sequence[str] | None = None) -> int:
    """Print a table in Markdown."""
    options = _options().parse_args(argv)
    print("| task | expert | mean [s] | x real time | before | after cloning | training [s] |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for name in options.tasks:
        task = load_sim_task(config_file("tasks", name))
        robot = load_robot(config_file("robots", task.task.robot), [task.task.arm])
        scene = stages.Scene(robot=robot, task=task)
        expert = _expert(scene, options.episodes)
        row = [name, _share(expert.k, expert.n), f"{expert.mean:.1f}", f"{expert.factor:.0f}"]
        if options.steps:
            row += _clone(scene, name, options)
        print("| " + " | ".join(row) + " |", flush=True)
    return 0


def _expert(scene: stages.Scene, count: int) -> Expert:
    environment = FastEnvironment(scene.robot, scene.task)
    operator = ScriptedOperator(scene.task, scene.robot.arms[0])
    begin = time.process_time()
    results = [rollout(environment, operator=operator, seed=seed) for seed in range(count)]
    cpu = time.process_time() - begin
    total = sum(r.duration for r in results)
    environment.close()
    return Expert(
        k=sum(r.success for r in results), n=count, mean=total / count, factor=total / cpu
    )


def _clone(scene: stages.Scene, name: str, options: argparse.Namespace) -> list[str]:
    """Return success before and after behaviour cloning, and the seconds of training."""
    seeds = stages.Seeds(seed=options.seed)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        stages.record_demonstrations(
            scene, root / "demos", seeds, options.demos, lambda done: None, images=False
        )
        untrained, _ = _train(scene, name, root, "before", 1)
        trained, seconds = _train(scene, name, root, "after", options.steps)
        results = [
            stages.evaluate(scene, checkpoints, seeds, options.evaluation)
            for checkpoints in (untrained, trained)
        ]
    return [*(_share(r["k"], r["n"]) for r in results), f"{seconds:.0f}"]


def _train(
    scene: stages.Scene, name: str, root: Path, version: str, steps: int
) -> tuple[Path, float]:
    """Return the folder with the checkpoint, and the seconds that it took."""
    config = yaml.safe_load(config_file("learner", "demo").read_text(encoding="utf-8"))
    config["policy"]["kind"] = scene.task.task.action_space
    file = root / "learner.yaml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    checkpoints, logs = root / version / "checkpoints", root / version / "logs"
    logs.mkdir(parents=True)
    words = {
        "--robot": config_file("robots", scene.robot.name),
        "--task": config_file("tasks", name),
        "--config": file,
        "--demos": root / "demos",
        "--steps": steps,
        "--out": checkpoints / "v000000-start",
    }
    begin = time.monotonic()
    arguments = [str(word) for pair in words.items() for word in pair]
    stages.run_learner([*learner_program(), *arguments], logs)
    return checkpoints, time.monotonic() - begin


def _share(k: int, n: int) -> str:
    _, low, high = wilson(k, n)
    return f"{k}/{n} [{100 * max(low, 0.0):.0f}, {100 * high:.0f}] %"


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="+", default=TASKS)
    parser.add_argument("--episodes", type=int, default=60, help="of the expert")
    parser.add_argument("--demos", type=int, default=30, help="to clone from")
    parser.add_argument("--steps", type=int, default=1500, help="of training; 0: do not clone")
    parser.add_argument("--evaluation", type=int, default=50, help="episodes of a policy alone")
    parser.add_argument("--seed", type=int, default=0)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
