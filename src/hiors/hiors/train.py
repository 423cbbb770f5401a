# SPDX-License-Identifier: Apache-2.0
"""`hiors train`: the learner, on demonstrations or beside a graph. Imports no torch."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from hiors.options import Parser
from hiors.places import config_file, learner_program
from hiors_core.errors import InvalidValue
from hiors_link.address import check_address, check_open


def main(argv: Sequence[str]) -> int:
    """Become the learner process; its exit code is the command's."""
    words = learner_words(_parser().parse_args(argv))
    program = learner_program()
    os.execv(program[0], [*program, *words])  # noqa: S606 - its own program, no shell wanted


def learner_words(options: argparse.Namespace) -> list[str]:
    """Return the learner's arguments, or raise InvalidValue when they do not fit together."""
    offline = {"--demos": options.demos, "--steps": options.steps, "--out": options.out}
    missing = [name for name, value in offline.items() if value is None]
    if options.run is None and missing:
        raise InvalidValue(
            "Give --run DIR to learn beside a graph, or --demos STORE --steps N --out FOLDER to "
            f"train on demonstrations only; missing: {', '.join(missing)}."
        )
    _check(options)
    files = {
        "--robot": config_file("robots", options.robot),
        "--task": config_file("tasks", options.task),
        "--config": options.config or config_file("learner", "default"),
        "--policy": options.sees,
        "--run": options.run,
        "--start": options.start,
        **offline,
    }
    words = [str(w) for pair in files.items() if pair[1] is not None for w in pair]
    where = {
        "--ranks": options.ranks,
        "--hostfile": options.hostfile,
        "--interface": options.interface,
    }
    ranks = [str(w) for pair in where.items() if pair[1] for w in pair]
    listen = ["--listen", options.listen] if options.listen else []
    keys = ["--keys", str(options.keys)] if options.keys else []
    if listen:
        if options.run is None:
            raise InvalidValue("--listen needs --run DIR: robots send episodes into a run.")
        check_open(check_address(options.listen), keys=bool(keys))
    return [*ranks, *listen, *keys, *words]


def _check(options: argparse.Namespace) -> None:
    """Refuse what can be seen to be wrong before PyTorch is loaded."""
    for name, value in (("--steps", options.steps), ("--ranks", options.ranks)):
        if value is not None and value < 1:
            raise InvalidValue(f"{name} must be at least 1, got {value}.")
    if options.demos and not (options.demos / "episodes").is_dir():
        raise InvalidValue(
            f"--demos {options.demos} is no episode store: it has no folder 'episodes'."
        )
    if options.run and options.run.exists() and not options.run.is_dir():
        raise InvalidValue(f"--run {options.run} is a file; it must be a run folder.")
    if options.hostfile and not options.hostfile.is_file():
        raise InvalidValue(f"--hostfile {options.hostfile} is not a file.")
    if options.config and not options.config.is_file():
        raise InvalidValue(f"--config {options.config} is not a file.")
    if options.start and not (options.start / "manifest.json").is_file():
        raise InvalidValue(f"--start {options.start} is no checkpoint: it has no manifest.json.")
    if options.out and options.out.exists():
        raise InvalidValue(f"--out {options.out} exists: a checkpoint is never overwritten.")


def _parser() -> Parser:
    parser = Parser(prog="hiors train", description=__doc__)
    parser.add_argument("--run", type=Path, help="run folder: learn online from its episodes")
    parser.add_argument("--demos", type=Path, help="episode store with demonstrations")
    parser.add_argument("--steps", type=int, help="optimiser steps (offline)")
    parser.add_argument("--out", type=Path, help="checkpoint folder to write (offline)")
    parser.add_argument("--start", type=Path, help="checkpoint to start from")
    parser.add_argument("--robot", default="xtrainer", help="file in config/robots")
    parser.add_argument("--task", default="insert_moisturizer", help="file in config/tasks")
    parser.add_argument("--config", type=Path, help="learner file (config/learner/default.yaml)")
    parser.add_argument(
        "--sees", default="state", choices=("state", "vision"), help="what a new policy sees"
    )
    parser.add_argument(
        "--listen", help="let robots of other machines join, as tcp://0.0.0.0:5750 (with --run)"
    )
    parser.add_argument("--keys", type=Path, help="folder of keys (`hiors keys`), for --listen")
    parser.add_argument(
        "--ranks", type=int, help="training processes (default: as GPUs but one; 1 on a CPU)"
    )
    parser.add_argument(
        "--hostfile", type=Path, help="train on several machines: a line 'NAME slots=N' for each"
    )
    parser.add_argument(
        "--interface", help="network that those machines share, such as eth0 (with --hostfile)"
    )
    return parser
