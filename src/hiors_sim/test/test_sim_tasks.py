# SPDX-License-Identifier: Apache-2.0
"""What every simulated task must do: random starts by seed, an expert, a person who helps."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sim_spec import spec_of

from hiors_core.action_space import ActionMapper
from hiors_core.errors import InvalidValue, UnknownName
from hiors_core.label import Outcome
from hiors_core.observation import Observation
from hiors_core.robot import RobotModel, load_robot
from hiors_sim.embodiments import embodiment_of
from hiors_sim.environment import FastEnvironment
from hiors_sim.evaluation import Evaluator
from hiors_sim.operator import OperatorSettings, ScriptedOperator
from hiors_sim.rollout import rollout
from hiors_sim.simulation import RobotSim
from hiors_sim.task import SimTask, load_sim_task

Array = NDArray[np.float64]
CONFIG = Path(__file__).parents[3] / "config"
NAMES = ("raise_hand", "pack_detergent", "insert_moisturizer_ee")
MOVED = {"raise_hand": "target", "pack_detergent": "bottle", "insert_moisturizer_ee": "box"}


@dataclass(frozen=True, kw_only=True)
class Bench:
    task: SimTask
    robot: RobotModel
    environment: FastEnvironment

    def person(self, **settings: object) -> ScriptedOperator:
        chosen = OperatorSettings(**settings)  # type: ignore[arg-type]
        return ScriptedOperator(self.task, self.robot.arms[0], chosen)


class FistPolicy:
    """Closes the hand where it is."""

    def __init__(self, robot: RobotModel) -> None:
        self.spec = spec_of(robot)
        self._mapper = ActionMapper(robot)

    def predict(
        self, observation: Observation, instruction: str = "", seed: int | None = None
    ) -> Array:
        row = self._mapper.joint_to_ee(observation.position)
        row[6] = 0.0
        return np.tile(row, (16, 1))

    def predict_batch(
        self,
        observations: Sequence[Observation],
        instructions: Sequence[str] = (),
        seeds: Sequence[int] | None = None,
    ) -> list[Array]:
        return [self.predict(o) for o in observations]


@pytest.fixture(scope="module", params=NAMES)
def bench(request: pytest.FixtureRequest) -> Bench:
    task = load_sim_task(CONFIG / "tasks" / f"{request.param}.yaml")
    robot = load_robot(CONFIG / "robots" / f"{task.task.robot}.yaml", [task.task.arm])
    return Bench(task=task, robot=robot, environment=FastEnvironment(robot, task))


def test_a_reset_is_random_and_the_same_for_the_same_seed(bench: Bench) -> None:
    moved, sim = MOVED[bench.task.task.name], bench.environment.sim
    starts = []
    for seed in range(20):
        sim.reset(seed)
        starts.append(sim.state().objects[moved])
    assert np.ptp(starts, axis=0)[:2].min() > 0.03
    sim.step(0.2)
    sim.reset(7)
    np.testing.assert_array_equal(sim.state().objects[moved], starts[7])
    assert not sim.success()
    assert not sim.failed()


def test_the_expert_succeeds(bench: Bench) -> None:
    operator = bench.person()
    results = [rollout(bench.environment, operator=operator, seed=seed) for seed in range(4)]
    assert all(r.success and r.label is Outcome.SUCCESS for r in results)
    assert all(2.0 < r.duration < bench.task.task.time_limit for r in results)


def test_a_person_rescues_a_bad_policy_that_fails_alone(bench: Bench) -> None:
    policy = FistPolicy(bench.robot)
    helper = bench.person(attention=1.0, keep_on=1.0)
    watched = rollout(bench.environment, policy, helper, seed=3)
    assert watched.success
    assert watched.label is Outcome.SUCCESS
    assert 0 < watched.human_ticks < watched.ticks
    assert watched.refused == ()
    absent = bench.person(attention=0.0)
    alone = rollout(bench.environment, policy, absent, seed=3, time_limit=3.0)
    assert not alone.success
    assert alone.interventions == 0


def test_a_bad_policy_scores_nothing(bench: Bench) -> None:
    evaluator = Evaluator(bench.robot, bench.task, batch=2)
    result = evaluator.evaluate(FistPolicy(bench.robot), [0, 1], time_limit=2.0)
    assert (result.k, result.n) == (0, 2)


def test_wrong_labels_are_a_parameter_of_the_person(bench: Bench) -> None:
    result = rollout(bench.environment, operator=bench.person(wrong_label=1.0), seed=1)
    assert result.success
    assert result.label is Outcome.FAILURE


def test_the_tool_stands_nowhere_in_the_way_at_home(bench: Bench) -> None:
    tool = bench.environment.sim.state().arms["left"].tool[:3]
    bench.environment.reset(0)
    assert not bench.task.in_the_way(tool)


def test_the_tasks_start_within_the_workspace(bench: Bench) -> None:
    limits = bench.robot.arms[0].limits
    for seed in range(10):
        bench.environment.reset(seed)
        pose = bench.environment.state.objects[MOVED[bench.task.task.name]]
        assert (pose[:3] >= limits.workspace_lower).all()
        assert (pose[:3] <= limits.workspace_upper).all()


def test_both_arms_of_the_tora_one_move() -> None:
    robot = load_robot(CONFIG / "robots" / "tora_one.yaml")
    sim = RobotSim(robot, load_sim_task(CONFIG / "tasks" / "raise_hand.yaml"))
    start = sim.state().arms
    np.testing.assert_allclose(start["right"].tool[:3], (0.36, -0.22, -0.30), atol=1e-6)
    for arm in robot.arms:
        sim.set_targets(arm.home + 0.1, 0.5, arm.name)
    sim.step(1.0)
    for arm in robot.arms:
        state = sim.state().arms[arm.name]
        np.testing.assert_allclose(state.position, arm.home + 0.1, atol=3e-3)
        assert state.gripper == pytest.approx(0.5, abs=0.01)


def test_an_unknown_robot_or_kind_of_task_is_named(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="Only these can be simulated"):
        embodiment_of(replace(bench.robot, name="tora_two"))
    text = (CONFIG / "tasks" / "raise_hand.yaml").read_text(encoding="utf-8")
    file = tmp_path / "task.yaml"
    file.write_text(text.replace("kind: raise_hand", "kind: raise_hands"), encoding="utf-8")
    with pytest.raises(UnknownName, match="Did you mean 'raise_hand'"):
        load_sim_task(file)
    file.write_text(text.replace("  kind: raise_hand", ""), encoding="utf-8")
    with pytest.raises(InvalidValue, match="must have a kind, one of insert"):
        load_sim_task(file)
    file.write_text(text.replace("hold: 1.00", "hold: soon"), encoding="utf-8")
    with pytest.raises(InvalidValue, match=r"success\.hold must be a number"):
        load_sim_task(file)


def test_a_thing_that_does_not_exist_cannot_be_placed(bench: Bench) -> None:
    with pytest.raises(UnknownName, match="movable object 'hat'"):
        bench.environment.sim.place("hat", np.zeros(7))
