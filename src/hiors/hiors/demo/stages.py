# SPDX-License-Identifier: Apache-2.0
"""Stages of the demo that need no running graph: demonstrations, starting policy, evaluation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from hiors.spec import Graph
from hiors.supervisor import Command, Supervisor
from hiors_control.arbiter_parameters import ArbiterParameters
from hiors_control.policy_parameters import PolicyParameters
from hiors_core.arbiter_settings import ArbiterSettings
from hiors_core.errors import HiorsError
from hiors_core.robot import RobotModel
from hiors_ros.parameters import from_values
from hiors_sim.task import SimTask

Progress = Callable[[int], None]
T = TypeVar("T")


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


LATENCY = 0.05
"""From an observation to the first command of its chunk, as in the graph [s]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Playing:
    """How chunks are made and executed.

    Attributes:
        replan_interval: from one inference to the next [s].
        noise: scale of the noise that an inference starts from.
        arbiter: settings of what executes them.
    """

    replan_interval: float
    noise: float
    arbiter: ArbiterSettings


def playing(graph: Graph) -> Playing:
    """Return how the graph's nodes make and execute chunks, or raise InvalidValue."""
    nodes = {node.name: node for node in graph.nodes}

    def parameters(name: str, kind: type[T]) -> T:
        return from_values(kind, nodes[name].full_name, nodes[name].parameters)

    policy = parameters("policy", PolicyParameters)
    arbiter = parameters("arbiter", ArbiterParameters)
    return Playing(
        replan_interval=policy.replan_interval, noise=policy.noise, arbiter=arbiter.settings()
    )


def evaluate(
    scene: Scene, checkpoints: Path, seeds: Seeds, count: int, how: Playing
) -> dict[str, int]:
    """Run the newest checkpoint alone on fresh scenes; {"k": successes, "n": count}."""
    from hiors_policy.checkpoint import load_policy, read_latest
    from hiors_sim.evaluation import Evaluator
    from hiors_sim.pilot import PilotSettings

    checkpoint = read_latest(checkpoints)
    if checkpoint is None:
        raise HiorsError(f"No checkpoint was published in {checkpoints}")
    evaluator = Evaluator(scene.robot, scene.task, settings=how.arbiter)
    try:
        policy = load_policy(checkpoint)
        policy.noise.scale = how.noise
        execute = max(1, round(how.replan_interval / policy.spec.dt))
        pilot = PilotSettings(execute=execute, latency=LATENCY)
        scenes = [seeds.evaluation(i) for i in range(count)]
        result = evaluator.evaluate(policy, scenes, pilot=pilot)
    finally:
        evaluator.close()
    return {"k": result.k, "n": result.n}


def run_learner(command: Sequence[str], logs: Path) -> None:
    """Run an offline learner process to its end; its output goes to starting_policy.log."""
    log = logs / "starting_policy.log"
    one = Command(name=log.stem, argv=tuple(command))
    supervisor = Supervisor([one], logs, show=lambda _line: None)
    supervisor.start()
    if code := supervisor.run():
        tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-12:]
        raise HiorsError(
            f"The learner ended with code {code}. Its log {log} ends with:\n" + "\n".join(tail)
        )
