# SPDX-License-Identifier: Apache-2.0
"""Does one job: the start of a seed, or a run of an arm from that start to its last evaluation."""

import math
import shutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import safetensors.torch

from hiors_bench.arms import ARMS, LEFT_OUT, REFERENCE, Arm
from hiors_bench.collection import Attempt
from hiors_bench.gym_world import GymWorld
from hiors_bench.lab import Episodes, Lab, open_lab, open_world
from hiors_bench.methods import HI_ORS
from hiors_bench.provenance import commit
from hiors_bench.runs import START, BenchFolder, Job, Record
from hiors_bench.settings import BenchSettings
from hiors_bench.two_tasks import twice
from hiors_bench.world import Seeds, World
from hiors_core.durable import write_atomic
from hiors_learner.agent import Agent, Intake
from hiors_learner.reward_training import examples, judged, train_reward
from hiors_learner.trajectory import Trajectory
from hiors_policy.reward import RewardSettings

Judge = Callable[[Attempt], Trajectory]
"""Returns an episode with the return that is believed."""
DEMONSTRATIONS = "demonstrations"
WEIGHTS = "policy.safetensors"


def perform(folder: BenchFolder, config: Path, job: Job) -> None:
    """Do a job and write what it found."""
    world = open_world(config, job.task, folder.settings())
    wall, cpu = time.perf_counter(), time.process_time()
    work = folder.workspace(job)
    if job.arm == START:
        record = _start(world, folder, job)
    else:
        name = ARMS[job.arm].beside
        beside = World(config, name, folder.settings()) if name else None
        record = _run(world, beside, folder, job, work)
    record["wall_s"] = round(time.perf_counter() - wall, 2)
    record["cpu_s"] = round(time.process_time() - cpu, 2)
    folder.save(job, record)
    shutil.rmtree(work, ignore_errors=True)


def _start(world: World | GymWorld, folder: BenchFolder, job: Job) -> Record:
    """Record the demonstrations of a seed and train the reference's policy on them."""
    place, seeds, settings = folder.start(job.task, job.seed), Seeds(job.seed), world.settings
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    arm = ARMS[REFERENCE]
    lab = open_lab(world, arm, job.seed)
    agent, collector = lab.agent, lab.episodes(place / DEMONSTRATIONS, seeds)
    transitions = rows = 0
    for _ in range(settings.demonstrations):
        shown = collector.demonstration(seeds.demonstration).trajectory
        transitions += len(shown.marks)
        rows += agent.add(shown).rows
    agent.update(settings.start_steps)
    state = {n: t.contiguous() for n, t in agent.state_dict().items()}
    write_atomic(place / WEIGHTS, safetensors.torch.save(state))
    k, n = lab.tests().curve(seeds)
    return {
        "task": job.task,
        "seed": job.seed,
        "commit": commit(),
        "demonstrations": settings.demonstrations,
        "attempts": collector.attempts,
        "frames": collector.frames,
        "transitions": transitions,
        "rows": rows,
        "k": k,
        "n": n,
    }


def _run(
    world: World | GymWorld, beside: World | None, folder: BenchFolder, job: Job, work: Path
) -> Record:
    arm, seeds = ARMS[job.arm], Seeds(job.seed)
    settings = world.settings if beside is None else twice(world.settings)
    lab = open_lab(world, arm, job.seed, beside)
    shown = list(lab.recorded(folder.start(job.task, job.seed) / DEMONSTRATIONS))
    began = _begin(settings, folder, job, arm, lab, shown)
    tests, episodes = lab.tests(), lab.episodes(work / "store", seeds)
    reference = None if arm.online else folder.load(Job(job.task, REFERENCE, job.seed))
    judge = _judge(arm, shown, job.seed)
    course = _Course(settings, arm, lab.agent, episodes, reference, judge)
    course.points.append(_point(0, 0, 0, began or tests.curve(seeds)))
    points = settings.curve_points
    for i in range(1, points + 1):
        course.go(i / points)
        if arm.group not in LEFT_OUT and i < points:
            course.points.append(
                _point(course.frames, course.human_frames, course.steps, tests.curve(seeds))
            )
    record = {
        "task": job.task,
        "arm": job.arm,
        "seed": job.seed,
        "commit": commit(),
        **tests.final(seeds, probes=arm.probes),
        **course.summary(),
    }
    last = record["success"]
    course.points.append(
        _point(course.frames, course.human_frames, course.steps, (last["k"], last["n"]))
    )
    return {**record, "curve": course.points}


def _begin(
    settings: BenchSettings,
    folder: BenchFolder,
    job: Job,
    arm: Arm,
    lab: Lab,
    shown: Sequence[Trajectory],
) -> tuple[int, int] | None:
    """Give the agent the demonstrations, and the policy trained on them: the shared one when it
    is the same for this arm. Return the (k, n) of the shared one.
    """
    place = folder.start(job.task, job.seed)
    shared = arm.method == HI_ORS and arm.noop_filter and not (arm.beside or arm.head)
    if shared:
        weights = (place / WEIGHTS).read_bytes()
        lab.agent.load_state_dict(safetensors.torch.load(weights))
    for trajectory in shown:
        lab.agent.add(trajectory)
    if shared:
        start = folder.load(Job(job.task, START, job.seed))
        return start["k"], start["n"]
    lab.agent.update(settings.start_steps)
    return None


