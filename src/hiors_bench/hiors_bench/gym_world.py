# SPDX-License-Identifier: Apache-2.0
"""gym-hil's PickCube as a task of the benchmark: a robot, physics and a goal made by others."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hiors_bench.arms import Arm
from hiors_bench.collection import HOPELESS, Attempt, hopeless
from hiors_bench.gym_cube import DT, CubeView, GymCube, packages
from hiors_bench.gym_person import CubePerson, CubePersonSettings
from hiors_bench.runs import Record
from hiors_bench.settings import BenchSettings
from hiors_bench.world import Seeds
from hiors_core.filters import METRES_PER_STROKE
from hiors_core.task import Task
from hiors_learner.agent import Agent, AgentSpec
from hiors_learner.config import load_settings
from hiors_learner.settings import LearnerSettings
from hiors_learner.trajectory import Trajectory, make_trajectory
from hiors_sim.pilot import Chance

F32 = NDArray[np.float32]

GYM_TASK = "gym_hil_pick_cube"
GRIPPER = 3
"""Column of the action (4,): steps x, y, z [m], then the gripper, 0 closed .. 1 open."""
FEATURES = 16

TASK = Task(
    name=GYM_TASK,
    instruction="Pick the cube up.",
    arm="panda",
    objects=("cube",),
    time_limit=10.0,
    f_low=2.5,
    f_high=10.0,
    threshold=0.7,
    min_length=1.2,
    min_transitions=3,
    noop_threshold=0.004,
    scene={},
)
"""Values as in the task files; the quickest success takes 2 s."""


class GymWorld:
    """Makes what a run of this task is made of."""

    task = TASK

    def __init__(self, config: Path, settings: BenchSettings) -> None:
        """Read the learner's file; HiorsError when gym-hil is not installed."""
        packages()
        self.settings = settings
        self.learner: LearnerSettings = load_settings(
            config / "learner" / f"{settings.learner}.yaml"
        )

    @property
    def spec(self) -> AgentSpec:
        """Shapes of states and actions."""
        return AgentSpec(features=FEATURES, actions=4, grippers=(GRIPPER,), dt=DT)


@dataclass(slots=True)
class Notes:
    """An episode as it is written down, step by step."""

    states: list[F32] = field(default_factory=list)
    actions: list[list[float]] = field(default_factory=list)
    lead: list[list[float]] = field(default_factory=list)
    human: list[bool] = field(default_factory=list)

    def note(self, before: CubeView, after: CubeView, opening: float, *, human: bool) -> None:
        """Write one step down."""
        self.states.append(state(before))
        self.actions.append([*(after.target - before.target), opening])
        self.lead.append([*(before.target - before.tool), 0.0])
        self.human.append(human)

    def trajectory(
        self, last: CubeView, reward: float, world: GymWorld, arm: Arm, **more: Any
    ) -> Trajectory:
        """Return the episode with its return R(τ) as the last step's reward."""
        actions, human = np.array(self.actions, np.float32), np.array(self.human)
        rewards = np.zeros(len(actions), np.float32)
        rewards[-1] = reward
        marks = _marks(human, arm)
        return make_trajectory(
            [*self.states, state(last)],
            actions,
            human,
            rewards,
            dt=DT,
            lead=self.lead,
            terminal=last.success or last.thrown or reward > 0.0,
            marks=marks,
            motion=_motion(actions, marks),
            task=world.task.name,
            start=[float(v) for v in self.states[0][4:7]],
            **more,
        )


def state(view: CubeView) -> F32:
    """Return the features (D,): tool, opening, cube, and cube from tool thrice, as
    hiors_policy.observation has them.
    """
    away = view.cube - view.tool
    near = np.concatenate([np.tanh(away * 1e3 / scale) for scale in (30.0, 10.0)])
    return np.concatenate((view.tool, [view.opening], view.cube, away, near)).astype(np.float32)


def _marks(human: NDArray[np.bool_], arm: Arm) -> list[int]:
    """Return the steps at which a transition is logged (eq. 6)."""
    low, high = TASK.f_low, TASK.f_high
    rates = {"varied": (low, high), "low": (low, low), "high": (high, high)}[arm.rate]
    marks: list[int] = []
    last, before = -np.inf, False
    for i, person in enumerate(human):
        if person != before or (i - last) * DT >= 1.0 / rates[int(person)] - 1e-6:
            marks.append(i)
            last = i
        before = bool(person)
    return marks


def _motion(actions: F32, marks: Sequence[int]) -> list[float]:
    """Return how far the tool and, weighted as in hiors_core.filters, the gripper's command go
    within 0.4 s of each mark [m].
    """
    found = []
    for mark in marks:
        rows = actions[mark : mark + 4]
        shift = np.linalg.norm(np.cumsum(rows[:, :GRIPPER], axis=0), axis=1)
        before = actions[max(mark - 1, 0), GRIPPER]
        grip = METRES_PER_STROKE * np.abs(rows[:, GRIPPER] - before)
        found.append(float(np.hypot(shift, grip).max()))
    return found


