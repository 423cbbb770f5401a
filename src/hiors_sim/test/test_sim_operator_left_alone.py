# SPDX-License-Identifier: Apache-2.0
"""A person whose hold on the robot was lost takes it again, instead of watching it stand."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from hiors_core.authority import Authority, Request
from hiors_core.clock import to_ns
from hiors_core.kinematics import ArmKinematics
from hiors_core.robot import load_robot
from hiors_sim.operator import OperatorSettings, ScriptedOperator
from hiors_sim.scene_view import SceneView
from hiors_sim.task import load_sim_task

CONFIG = Path(__file__).resolve().parents[3] / "config"


class Watch:
    """An operator in front of a robot that does not move."""

    def __init__(self, *, demonstrate: bool) -> None:
        task = load_sim_task(CONFIG / "tasks" / "insert_moisturizer.yaml")
        arm = load_robot(CONFIG / "robots" / "xtrainer.yaml", ["left"]).arm("left")
        self.operator = ScriptedOperator(task, arm, OperatorSettings(attention=1.0))
        height = task.scene.plate_height + task.scene.box_size[2] / 2
        box = np.array([*task.scene.start_center, height, 0.0, 0.0, 0.0, 1.0])
        self.view = SceneView(
            stamp=0,
            tool=ArmKinematics(arm).forward(arm.home),
            gripper=1.0,
            objects={"box": box, "hole": task.scene.hole_pose},
            authority=Authority.HOLD,
        )
        self.operator.start(0, 1, demonstrate=demonstrate)
        self.requests: list[tuple[float, Request]] = []

    def steps(self, start: float, end: float, authority: Authority) -> None:
        """Show the operator the robot, 30 times a second."""
        for seconds in np.arange(start, end, 1 / 30):
            view = replace(self.view, stamp=to_ns(float(seconds)), authority=authority)
            if (request := self.operator.step(view).request) is not None:
                self.requests.append((float(seconds), request))


def test_after_a_lost_take_over_the_person_takes_the_robot_again() -> None:
    watch = Watch(demonstrate=True)
    watch.steps(0.0, 0.2, Authority.HOLD)
    assert watch.requests == [(0.0, Request.TAKE_OVER)]
    watch.steps(0.2, 1.2, Authority.HUMAN)
    assert len(watch.requests) == 1
    watch.steps(1.2, 2.5, Authority.HOLD)
    assert watch.requests[1][1] is Request.TAKE_OVER
    assert 1.6 < watch.requests[1][0] < 1.9
    assert watch.operator.interventions == 2


def test_where_there_is_no_policy_yet_the_person_takes_the_robot() -> None:
    watch = Watch(demonstrate=False)
    watch.steps(0.0, 0.9, Authority.HOLD)
    assert watch.requests == []
    watch.steps(0.9, 1.2, Authority.HOLD)
    assert [request for _, request in watch.requests] == [Request.TAKE_OVER]
