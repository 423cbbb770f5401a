# SPDX-License-Identifier: Apache-2.0
"""Writes a picture of the simulated scene: `python -m hiors_sim.preview --out scene.png`."""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image as Picture

from hiors_core.robot import load_robot
from hiors_sim.rendering import SceneRenderer
from hiors_sim.simulation import RobotSim
from hiors_sim.task import load_sim_task


def main(argv: list[str] | None = None) -> int:
    """Render the chosen cameras side by side."""
    options = _options().parse_args(argv)
    task = load_sim_task(options.task)
    file = options.robot or options.task.parent.parent / "robots" / f"{task.task.robot}.yaml"
    sim = RobotSim(load_robot(file, [task.task.arm]), task, seed=options.seed)
    width, height = options.size
    renderer = SceneRenderer(sim.model, width=width, height=height, shadows=True)
    pictures = [renderer.render(name, sim.snapshot()) for name in options.cameras]
    renderer.close()
    Picture.fromarray(np.concatenate(pictures, axis=1)).save(options.out)
    return 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="PNG file to write")
    parser.add_argument("--robot", type=Path, help="robot file, by default the task's robot")
    parser.add_argument("--task", type=Path, default=Path("config/tasks/insert_moisturizer.yaml"))
    parser.add_argument("--seed", type=int, default=0, help="of the random start")
    parser.add_argument("--size", type=int, nargs=2, default=(480, 360), metavar=("W", "H"))
    parser.add_argument("--cameras", nargs="+", default=["top", "left_wrist", "right_wrist"])
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
