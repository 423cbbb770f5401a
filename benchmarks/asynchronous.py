# SPDX-License-Identifier: Apache-2.0
"""Asynchronous against synchronous training: the same episodes, the same steps, less time.

    hiors bench asynchronous [-- --episodes 8 --loads 0.5 1 2]

Episodes of the simulated robot, demonstrated by the scripted operator, are played back in real
time: an episode takes as long as it took, then it is announced to the real learner (a process of
its own). Synchronous: the robot waits until the learner has done the steps that the episode pays
for. Asynchronous: it goes on at once, and only the end is waited for. A load of 1 is a learner
that trains on an episode for as long as the robot works on one; it is set by the steps for each
transition, after the learner's speed was measured.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from hiors_core.link import Link, Notice
from hiors_core.robot import load_robot
from hiors_core.store import EpisodeStore
from hiors_learner.launch import environment
from hiors_learner.status import State
from hiors_sim.environment import FastEnvironment
from hiors_sim.operator import ScriptedOperator
from hiors_sim.rollout import rollout
from hiors_sim.task import load_sim_task

CONFIG = Path(__file__).resolve().parents[1] / "config"
ROBOT_FILE, TASK_FILE = CONFIG / "robots/xtrainer.yaml", CONFIG / "tasks/insert_moisturizer.yaml"
_SETTINGS = {
    "policy": {"width": 192, "blocks": 3},
    "data": {"batch_size": 128, "min_transitions": 10},
    "output": {"publish_every": 10**6, "publish_paced": 10**6, "save_every": 10**6},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """How a run went. wall: [s]. frames: control ticks. steps: of the optimiser."""

    wall: float
    frames: int
    steps: int


class Learning:
    """A learner's process on a run folder of its own."""

    def __init__(self, folder: Path, utd: float) -> None:
        folder.mkdir(parents=True)
        self._link, self._store = Link(folder / "link"), EpisodeStore(folder / "store")
        config = folder / "learner.yaml"
        config.write_text(yaml.safe_dump({**_SETTINGS, "pacing": {"utd": utd}}))
        files = {"--robot": ROBOT_FILE, "--task": TASK_FILE, "--config": config, "--run": folder}
        words = [str(word) for pair in files.items() for word in pair]
        line = [sys.executable, "-m", "hiors_learner.train", *words]
        self._process = subprocess.Popen(line, env=environment())
        self._utd, self._transitions = utd, 0
        self._wait(lambda: self._state(State.WAITING))

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.wait()

    def give(self, source: Path) -> None:
        """Announce a sealed episode, copied into the run."""
        aside = self._store.recording / source.name
        shutil.copytree(source, aside)
        self._store.publish(aside)
        name = source.name
        self._link.send(
            Notice(
                episode_id=name,
                path=str(self._store.path(name).absolute()),
                sha256=self._store.manifest_sha256(name),
                task="insert_moisturizer",
            )
        )

    def finish(self, episodes: int) -> int:
        """Return the number of steps once all that so many episodes pay for are done."""

        def done() -> bool:
            ledger = Link(self._link.root).ledger()
            status = self._link.status() or {}
            budget = int(self._utd * sum(e.transitions for e in ledger))
            return len(ledger) >= episodes and int(status.get("step", 0)) >= budget

        self._wait(lambda: done() and self._state(State.PACED))
        return int((self._link.status() or {})["step"])

    def _state(self, state: State) -> bool:
        status = self._link.status() or {}
        return status.get("state") == state and status.get("pid") == self._process.pid

    def _wait(self, condition: Callable[[], bool]) -> None:
        while not condition():
            if self._process.poll() is not None:
                raise SystemExit(f"the learner has ended with {self._process.returncode}")
            time.sleep(0.01)


def demonstrate(root: Path, count: int) -> list[tuple[Path, float, int]]:
    """Record episodes in simulated time; return folder, duration [s] and control ticks of each."""
    task = load_sim_task(TASK_FILE)
    robot = load_robot(ROBOT_FILE, ["left"])
    environment, store = FastEnvironment(robot, task), EpisodeStore(root)
    operator = ScriptedOperator(task, robot.arms[0])
    found = []
    for seed in range(count):
        result = rollout(environment, None, operator, seed, record_to=store, demonstrate=True)
        found.append((store.path(result.episode_id), result.duration, result.ticks))
    environment.close()
    return found


def speed(folder: Path, episode: Path, transitions: int) -> tuple[float, float]:
    """Return how many steps a second the learner does when it has nothing else to do, and which
    share of an episode's transitions it keeps (those in which nothing moves are left out).
    """
    steps = 600
    learning = Learning(folder, steps / transitions)
    try:
        begun = time.monotonic()
        learning.give(episode)
        done = learning.finish(1)
        taken = time.monotonic() - begun
        return done / taken, Link(folder / "link").ledger()[0].transitions / transitions
    finally:
        learning.close()


def play(
    folder: Path, episodes: list[tuple[Path, float, int]], utd: float, *, wait: bool
) -> Played:
    """Play the episodes back in real time beside a learner; ``wait`` for it after each."""
    learning = Learning(folder, utd)
    try:
        begun = time.monotonic()
        for number, (source, duration, _) in enumerate(episodes, 1):
            time.sleep(duration)
            learning.give(source)
            if wait:
                learning.finish(number)
        steps = learning.finish(len(episodes))
        wall = time.monotonic() - begun
    finally:
        learning.close()
    return Played(wall=wall, frames=sum(ticks for _, _, ticks in episodes), steps=steps)


def main() -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--episodes", type=int, default=8)
    parser.add_argument("--loads", type=float, nargs="+", default=[1.0])
    options = parser.parse_args()
    os.environ.setdefault("MUJOCO_GL", "egl")
    with tempfile.TemporaryDirectory(prefix="asynchronous-") as name:
        base = Path(name)
        episodes = demonstrate(base / "pool", options.episodes)
        mean = sum(duration for _, duration, _ in episodes) / len(episodes)
        rate, share = speed(base / "speed", episodes[0][0], _marks(episodes[0][0]))
        recorded = sum(_marks(folder) for folder, _, _ in episodes) / len(episodes)
        transitions = round(share * recorded)
        print(
            f"{len(episodes)} episodes of {mean:.1f} s and about {transitions} transitions;"
            f" the learner alone: {rate:.0f} steps/s"
        )
        print("| load | steps/transition | mode | wall, s | frames/s | steps/s | async/sync |")
        print("|---|---|---|---|---|---|---|")
        for load in options.loads:
            utd = load * mean * rate / transitions
            both = {
                mode: play(base / f"{mode}-{load}", episodes, utd, wait=mode == "synchronous")
                for mode in ("synchronous", "asynchronous")
            }
            for mode, one in both.items():
                ratio = both["synchronous"].wall / one.wall * one.steps / both["synchronous"].steps
                row = [f"{load:g}", f"{utd:.1f}", mode, f"{one.wall:.1f}"]
                row += [f"{one.frames / one.wall:.1f}", f"{one.steps / one.wall:.1f}"]
                print(f"| {' | '.join([*row, f'{ratio:.2f}'])} |", flush=True)
    return 0


def _marks(folder: Path) -> int:
    return EpisodeStore(folder.parents[1]).manifest(folder.name).transitions


if __name__ == "__main__":
    sys.exit(main())
