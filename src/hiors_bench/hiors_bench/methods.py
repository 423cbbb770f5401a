# SPDX-License-Identifier: Apache-2.0
"""The agent of an arm, and what turns it into a policy and episodes into its trajectories."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from hiors_bench.arms import Arm
from hiors_bench.settings import BenchSettings
from hiors_bench.world import World
from hiors_core.acceptance import AcceptanceRule, AcceptanceRules
from hiors_core.label import Label
from hiors_core.task import Task
from hiors_learner.agent import Actor, Agent, AgentSpec
from hiors_learner.agent_policy import AgentPolicy
from hiors_learner.agents import make_agent
from hiors_learner.baselines.qchunk import QChunkSettings
from hiors_learner.baselines.sac import SacSettings
from hiors_learner.distill import DistillSettings
from hiors_learner.episodes import TrajectoryReader
from hiors_learner.settings import LearnerSettings
from hiors_learner.trajectory import Trajectory
from hiors_policy.network import NetworkSettings

HI_ORS = "hi_ors"
_OTHERS = {"hil_serl": SacSettings, "qc": QChunkSettings, "qc_fql": QChunkSettings}
"""Values of the methods that pace themselves; as their authors chose them, but for the pace."""
EVERYTHING = -1e9
"""m of eq. 3 that every return reaches."""


class Values(Protocol):
    """What a method takes its values from."""

    @property
    def task(self) -> Task: ...
    @property
    def learner(self) -> LearnerSettings: ...
    @property
    def settings(self) -> BenchSettings: ...
    @property
    def spec(self) -> AgentSpec: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pupil:
    """Who acts in a run, with what it needs around it."""

    agent: Actor
    policy: AgentPolicy
    reader: TrajectoryReader

    def read(self, folder: Path, label: Label, *, demonstration: bool = False) -> Trajectory:
        """Return a recorded episode as the agent takes it."""
        return self.reader.read(folder, label, demonstration=demonstration)


def agent_of(world: Values, arm: Arm, seed: int) -> Agent:
    """Return the agent of an arm with weights from the seed."""
    others = _OTHERS.get(arm.method)
    settings = others(utd=world.settings.utd) if others else distillation(world, arm)
    return make_agent(arm.method, world.spec, settings, seed)


def pupil_of(world: World, agent: Actor) -> Pupil:
    """Return an agent with what makes it a policy of a task."""
    chosen, robot, objects = world.learner.policy, world.robot, world.task.objects
    return Pupil(
        agent=agent,
        policy=AgentPolicy(
            agent,
            robot,
            chosen.kind,
            objects,
            chosen.features,
            binary_gripper=chosen.binary_gripper,
        ),
        reader=TrajectoryReader(robot, chosen.kind, objects, chosen.features, chosen.dt),
    )


def distillation(world: Values, arm: Arm) -> DistillSettings:
    """Return the settings of Hi-ORS and of behaviour cloning, with what the arm leaves out."""
    task, learner = world.task, world.learner
    rule = AcceptanceRule(
        schedule=arm.rule,
        threshold=task.threshold if arm.outcome_filter else EVERYTHING,
        min_length=task.min_length if arm.short_filter else 0.0,
        min_transitions=task.min_transitions if arm.short_filter else 0,
    )
    optimizer = learner.optimizer
    if arm.schedule != optimizer.schedule:
        period = world.settings.cycle
        optimizer = replace(optimizer, schedule=arm.schedule, period=period)
    chosen = learner.policy
    return DistillSettings(
        horizon=chosen.horizon,
        execute=world.settings.execute,
        noise=world.settings.noise,
        network=NetworkSettings(
            width=chosen.width,
            blocks=chosen.blocks,
            euler_steps=chosen.euler_steps,
            head=arm.head or chosen.head,
        ),
        rules=AcceptanceRules(default=rule),
        noop_threshold=task.noop_threshold if arm.noop_filter else 0.0,
        data=replace(
            learner.data,
            min_transitions=1,
            lead_up=0.0 if arm.lead_ups else learner.data.lead_up,
        ),
        loss=learner.loss,
        optimizer=optimizer,
    )
