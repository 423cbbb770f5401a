# SPDX-License-Identifier: Apache-2.0
"""`hiors eval`: compares checkpoints on recorded episodes, without the robot."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hiors.options import Parser
from hiors.places import config_file
from hiors_core.errors import InvalidValue
from hiors_core.robot import load_robot
from hiors_core.task import load_task

MAX_SAMPLES = 64


def main(argv: Sequence[str]) -> int:
    """Evaluate, write the report and say where it is."""
    options = _parser().parse_args(argv)
    if not 1 <= options.samples <= MAX_SAMPLES:
        raise InvalidValue(f"--samples must be within 1 .. {MAX_SAMPLES}, got {options.samples}.")
    if options.limit is not None and options.limit < 1:
        raise InvalidValue(f"--limit must be at least 1, got {options.limit}.")
    with tempfile.TemporaryDirectory(prefix="hiors-eval-") as aside:
        return _offline(options, Path(aside))


def _offline(options: argparse.Namespace, aside: Path) -> int:
    from hiors_data.offline.episodes import load_judged
    from hiors_data.offline.evaluation import evaluate, load_candidates, rank
    from hiors_data.offline.report import check_target, read_success, write_report

    check_target(options.out)
    success = read_success(options.success) if options.success else None
    candidates = load_candidates([folder for group in options.policy for folder in group])
    store = _import(options, aside) if options.map else options.episodes
    judged = load_judged(store, options.limit)
    evaluated = []
    for candidate in candidates:
        text = f"\r{candidate.name}: "

        def show(done: int, text: str = text) -> None:
            print(f"{text}{done}/{len(judged)} episodes", end="", file=sys.stderr, flush=True)

        evaluated.append(evaluate(candidate, judged, options.samples, show))
        print(file=sys.stderr)
    ranked = rank(evaluated, judged)
    report = write_report(ranked, judged, options.out, success)
    for place, row in enumerate(ranked, 1):
        name = row.evaluated.candidate.name
        score, low, high = (f"{1e3 * v:.1f}" for v in (row.score, row.low, row.high))
        print(f"{place}. {name}: {score} mm ({low} .. {high})")
    print(f"Report: {report}")
    return 0


def _import(options: argparse.Namespace, aside: Path) -> Path:
    from hiors_data.bag_import import BagImport, import_bag
    from hiors_data.topic_map import load_topic_map

    task = load_task(config_file("tasks", options.task))
    robot = load_robot(config_file("robots", options.robot), options.arms or [task.arm])
    topics = load_topic_map(options.map, robot)
    job = BagImport(bag=options.episodes, topics=topics, robot=robot, task=task)
    import_bag(job, aside / "store")
    return aside / "store"


def _parser() -> Parser:
    parser = Parser(prog="hiors eval", description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    add = kinds.add_parser(
        "offline",
        help="open-loop errors of chunks against what was executed",
        description="Open-loop errors of checkpoints on recorded episodes: per joint and horizon,"
        " by who drove, gripper timing, latency, weighted by success. Writes report.md.",
    ).add_argument
    add("--episodes", type=Path, required=True, help="episode store; with --map a rosbag2")
    add(
        "--policy", type=Path, nargs="+", action="append", required=True, metavar="CKPT",
        help="checkpoint folders; may be repeated",
    )  # fmt: skip
    add("--out", type=Path, default=Path("runs/offline"), help="report folder (runs/offline)")
    add("--samples", type=int, default=2, help="draws of the noise at each transition (2)")
    add("--limit", type=int, help="only the first so many episodes")
    add(
        "--success", type=Path, metavar="FILE",
        help='measured success, JSON {"version": {"k": 12, "n": 20}}: adds the rank correlation',
    )  # fmt: skip
    add("--map", type=Path, help="topic map: --episodes is a recording made without hiors")
    add("--robot", default="xtrainer", help="file in config/robots (with --map)")
    add("--task", default="insert_moisturizer", help="file in config/tasks (with --map)")
    add("--arms", nargs="+", metavar="ARM", help="arms in it (with --map; the task's arm)")
    return parser