class GymCollector:
    """Makes the episodes of one run, each with its own seed."""

    def __init__(self, world: GymWorld, arm: Arm, agent: Agent, root: Path, seeds: Seeds) -> None:
        self.seeds = seeds
        self._world, self._arm, self._agent, self._root = world, arm, agent, root
        root.mkdir(parents=True, exist_ok=True)
        chosen = world.settings
        attention = {"usual": chosen.usual, "seldom": chosen.seldom, "never": 0.0}[arm.watched]
        person = CubePersonSettings(
            attention=attention,
            pause=chosen.pause,
            wrong_label=arm.wrong,
            glitch=chosen.glitch if arm.slips else 0.0,
        )
        self._person = CubePerson(person, seeds.seed)
        self._demonstrator = CubePerson(CubePersonSettings(pause=chosen.pause), seeds.seed)
        self._cube = GymCube()
        self._tried = 0
        self.attempts = self.frames = 0

    def attempt(self) -> Attempt:
        """Let the policy try once; the person watches, helps and labels."""
        seed = self.seeds.online(self._tried)
        self._tried += 1
        return self._episode(seed, self._person, demonstrate=False)

    def demonstration(self, seed_of: Callable[[int], int]) -> Attempt:
        """Let the person demonstrate, again if it fails; ``seed_of`` numbers the attempts."""
        for _ in range(HOPELESS):
            made = self._episode(seed_of(self.attempts), self._demonstrator, demonstrate=True)
            name = f"{self.attempts:04d}.npz"
            self.attempts += 1
            self.frames += len(made.trajectory)
            if made.success:
                _write(self._root / name, made.trajectory)
                return made
        raise hopeless(self._world.task.name)

    def _episode(self, seed: int, person: CubePerson, *, demonstrate: bool) -> Attempt:
        person.start(seed, demonstrate=demonstrate)
        driver, notes = Driver(self._agent, Chance(seed), explore=True), Notes()
        view, slipped = self._cube.reset(seed), False
        while not view.over and not slipped:
            wish = person.step(view)
            if wish is not None:
                driver.forget()
            target, opening = wish or driver.step(view)
            after = self._cube.step(target, opening)
            notes.note(view, after, opening, human=wish is not None)
            view, slipped = after, person.slips()
        reward = 1.0 if slipped else person.label(view.success)
        trajectory = notes.trajectory(
            view, reward, self._world, self._arm, demonstration=demonstrate
        )
        return Attempt(trajectory=trajectory, success=view.success)


class Driver:
    """Executes an agent's chunks."""

    def __init__(self, agent: Agent, chance: Chance, *, explore: bool) -> None:
        self._agent, self._chance, self._explore = agent, chance, explore
        self._rows: list[NDArray[np.float64]] = []

    def forget(self) -> None:
        """Drop the rest of the chunk: somebody else drives."""
        self._rows = []

    def step(self, view: CubeView) -> tuple[NDArray[np.float64], float]:
        """Return where the tool is to go (3,) [m] and the gripper's opening, 0 or 1."""
        begin = view.target
        if not self._rows:
            seeds = [self._chance.draw()]
            chunk = self._agent.act(state(view)[None], seeds, explore=self._explore)[0]
            self._rows = [np.asarray(r, np.float64) for r in chunk[: self._agent.execute]]
            begin = view.tool
        row = self._rows.pop(0)
        return begin + row[:GRIPPER], float(row[GRIPPER] > 0.5)


class GymExaminer:
    """Tests the agent alone. Starts on a grid and mishaps are not tried here."""

    def __init__(self, world: GymWorld, agent: Agent) -> None:
        self._world, self._agent = world, agent

    def curve(self, seeds: Seeds) -> tuple[int, int]:
        """Return (k, n) of an evaluation on the way."""
        times = self._test(seeds.curve(self._world.settings.curve_evaluations))
        return sum(t < float("inf") for t in times), len(times)

    def final(self, seeds: Seeds, *, probes: bool) -> Record:
        """Return success within the environment's time limit, and within parts of it."""
        del probes
        limit = self._world.task.time_limit
        times = self._test(seeds.evaluation(self._world.settings.evaluations))
        limits = [round(p * limit, 3) for p in self._world.settings.limits if p <= 1.0]
        within = [
            {"seconds": s, "k": sum(t <= s + 1e-6 for t in times), "n": len(times)} for s in limits
        ]
        counted = {"k": within[-1]["k"], "n": len(times)}
        return {"success": counted, "time_limit": limit, "within": within}

    def _test(self, seeds: Sequence[int]) -> list[float]:
        """Return how long each success took [s], inf without one."""
        with GymCube() as cube:
            return [self._time(cube, seed) for seed in seeds]

    def _time(self, cube: GymCube, seed: int) -> float:
        driver, view, steps = Driver(self._agent, Chance(seed), explore=False), cube.reset(seed), 0
        while not view.over:
            view = cube.step(*driver.step(view))
            steps += 1
        return round(steps * DT, 3) if view.success else float("inf")


def _write(path: Path, trajectory: Trajectory) -> None:
    arrays = {name: getattr(trajectory, name) for name in _ARRAYS}
    np.savez(path, allow_pickle=False, start=np.array(trajectory.start), **arrays)


def recorded(root: Path) -> Iterator[Trajectory]:
    """Yield the demonstrations in a folder in the order in which they were made."""
    for path in sorted(root.glob("*.npz")):
        with np.load(path, allow_pickle=False) as kept:
            found = {name: kept[name] for name in (*_ARRAYS, "start")}
        start = [float(v) for v in found.pop("start")]
        yield make_trajectory(**found, dt=DT, task=GYM_TASK, demonstration=True, start=start)


_ARRAYS = ("states", "actions", "human", "rewards", "lead", "marks", "motion")
