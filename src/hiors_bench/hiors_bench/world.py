# SPDX-License-Identifier: Apache-2.0
"""A task as the benchmark sees it: robot, scene, person, and the seeds of every episode."""

from dataclasses import dataclass, replace
from pathlib import Path

from hiors_bench.arms import Arm
from hiors_bench.settings import BenchSettings
from hiors_core.arbiter_settings import ArbiterSettings
from hiors_core.chunk import ChunkRules
from hiors_core.errors import UnknownName
from hiors_core.robot import Arm as RobotArm
from hiors_core.robot import RobotModel, load_robot
from hiors_core.task import Task, load_task
from hiors_learner.agent import AgentSpec
from hiors_learner.agent_policy import agent_spec
from hiors_learner.config import load_settings
from hiors_learner.settings import LearnerSettings, PolicySettings
from hiors_sim.environment import FastEnvironment
from hiors_sim.evaluation import Evaluator
from hiors_sim.operator import OperatorSettings, ScriptedOperator
from hiors_sim.sim_task import SimTask
from hiors_sim.task import load_sim_task

DEFAULT_ROBOT = "xtrainer"
BATCH = 25
"""Episodes that are evaluated in lockstep."""


@dataclass(frozen=True, slots=True)
class Seeds:
    """Seeds of all episodes of one seed of the benchmark: the same for every arm."""

    seed: int

    def demonstration(self, i: int) -> int:
        """Return the seed of initial demonstration ``i``."""
        return self._at(0, i)

    def online(self, i: int) -> int:
        """Return the seed of online episode ``i``."""
        return self._at(1, i)

    def evaluation(self, n: int) -> range:
        """Return the seeds of the last evaluation."""
        return range(self._at(2, 0), self._at(2, n))

    def curve(self, n: int) -> range:
        """Return the seeds of the evaluations on the way."""
        return range(self._at(3, 0), self._at(3, n))

    def probe(self, n: int) -> range:
        """Return the seeds of the probes."""
        return range(self._at(4, 0), self._at(4, n))

    def extra(self, i: int) -> int:
        """Return the seed of demonstration ``i`` beyond the initial ones."""
        return self._at(5, i)

    def _at(self, kind: int, i: int) -> int:
        return 10_000_000 + 1_000_000 * self.seed + 100_000 * kind + i


class World:
    """Makes what a run of one task is made of."""

    def __init__(self, config: Path, task: str, settings: BenchSettings) -> None:
        """Read the files of the task; UnknownName when there is none."""
        self.settings = settings
        self.sim_task: SimTask = load_sim_task(config / "tasks" / f"{_known(config, task)}.yaml")
        self.task = self.sim_task.task
        robot = config / "robots" / f"{self.task.robot or DEFAULT_ROBOT}.yaml"
        self.robot: RobotModel = load_robot(robot, [self.task.arm])
        learner = load_settings(config / "learner" / f"{settings.learner}.yaml")
        self.learner: LearnerSettings = replace(learner, policy=_for(self.task, learner.policy))

    @property
    def spec(self) -> AgentSpec:
        """Shapes of states and actions."""
        chosen = self.learner.policy
        return agent_spec(self.robot, chosen.kind, self.task.objects, chosen.features, chosen.dt)

    def environment(self, arm: Arm) -> FastEnvironment:
        """Return an environment that logs transitions at the rates of the arm (eq. 6)."""
        low, high = self.task.f_low, self.task.f_high
        rates = {"varied": (low, high), "low": (low, low), "high": (high, high)}[arm.rate]
        task = replace(self.task, f_low=rates[0], f_high=rates[1])
        return FastEnvironment(
            self.robot, replace(self.sim_task, task=task), settings=self._arbiter()
        )

    def operator(self, arm: Arm, seed: int) -> ScriptedOperator:
        """Return the person, who watches a share of the episodes and always labels."""
        chosen = self.settings
        attention = {"usual": chosen.usual, "seldom": chosen.seldom, "never": 0.0}[arm.watched]
        person = OperatorSettings(
            attention=attention,
            pause=chosen.pause,
            wrong_label=arm.wrong,
            glitch=chosen.glitch if arm.slips else 0.0,
            name="scripted",
        )
        return ScriptedOperator(self.sim_task, self._arm(), person, seed=seed)

    def demonstrator(self, seed: int) -> ScriptedOperator:
        """Return the person who demonstrates: without slips of the label button."""
        person = OperatorSettings(pause=self.settings.pause, name="demonstrator")
        return ScriptedOperator(self.sim_task, self._arm(), person, seed=seed)

    def evaluator(self) -> Evaluator:
        """Return what tests agents alone."""
        return Evaluator(self.robot, self.sim_task, batch=BATCH, settings=self._arbiter())

    def frames(self, seconds: float) -> int:
        """Return how many rows of a chunk so much time is."""
        return round(seconds / self.learner.policy.dt)

    def limits(self, *, long: bool) -> list[float]:
        """Return the time limits [s] at which success is counted."""
        parts = self.settings.limits
        return [round(p * self.task.time_limit, 3) for p in parts if long or p <= 1.0]

    def _arbiter(self) -> ArbiterSettings:
        return ArbiterSettings(chunk=ChunkRules(blend=self.settings.blend))

    def _arm(self) -> RobotArm:
        return next(arm for arm in self.robot.arms if arm.name == self.task.arm)


def tasks(config: Path) -> list[str]:
    """Return the names of the tasks that can be simulated."""
    return [p.stem for p in sorted((config / "tasks").glob("*.yaml")) if load_task(p).scene]


def _known(config: Path, task: str) -> str:
    if task not in (names := tasks(config)):
        raise UnknownName("task", task, names, f"Tasks are files of {config / 'tasks'}.")
    return task


def _for(task: Task, policy: PolicySettings) -> PolicySettings:
    """Return the policy's settings in the task's action space; who sends joints sees joints."""
    kind = task.action_space or policy.kind
    sees = dict.fromkeys((*policy.features, "joints") if kind == "joint" else policy.features)
    return replace(policy, kind=kind, features=tuple(sees))
