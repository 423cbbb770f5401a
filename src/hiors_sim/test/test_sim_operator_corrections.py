# SPDX-License-Identifier: Apache-2.0
"""A person who takes over in mid-motion finishes the task, and sees when a policy dithers."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sim_spec import spec_of

from hiors_core.action_space import ActionMapper
from hiors_core.authority import Authority
from hiors_core.clock import to_ns
from hiors_core.observation import Observation
from hiors_core.robot import RobotModel, load_robot
from hiors_sim.environment import FastEnvironment
from hiors_sim.hand import Goal, Hand
from hiors_sim.operator import OperatorSettings, ScriptedOperator
from hiors_sim.pilot import PilotSettings
from hiors_sim.rollout import rollout
from hiors_sim.scene_view import SceneView
from hiors_sim.task import load_sim_task

Array = NDArray[np.float64]
CONFIG = Path(__file__).parents[3] / "config"
TASK = load_sim_task(CONFIG / "tasks" / "insert_moisturizer.yaml")
PERIOD = 1 / 30


def follow(hand: Hand, start: Array, goal: Goal, offset: Array, seconds: float) -> Array:
    """Let a tool trail the hand, ``offset`` beside it; return where the tool ends."""
    tool = start.copy()
    hand.anchor(start)
    for _ in range(round(seconds / PERIOD)):
        hand.move(goal, tool, PERIOD)
        wished = start[:3] + hand.relative()[:3] + offset
        tool[:3] += PERIOD / 0.12 * (wished - tool[:3])
    return tool


def still_goal(position: Array) -> Goal:
    return Goal(position=position, turn=np.zeros(3), opening=1.0, speed=0.2)


@pytest.mark.parametrize("offset", [(0.0, 0.0, 0.0), (0.02, 0.0, -0.01), (-0.015, 0.02, 0.0)])
def test_a_hand_makes_up_for_a_tool_that_is_not_where_it_believes(offset: Array) -> None:
    start, goal = np.array([0.1, -0.3, 0.2, 0.0, 0.0, 0.0]), np.array([0.2, -0.35, 0.1])
    hand = Hand(np.random.default_rng(0), tremble=0.0)
    tool = follow(hand, start, still_goal(goal), np.array(offset), 4.0)
    assert np.abs(tool[:3] - goal).max() < 0.001


def test_a_hand_that_presses_does_not_press_harder_and_harder() -> None:
    tool = np.array([0.1, -0.3, 0.2, 0.0, 0.0, 0.0])
    hand = Hand(np.random.default_rng(0), tremble=0.0)
    hand.anchor(tool)
    for _ in range(150):
        hand.move(still_goal(tool[:3] - [0.0, 0.0, 0.1]), tool, PERIOD)
    pressed = hand.relative()[2]
    hand.move(still_goal(tool[:3]), tool, PERIOD)
    assert -0.05 < pressed < -0.03
    for _ in range(30):
        hand.move(still_goal(tool[:3]), tool, PERIOD)
    assert abs(hand.relative()[2]) < 0.001


def test_a_watcher_sees_a_policy_that_moves_and_gets_nowhere() -> None:
    watcher = TASK.watcher()
    hole = TASK.scene.hole_pose
    said = []
    for k in range(90):
        turn = 2.0 * k * PERIOD
        tool = np.array([-0.1 + 0.03 * np.cos(turn), -0.37 + 0.03 * np.sin(turn), 0.2, 1, 0, 0, 0])
        box = np.array([-0.2, -0.37, 0.09, 0.0, 0.0, 0.0, 1.0])
        view = SceneView(
            stamp=to_ns(k * PERIOD),
            tool=tool,
            gripper=1.0,
            objects={"box": box, "hole": hole},
            authority=Authority.POLICY,
        )
        said.append(watcher.look(view))
    assert said[50] == ""
    assert "no progress for 2 s" in said


class Erratic:
    """Rushes about around the box, so that every take-over meets a robot in motion."""

    def __init__(self, robot: RobotModel) -> None:
        self.spec = spec_of(robot)
        self._mapper = ActionMapper(robot)
        self._rng = np.random.default_rng(3)

    def predict(
        self, observation: Observation, instruction: str = "", seed: int | None = None
    ) -> Array:
        del instruction, seed
        tool = self._mapper.joint_to_ee(observation.position)
        goal = tool.copy()
        goal[:3] = observation.objects["box"][:3] + self._rng.uniform(
            [-0.1, -0.1, 0.05], [0.1, 0.1, 0.15]
        )
        goal[6] = 0.0
        return tool + np.linspace(0.25, 1.0, 4)[:, None] * (goal - tool)


def test_who_takes_over_from_a_rushing_policy_finishes_the_task() -> None:
    robot = load_robot(CONFIG / "robots" / "xtrainer.yaml", ["left"])
    settings = OperatorSettings(attention=1.0, keep_on=1.0)
    operator = ScriptedOperator(TASK, robot.arm("left"), settings, seed=0)
    environment = FastEnvironment(robot, TASK, seed=0)
    try:
        results = [
            rollout(environment, Erratic(robot), operator, seed, pilot=PilotSettings(latency=0.05))
            for seed in range(6)
        ]
    finally:
        environment.close()
    assert all(result.interventions for result in results)
    assert [result.success for result in results] == [True] * 6
