# SPDX-License-Identifier: Apache-2.0
"""One episode: policy, operator or both on the simulated robot, recorded or not.

Written as a generator, so that many
episodes can share one inference; see hiors_sim.evaluation.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hiors_core.authority import Authority, Request
from hiors_core.clock import to_s
from hiors_core.errors import InvalidValue, StateError
from hiors_core.label import Outcome, judge
from hiors_core.manifest import EpisodeMeta
from hiors_core.names import new_episode_id
from hiors_core.observation import Observation
from hiors_core.recording import EpisodeRecording, start_recording
from hiors_core.store import EpisodeStore
from hiors_sim.environment import FastEnvironment
from hiors_sim.operator import OperatorAction, ScriptedOperator
from hiors_sim.pilot import Chance, ChunkPolicy, ChunkSpec, Pilot, PilotSettings

Array = NDArray[np.float64]

Episode = Generator[Observation, Array, "RolloutResult"]
"""Yields an observation whenever the policy is to infer, is sent its answer (H, A), returns the
result.
"""
Disturbance = Callable[[FastEnvironment], None]
"""Called at every tick; may change the scene, see FastEnvironment.arrange."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutResult:
    """How an episode went.

    Attributes:
        success: what the scene says. label: what the operator said, or the scene when there is
            none.
        duration: simulated [s]. ticks: control ticks; human_ticks: those with a person driving.
        interventions: times that the operator took over; reasons: why, one entry each.
        refused: chunks that the arbiter refused, by reason.
        episode_id: of the recording, empty without one.
    """

    seed: int
    success: bool
    label: Outcome
    duration: float
    ticks: int
    human_ticks: int
    interventions: int
    reasons: tuple[str, ...]
    refused: tuple[str, ...]
    episode_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutPlan:
    """What an episode is made of.

    Attributes:
        seed: of the scene, the operator's and the policy's chance.
        time_limit: [s]; the task's when None.
        demonstrate: the operator drives from the start.
        cameras: recorded at transitions.
        pilot: how the policy is run.
        disturb: what happens to the scene on the way.
    """

    seed: int = 0
    time_limit: float | None = None
    demonstrate: bool = False
    cameras: tuple[str, ...] = ()
    pilot: PilotSettings = field(default_factory=PilotSettings)
    disturb: Disturbance | None = None


def rollout(
    environment: FastEnvironment,
    policy: ChunkPolicy | None = None,
    operator: ScriptedOperator | None = None,
    seed: int = 0,
    time_limit: float | None = None,
    record_to: EpisodeStore | None = None,
    *,
    demonstrate: bool = False,
    cameras: tuple[str, ...] = (),
    pilot: PilotSettings | None = None,
) -> RolloutResult:
    """Run one episode to its end; the arguments are those of RolloutPlan.

    Without a policy the operator demonstrates; without an operator the scene itself says success
    or failure.
    """
    plan = RolloutPlan(
        seed=seed,
        time_limit=time_limit,
        demonstrate=demonstrate,
        cameras=cameras,
        pilot=pilot or PilotSettings(),
    )
    spec = policy.spec if policy is not None else None
    episode = episode_steps(environment, spec, operator, plan=plan, record_to=record_to)
    chance = Chance(plan.seed)
    instruction = environment.task.task.instruction
    try:
        observation = next(episode)
        while True:
            if policy is None:
                raise StateError("An episode without a policy asked for an inference")
            values = policy.predict(observation, instruction=instruction, seed=chance.draw())
            observation = episode.send(values)
    except StopIteration as end:
        result: RolloutResult = end.value
        return result


def episode_steps(
    environment: FastEnvironment,
    spec: ChunkSpec | None,
    operator: ScriptedOperator | None = None,
    *,
    plan: RolloutPlan,
    record_to: EpisodeStore | None = None,
) -> Episode:
    """Run one episode, yielding for every inference; ``spec`` is the policy's, None when the
    operator does it all.
    """
    run = _Run(environment, spec, operator, plan)
    if record_to is not None:
        run.record(record_to)
    return run.steps()


