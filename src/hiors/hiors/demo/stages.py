# SPDX-License-Identifier: Apache-2.0
"""Stages of the demo that need no running graph: demonstrations, starting policy, evaluation."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hiors_core.errors import HiorsError
from hiors_core.robot import RobotModel
from hiors_sim.task import SimTask

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The simulated robot and its task."""

    robot: RobotModel
    task: SimTask


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeds:
    """Where the demo's random starts come from: disjoint ranges, all from one seed."""

    seed: int

    def demonstration(self, index: int) -> int:
        """Return the scene seed of a demonstration."""
        return 1_000_000 * (self.seed + 1) + index

    def online(self, index: int) -> int:
        """Return the scene seed of an online episode."""
        return 1_000_000 * (self.seed + 1) + 100_000 + index

    def evaluation(self, index: int) -> int:
        """Return the scene seed of an evaluation episode, the same for both evaluations."""
        return 1_000_000 * (self.seed + 1) + 200_000 + index


def record_demonstrations(
    scene: Scene, folder: Path, seeds: Seeds, count: int, progress: Progress, *, images: bool
) -> None:
    """Let the scripted operator show the task until ``count`` demonstrations have succeeded."""
    from hiors_core.label import Outcome
    from hiors_core.store import EpisodeStore
    from hiors_sim.environment import FastEnvironment
    from hiors_sim.operator import ScriptedOperator
    from hiors_sim.rollout import rollout

    store = EpisodeStore(folder)
    environment = FastEnvironment(scene.robot, scene.task, seed=seeds.seed)
    operator = ScriptedOperator(scene.task, scene.robot.arm(scene.task.task.arm), seed=seeds.seed)
    cameras = scene.robot.cameras if images else ()
    done = 0
    try:
        for index in range(3 * count + 10):
            result = rollout(
                environment,
                operator=operator,
                seed=seeds.demonstration(index),
                record_to=store,
                demonstrate=True,
                cameras=cameras,
            )
            done += result.label is Outcome.SUCCESS
            progress(done)
            if done == count:
                return
        raise HiorsError(f"Only {done} of {index + 1} demonstrations succeeded.")
    finally:
        environment.close()
        store.close()


def evaluate(scene: Scene, checkpoint: Path, seeds: Seeds, count: int) -> dict[str, int]:
    """Run the checkpoint alone on ``count`` fresh scenes; {"k": successes, "n": count}."""
    from hiors_policy.checkpoint import load_policy
    from hiors_sim.evaluation import Evaluator

    evaluator = Evaluator(scene.robot, scene.task)
    try:
        policy = load_policy(checkpoint)
        result = evaluator.evaluate(policy, [seeds.evaluation(i) for i in range(count)])
    finally:
        evaluator.close()
    return {"k": result.k, "n": result.n}


def run_learner(
    command: Sequence[str], log: Path, poll: Callable[[], None] = lambda: None
) -> None:
    """Run an offline learner process to its end; its output goes to ``log``."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            stdout=file,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            while process.poll() is None:
                poll()
                time.sleep(0.1)
        finally:
            if process.poll() is None:
                _end_group(process)
    if process.returncode != 0:
        tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-12:]
        raise HiorsError(
            f"The learner ended with code {process.returncode}. Its log {log} ends with:\n"
            + "\n".join(tail)
        )


def _end_group(process: "subprocess.Popen[bytes]") -> None:
    for number, seconds in ((signal.SIGTERM, 2.0), (signal.SIGKILL, 2.0)):
        try:
            os.killpg(process.pid, number)
            process.wait(timeout=seconds)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
