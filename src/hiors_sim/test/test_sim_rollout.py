# SPDX-License-Identifier: Apache-2.0
"""Episodes in process: demonstrations, policy alone, interventions, recording, evaluation."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sim_spec import spec_of

from hiors_core.action_space import ActionMapper
from hiors_core.authority import Authority
from hiors_core.episode import load_episode
from hiors_core.errors import InvalidValue
from hiors_core.label import Outcome
from hiors_core.observation import Observation
from hiors_core.robot import RobotModel, load_robot
from hiors_core.store import EpisodeStore
from hiors_sim.angles import quarter_turn, upright, yaw_of
from hiors_sim.environment import FastEnvironment
from hiors_sim.evaluation import Evaluator
from hiors_sim.operator import OperatorSettings, ScriptedOperator
from hiors_sim.pilot import PilotSettings
from hiors_sim.rollout import rollout
from hiors_sim.task import SimTask, load_sim_task

Array = NDArray[np.float64]
CONFIG = Path(__file__).parents[3] / "config"


class ScriptedPolicy:
    """Heads from the tool for the next waypoint, without memory; ``miss`` shifts its grasp [m]."""

    def __init__(self, robot: RobotModel, kind: str = "ee", miss: float = 0.0) -> None:
        self.spec = spec_of(robot, kind)
        self._mapper = ActionMapper(robot)
        self._miss = np.array([0.0, miss])
        self.batches: list[int] = []
        self.seeds: list[int] = []

    def predict(
        self, observation: Observation, instruction: str = "", seed: int | None = None
    ) -> Array:
        self.seeds += [] if seed is None else [seed]
        tool = self._mapper.joint_to_ee(observation.position)
        goal = self._waypoint(tool, observation.objects["box"], observation.objects["hole"])
        steps = np.arange(1, 17)[:, None] * 0.025
        way = goal - tool
        share = np.minimum(steps / max(float(np.linalg.norm(way[:3])), 0.5 * abs(way[5]), 1e-6), 1)
        rows = tool + share * way
        rows[:, 6] = goal[6]
        if self.spec.kind == "ee":
            return rows
        seeds = [observation.position]
        for row in rows:
            seeds.append(self._mapper.ee_to_joint(row, seeds[-1]))
        return np.array(seeds[1:])

    def predict_batch(
        self,
        observations: Sequence[Observation],
        instructions: Sequence[str] = (),
        seeds: Sequence[int] | None = None,
    ) -> list[Array]:
        del instructions
        self.seeds += seeds or ()
        self.batches.append(len(observations))
        return [self.predict(o) for o in observations]

    def _waypoint(self, tool: Array, box: Array, hole: Array) -> Array:
        goal = np.array([*tool[:3], 0.0, 0.0, tool[5], 0.0])
        beside = box[:2] + self._miss
        near = np.abs(tool[:2] - beside).max()
        bottom = box[2] - 0.04 - hole[2]
        to_hole = hole[:2] - box[:2]
        if near < 0.02 and 0.07 < tool[6] < 0.25 and tool[2] - box[2] < 0.04:
            goal[5] -= quarter_turn(yaw_of(box))
            if bottom < -0.026:
                goal[6] = 1.0
            elif np.abs(to_hole).max() < 0.0018:
                goal[2] += -0.034 - bottom
            elif bottom < 0.010:
                goal[2] += 0.02 - bottom
            else:
                goal[:2] += to_hole
        elif bottom < -0.026:
            goal[2], goal[6] = box[2] + 0.1, 1.0
        elif near > 0.008 and tool[2] < box[2] + 0.06:
            goal[2], goal[6] = box[2] + 0.075, 1.0
        elif near > 0.008:
            goal[:3], goal[6] = [*beside, box[2] + 0.072], 1.0
            goal[5] += quarter_turn(yaw_of(box) - tool[5])
        else:
            goal[2] = box[2] + 0.012
            goal[6] = 1.0 if tool[2] > box[2] + 0.02 and tool[6] > 0.5 else 0.0
        return goal


class RestingPolicy(ScriptedPolicy):
    """Stays where it is and keeps what it holds."""

    def _waypoint(self, tool: Array, box: Array, hole: Array) -> Array:
        goal = tool.copy()
        goal[6] = float(tool[6] > 0.3)
        return goal


@pytest.fixture(scope="module")
def robot() -> RobotModel:
    return load_robot(CONFIG / "robots" / "xtrainer.yaml", ["left"])


@pytest.fixture(scope="module")
def task() -> SimTask:
    return load_sim_task(CONFIG / "tasks" / "insert_moisturizer.yaml")


@pytest.fixture(scope="module")
def environment(robot: RobotModel, task: SimTask) -> FastEnvironment:
    return FastEnvironment(robot, task)


def person(robot: RobotModel, task: SimTask, **settings: object) -> ScriptedOperator:
    return ScriptedOperator(task, robot.arms[0], OperatorSettings(**settings))  # type: ignore[arg-type]


def test_an_expert_inserts_from_every_start(
    environment: FastEnvironment, robot: RobotModel, task: SimTask
) -> None:
    operator = person(robot, task)
    results = [rollout(environment, operator=operator, seed=seed) for seed in range(8)]
    assert all(r.success and r.label is Outcome.SUCCESS for r in results)
    assert all(3.0 < r.duration < 12.0 for r in results)
    # All but the ticks before the arbiter granted the take-over.
    assert all(r.human_ticks >= r.ticks - 2 for r in results)


def test_the_same_seed_gives_the_same_episode(robot: RobotModel, task: SimTask) -> None:
    def final(seed: int) -> tuple[float, list[float]]:
        environment = FastEnvironment(robot, task)
        operator = person(robot, task)
        result = rollout(environment, operator=operator, seed=seed)
        return result.duration, environment.state.objects["box"].tolist()

    assert final(5) == final(5)
    assert final(5) != final(6)


@pytest.mark.parametrize("kind", ["ee", "joint"])
def test_a_policy_drives_through_the_arbiter(
    environment: FastEnvironment, robot: RobotModel, kind: str
) -> None:
    policy = ScriptedPolicy(robot, kind)
    result = rollout(environment, policy, seed=1)
    assert result.success
    assert result.refused == ()
    assert result.human_ticks == 0


def test_a_late_chunk_still_drives(environment: FastEnvironment, robot: RobotModel) -> None:
    pilot = PilotSettings(latency=0.1)
    result = rollout(environment, ScriptedPolicy(robot), seed=1, pilot=pilot)
    assert result.success
    assert result.refused == ()
    assert environment.arbiter.counters.starvations == 0


def test_a_person_rescues_a_policy_that_grasps_beside(
    environment: FastEnvironment, robot: RobotModel, task: SimTask
) -> None:
    policy = ScriptedPolicy(robot, miss=0.03)
    watched = rollout(environment, policy, person(robot, task, attention=1.0), seed=2)
    unwatched = rollout(environment, policy, person(robot, task, attention=0.0), seed=2)
    assert watched.success
    assert watched.reasons[0] == "closing beside the box"
    assert 0 < watched.human_ticks < watched.ticks
    assert not unwatched.success
    assert unwatched.label is Outcome.FAILURE
    assert unwatched.interventions == 0


def test_a_person_hands_back_and_takes_over_again(
    environment: FastEnvironment, robot: RobotModel, task: SimTask
) -> None:
    patient = replace(task, task=replace(task.task, time_limit=25.0))
    operator = person(robot, patient, attention=1.0, hand_back=1.0, keep_on=0.0)
    result = rollout(environment, RestingPolicy(robot), operator, seed=3, time_limit=25.0)
    assert result.success
    assert result.interventions >= 2
    assert set(result.reasons) == {"no motion for 2 s"}


def test_slips_of_the_label_are_parameters(
    environment: FastEnvironment, robot: RobotModel, task: SimTask
) -> None:
    wrong = rollout(environment, operator=person(robot, task, wrong_label=1.0))
    assert wrong.success
    assert wrong.label is Outcome.FAILURE
    slip = rollout(environment, operator=person(robot, task, glitch=1.0))
    assert not slip.success
    assert slip.label is Outcome.SUCCESS
    assert slip.duration < 1.5


def test_an_episode_is_recorded_at_the_varied_frequency(
    environment: FastEnvironment, robot: RobotModel, task: SimTask, tmp_path: Path
) -> None:
    store = EpisodeStore(tmp_path)
    operator = person(robot, task, attention=1.0)
    result = rollout(
        environment,
        ScriptedPolicy(robot, miss=0.012),
        operator,
        seed=4,
        pilot=PilotSettings(version="v000012"),
        record_to=store,
    )
    episode = load_episode(store.path(result.episode_id))
    assert episode.task == "insert_moisturizer"
    assert len(episode.stamps) == result.ticks
    assert episode.policy_versions == ("v000012",)
    assert store.label(result.episode_id).outcome is Outcome.SUCCESS
    assert set(episode.objects) == {"box", "hole"}
    by = {a: [m.stamp for m in episode.marks if m.authority == a] for a in Authority}
    human, policy = by[Authority.HUMAN], by[Authority.POLICY]
    assert np.diff(human).min() == pytest.approx(1e9 / task.task.f_high, rel=0.05)
    assert np.diff(policy).min() == pytest.approx(1e9 / task.task.f_low, rel=0.05)
    observed = episode.observation(0).objects["box"]
    np.testing.assert_allclose(observed[:2], episode.objects["box"].values[0][:2])


def test_a_broken_rollout_leaves_no_sealed_success(
    environment: FastEnvironment, robot: RobotModel, task: SimTask, tmp_path: Path
) -> None:
    class Broken(ScriptedPolicy):
        def predict(
            self, observation: Observation, instruction: str = "", seed: int | None = None
        ) -> Array:
            raise RuntimeError("no weights")

    store = EpisodeStore(tmp_path)
    with pytest.raises(RuntimeError, match="no weights"):
        rollout(environment, Broken(robot), seed=1, record_to=store)
    assert all(store.label(name).outcome is Outcome.NONE for name in store.ids())
    assert store.recording_ids() == []


def test_evaluation_is_the_same_in_lockstep_and_alone(
    environment: FastEnvironment, robot: RobotModel, task: SimTask
) -> None:
    policy = ScriptedPolicy(robot)
    evaluator = Evaluator(robot, task, batch=3)
    result = evaluator.evaluate(policy, range(5))
    drawn, policy.seeds = sorted(policy.seeds), []
    alone = [rollout(environment, policy, seed=s) for s in range(5)]
    assert sorted(policy.seeds) == drawn
    assert (result.k, result.n) == (5, 5)
    assert result.times == tuple(pytest.approx(r.duration) for r in alone)
    assert max(policy.batches) == 3
    assert result.successes_within(0.5) == 0


def test_a_policy_that_rests_fails_at_the_time_limit(robot: RobotModel, task: SimTask) -> None:
    result = Evaluator(robot, task).evaluate(RestingPolicy(robot), [0], time_limit=2.0)
    assert (result.k, result.n) == (0, 1)
    assert result.times[0] == pytest.approx(2.0, abs=0.05)


def test_the_scene_may_be_disturbed_in_every_episode(robot: RobotModel, task: SimTask) -> None:
    asked: list[int] = []

    def mishap(seed: int):
        asked.append(seed)
        x, y = task.scene.start_center

        def put(environment: FastEnvironment) -> None:
            environment.arrange(lambda sim: sim.place("box", upright(x, y, 0.09, 0.1 * seed)))
            box = environment.observe().objects["box"]
            assert (*box[:2], yaw_of(box)) == pytest.approx((x, y, 0.1 * seed))

        return put

    policy = RestingPolicy(robot)
    result = Evaluator(robot, task, batch=1).evaluate(policy, [2, 1], 0.5, disturb=mishap)
    assert asked == [2, 1]
    assert result.n == 2


def test_an_episode_needs_someone_to_drive(environment: FastEnvironment) -> None:
    with pytest.raises(InvalidValue, match="needs a policy, an operator, or both"):
        rollout(environment)


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(InvalidValue, match="attention must be within"):
        OperatorSettings(attention=1.5)
    with pytest.raises(InvalidValue, match="reaction_time must be"):
        OperatorSettings(reaction_time=(0.3, 0.1))
    with pytest.raises(InvalidValue, match="execute must be at least 1"):
        PilotSettings(execute=0)
