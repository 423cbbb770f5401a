# SPDX-License-Identifier: Apache-2.0
"""`hiors import`: recordings and datasets made elsewhere become episodes of a store."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hiors.options import Parser
from hiors.places import config_file
from hiors_core.label import Outcome
from hiors_core.robot import RobotModel, load_robot
from hiors_core.task import Task, load_task

if TYPE_CHECKING:
    from hiors_data.drafting import Imported

EPILOG = """The topic map (YAML) says which topics are what:

  measured:                        # measured positions: every column of the robot, once
    - topic: /joint_states
      columns: {left_joint1: shoulder_pan, left_gripper: {at: finger, scale: 12.5, offset: 0.0}}
  executed: []                     # commands, likewise; empty: measured positions `lead` s later
  objects: {box: /box/pose}        # poses in the first arm's base frame
  cameras: {top: /camera/color/image_raw/compressed}
  authority: human                 # who drove: human or policy
  episodes: [{from: 0.0, to: 12.5, outcome: success}]   # none: the whole recording is one

src/hiors_data/README.md explains every key.
"""
OUTCOMES = ("success", "failure", "none")


def main(argv: Sequence[str]) -> int:
    """Import what the words name and say what it became."""
    options = _parser().parse_args(argv)
    task = load_task(config_file("tasks", options.task))
    robot = load_robot(config_file("robots", options.robot), options.arms or [task.arm])
    return int(options.run(options, robot, task))


def _bag(options: argparse.Namespace, robot: RobotModel, task: Task) -> int:
    from hiors_data.bag_import import BagImport, import_bag
    from hiors_data.topic_map import load_topic_map

    topics = load_topic_map(options.map, robot)
    job = BagImport(
        bag=options.bag,
        topics=topics,
        robot=robot,
        task=task,
        operator=options.operator,
        outcome=Outcome[options.outcome.upper()],
    )
    return _say(import_bag(job, options.to))


def _lerobot(options: argparse.Namespace, robot: RobotModel, task: Task) -> int:
    from hiors_data.lerobot.dataset_import import DatasetImport, import_dataset

    job = DatasetImport(
        root=options.dataset,
        robot=robot,
        task=task,
        operator=options.operator,
        outcome=Outcome[options.outcome.upper()],
    )
    return _say(import_dataset(job, options.to))


def _say(done: "Imported") -> int:
    for manifest in done.episodes:
        print(
            f"{manifest.episode_id}: {manifest.duration:.1f} s, {manifest.ticks} control ticks,"
            f" {manifest.transitions} transitions"
        )
    for note in done.notes:
        print(f"note: {note}")
    return 0


def _parser() -> Parser:
    parser = Parser(prog="hiors import", description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    bag = kinds.add_parser(
        "bag",
        help="a rosbag2 recording (MCAP or SQLite) made without hiors",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    bag.add_argument("bag", type=Path, help="bag folder, or .mcap or .db3 file")
    bag.add_argument("--map", type=Path, required=True, help="topic map (YAML), see below")
    bag.add_argument("--outcome", choices=OUTCOMES, default="success", help="its label")
    bag.set_defaults(run=_bag)
    lerobot = kinds.add_parser("lerobot", help="a LeRobotDataset v3.0 of the same robot")
    lerobot.add_argument("dataset", type=Path, help="dataset folder")
    lerobot.add_argument(
        "--outcome", choices=OUTCOMES, default="success", help="where next.success is missing"
    )
    lerobot.set_defaults(run=_lerobot)
    for kind in (bag, lerobot):
        _common(kind)
    return parser


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", type=Path, required=True, help="episode store, such as RUN/demos")
    parser.add_argument("--robot", default="xtrainer", help="file in config/robots")
    parser.add_argument("--task", default="insert_moisturizer", help="file in config/tasks")
    parser.add_argument("--arms", nargs="+", metavar="ARM", help="arms in it (the task's arm)")
    parser.add_argument(
        "--operator", default=os.environ.get("USER", ""), help="who drove and labels"
    )