def classifier(shown: Sequence[Trajectory], seed: int) -> Callable[[Trajectory], Trajectory]:
    """Return a learned judge in the place of the person, for the ablation of section IV-E.

    It learns from demonstrations alone: their ends look like success, what is before does not.
    """
    data = examples(shown, end=0.2, unsure=0.8)
    network, _ = train_reward(data, RewardSettings(features=data.states.shape[1]), seed=seed)
    return partial(judged, network=network)


def _judge(arm: Arm, shown: Sequence[Trajectory], seed: int) -> Judge:
    if arm.second_look:
        return _SecondLook(classifier(shown, seed), arm.wrong, seed)
    if arm.reward == "learned":
        learned = classifier(shown, seed)
        return lambda attempt: learned(attempt.trajectory)
    return lambda attempt: attempt.trajectory


class _SecondLook:
    """The person judges again, and errs as often, where a classifier contradicts the label."""

    def __init__(
        self, learned: Callable[[Trajectory], Trajectory], wrong: float, seed: int
    ) -> None:
        self._learned, self._wrong = learned, wrong
        self._rng = np.random.default_rng([14, seed])

    def __call__(self, attempt: Attempt) -> Trajectory:
        labelled = attempt.trajectory
        if self._learned(labelled).episode_return == labelled.episode_return:
            return labelled
        right = self._rng.random() >= self._wrong
        rewards = np.zeros_like(labelled.rewards)
        rewards[-1] = float(attempt.success == right)
        rewards.setflags(write=False)
        return replace(labelled, rewards=rewards)


def _point(frames: int, human_frames: int, steps: int, counts: tuple[int, int]) -> Record:
    k, n = counts
    return {"frames": frames, "human_frames": human_frames, "steps": steps, "k": k, "n": n}


@dataclass(slots=True)
class _Course:
    """Collecting and training of one run, up to a share of its budget at a time."""

    settings: BenchSettings
    arm: Arm
    agent: Agent
    source: Episodes
    reference: Record | None
    judge: Judge
    points: list[Record] = field(default_factory=list)
    frames: int = 0
    human_frames: int = 0
    episodes: int = 0
    accepted: int = 0
    successes: int = 0
    transitions: int = 0
    rows: int = 0
    steps: int = 0
    message: str = ""
    reasons: Counter[str] = field(default_factory=Counter)

    def go(self, share: float) -> None:
        """Collect and train until ``share`` of the budget is used."""
        one = self._try if self.reference is None else self._clone
        while self.arm.data != "initial" and self._used() < share - 1e-9:
            one()
            self._train(self._steps(min(share, self._used())))
        self._train(self._steps(share))

    def summary(self) -> Record:
        """Return the counts of the whole run."""
        status = self.message
        if self.episodes and not self.accepted:
            reason = self.reasons.most_common(1)[0][0]
            status = f"none of {self.episodes} episodes was accepted, most often: {reason}"
        return {
            "frames": self.frames,
            "human_frames": self.human_frames,
            "steps": self.steps,
            "episodes": self.episodes,
            "accepted": self.accepted,
            "successes": self.successes,
            "transitions": self.transitions,
            "rows": self.rows,
            "rejected": dict(self.reasons.most_common(8)),
            "status": status or "finished",
        }

    def _used(self) -> float:
        """Return the share of the budget that is used."""
        settings = self.settings
        if self.reference is not None:
            budget = int(self.reference[self.arm.data])
            return self.frames / budget if budget else 1.0
        by_frames = self.frames / settings.frames if settings.frames else 0.0
        by_episodes = self.episodes / settings.episodes if settings.episodes else 0.0
        return max(by_frames, by_episodes)

    def _steps(self, share: float) -> int:
        """Return the gradient steps that are due: cloning does as many as the reference did."""
        if self.reference is not None:
            return math.floor(share * self.reference["steps"])
        settings = self.settings
        frames = min(self.frames, settings.frames) if settings.frames else self.frames
        return math.floor(settings.utd * frames)

    def _try(self) -> None:
        """Let the policy try once, with the person watching, and offer the episode."""
        tried = self.source.attempt()
        intake = self._add(self.judge(tried))
        self.frames += len(tried.trajectory)
        self.human_frames += tried.trajectory.human_frames
        self.episodes += 1
        self.successes += tried.success
        if not intake.accepted:
            self.reasons.update(_kind(reason) for reason in intake.reasons)

    def _clone(self) -> None:
        """Let the person demonstrate once more."""
        shown = self.source.demonstration(self.source.seeds.extra)
        self._add(shown.trajectory)
        self.frames, self.human_frames = self.source.frames, self.source.frames
        self.episodes += 1
        self.successes += 1

    def _add(self, trajectory: Trajectory) -> Intake:
        """Offer an episode to the agent."""
        intake = self.agent.add(trajectory)
        if intake.accepted:
            self.accepted += 1
            self.transitions += len(trajectory.marks)
            self.rows += intake.rows
        return intake

    def _train(self, due: int) -> None:
        """Do the gradient steps that are due; other methods pace themselves."""
        if self.arm.method != HI_ORS:
            due = self.steps + self.agent.budget
        if due > self.steps:
            progress = self.agent.update(due - self.steps)
            self.message = progress.message
            self.steps += progress.done


def _kind(reason: str) -> str:
    """Return a reason without its numbers, so that they can be counted."""
    return " ".join(w for w in reason.split() if not any(c.isdigit() for c in w))
