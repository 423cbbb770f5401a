# SPDX-License-Identifier: Apache-2.0
"""``python -m hiors_learner.train_reward``: a learned judge of success from labelled episodes, for
label_node's proposals.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hiors_core.errors import HiorsError, InvalidValue
from hiors_core.label import Outcome
from hiors_core.robot import load_robot
from hiors_core.store import EpisodeStore
from hiors_core.task import load_task
from hiors_learner.episodes import TrajectoryReader
from hiors_learner.reward_training import examples, train_reward
from hiors_learner.trajectory import Trajectory
from hiors_policy.reward import RewardSettings
from hiors_policy.success import SuccessJudge, save_judge

_END, _UNSURE = 0.2, 0.8
"""A success looks done in its last 0.2 s [s]; for 0.8 s before that it may or may not."""


def main(argv: Sequence[str] | None = None) -> int:
    """Train, say how the judge does on states that it has not seen, and write it; 0, or 1."""
    parser = argparse.ArgumentParser(prog="hiors_learner.train_reward", description=__doc__)
    add = parser.add_argument
    add("--store", type=Path, nargs="+", required=True, help="folders of labelled episodes")
    add("--task", type=Path, required=True, help="file of config/tasks: arm and objects")
    add("--robot", type=Path, required=True, help="file of config/robots")
    add("--out", type=Path, required=True, help="file to write")
    add("--steps", type=int, default=400, help="gradient steps (400)")
    add("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    try:
        return _train(options)
    except HiorsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _train(options: argparse.Namespace) -> int:
    if options.steps < 1:
        raise InvalidValue(f"--steps must be at least 1, got {options.steps}")
    task = load_task(options.task)
    robot = load_robot(options.robot, [task.arm])
    reader = TrajectoryReader(robot, "ee", task.objects)
    shown = [one for folder in options.store for one in _judged(folder, reader)]
    data = examples(shown, end=_END, unsure=_UNSURE)
    settings = RewardSettings(features=data.states.shape[1])
    network, report = train_reward(data, settings, steps=options.steps, seed=options.seed)
    save_judge(options.out, SuccessJudge(network, robot, task.objects))
    print(
        f"{options.out}: {len(shown)} episodes; of {report.held_out} held-out states"
        f" {report.true_positives:.0%} of the successes and {report.false_positives:.1%} of the"
        " others are called successes"
    )
    return 0


def _judged(folder: Path, reader: TrajectoryReader) -> list[Trajectory]:
    if not folder.is_dir():
        raise InvalidValue(f"--store {folder} is no folder")
    store = EpisodeStore(folder)
    labels = {name: store.label(name) for name in store.ids()}
    known = (Outcome.SUCCESS, Outcome.FAILURE)
    return [reader.read(store.path(n), one) for n, one in labels.items() if one.outcome in known]


if __name__ == "__main__":
    sys.exit(main())