class _Run:
    def __init__(
        self,
        environment: FastEnvironment,
        spec: ChunkSpec | None,
        operator: ScriptedOperator | None,
        plan: RolloutPlan,
    ) -> None:
        if spec is None and operator is None:
            raise InvalidValue("An episode needs a policy, an operator, or both")
        self._environment, self._operator, self._plan = environment, operator, plan
        environment.reset(plan.seed)
        self._pilot = Pilot(environment, spec, plan.pilot) if spec is not None else None
        self._start = environment.clock.now()
        self._limit = plan.time_limit or environment.task.task.time_limit
        self._human = self._ticks = 0
        self._recording: EpisodeRecording | None = None
        self._store: EpisodeStore | None = None
        self._epoch = -1
        self._demonstrate = plan.demonstrate or spec is None
        if operator is not None:
            operator.start(self._start, plan.seed, demonstrate=self._demonstrate)

    def record(self, store: EpisodeStore) -> None:
        environment, task = self._environment, self._environment.task.task
        meta = EpisodeMeta(
            episode_id=new_episode_id(self._start),
            task=task.name,
            instruction=task.instruction,
            robot=environment.robot.name,
            arms=tuple(arm.name for arm in environment.robot.arms),
            names=environment.robot.names,
            f_low=task.f_low,
            f_high=task.f_high,
            seed=self._plan.seed,
            operator=self._operator.settings.name if self._operator else "",
        )
        self._recording, self._store = start_recording(store, meta), store

    def steps(self) -> Episode:
        if not self._demonstrate:
            self._request(Request.POLICY, "episode begins")
        disturb = self._plan.disturb or _leave
        try:
            disturb(self._environment)
            while (label := self._act()) is None:
                if self._pilot is not None:
                    self._pilot.deliver()
                self._command()
                if self._pilot is not None and (observation := self._pilot.due()) is not None:
                    self._pilot.answer(observation, (yield observation))
                self._environment.advance()
                disturb(self._environment)
        except BaseException:
            if self._recording is not None:
                self._recording.abort("the rollout was broken off")
            raise
        return self._finish(label)

    def _act(self) -> Outcome | None:
        """Let the operator act; return the label that ends the episode."""
        elapsed = to_s(self._environment.clock.now() - self._start)
        if self._operator is None:
            if self._environment.state.success:
                return Outcome.SUCCESS
            over = elapsed >= self._limit or self._environment.state.failed
            return Outcome.FAILURE if over else None
        if elapsed >= self._limit + 1.0:
            return Outcome.FAILURE
        action = self._operator.step(self._environment.view())
        self._obey(action)
        return action.label

    def _obey(self, action: OperatorAction) -> None:
        if action.request is not None:
            self._request(action.request, action.reason)
        if action.teleop is not None:
            arbiter, now = self._environment.arbiter, self._environment.clock.now()
            if (reason := arbiter.on_teleop(action.teleop, now)) is not None:
                raise StateError(f"The operator's motion was refused: {reason}")

    def _request(self, request: Request, reason: str) -> None:
        # A demonstrator has no policy to hand back to.
        if request is Request.POLICY and self._pilot is None:
            request = Request.HOLD
        name = self._operator.settings.name if self._operator else "rollout"
        now = self._environment.clock.now()
        self._environment.arbiter.request(request, name, reason, now)

    def _command(self) -> None:
        environment = self._environment
        stamp = environment.clock.now()
        if self._recording is not None:
            self._record_state(self._recording, stamp)
        command = environment.command()
        self._ticks += 1
        self._human += command.authority is Authority.HUMAN
        if self._recording is None:
            return
        logged = self._recording.executed(
            stamp,
            tick=command.tick,
            epoch=command.epoch,
            authority=command.authority,
            position=command.position,
            policy_version=command.policy_version,
            chunk_sequence=command.chunk_sequence,
            chunk_time=command.chunk_time,
            limited=command.limited,
        )
        if logged is not None:
            for camera in self._plan.cameras:
                self._recording.image(camera, logged, environment.sim.render(camera))

    def _record_state(self, recording: EpisodeRecording, stamp: int) -> None:
        environment, arbiter = self._environment, self._environment.arbiter
        recording.joint_state(stamp, environment.observe().position, environment.velocity)
        for name, pose in environment.state.objects.items():
            recording.object_pose(name, stamp, pose, environment.robot.arms[0].base_frame)
        if arbiter.epoch != self._epoch:
            self._epoch = arbiter.epoch
            recording.control_state(
                stamp, arbiter.authority, arbiter.epoch, arbiter.reason, arbiter.operator
            )

    def _finish(self, label: Outcome) -> RolloutResult:
        environment, operator = self._environment, self._operator
        name = ""
        if self._recording is not None and self._store is not None:
            name = self._recording.episode_id
            self._recording.finish("labelled")
            said = judge(
                label,
                labeler=operator.settings.name if operator else "scene",
                source="operator" if operator else "simulator",
                stamp=environment.clock.now(),
            )
            self._store.set_label(name, said)
        state = environment.state
        return RolloutResult(
            seed=self._plan.seed,
            success=state.success,
            label=label,
            duration=to_s(environment.clock.now() - self._start),
            ticks=self._ticks,
            human_ticks=self._human,
            interventions=operator.interventions if operator else 0,
            reasons=tuple(operator.reasons) if operator else (),
            refused=tuple(self._pilot.refused) if self._pilot else (),
            episode_id=name,
        )


def _leave(environment: FastEnvironment) -> None:
    """Disturb nothing."""
