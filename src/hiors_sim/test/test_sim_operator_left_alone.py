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


def test_after_a_lost_take_over_the_person_takes_the_robot_again() -> None:
    task = load_sim_task(CONFIG / "tasks" / "insert_moisturizer.yaml")
    arm = load_robot(CONFIG / "robots" / "xtrainer.yaml", ["left"]).arm("left")
    operator = ScriptedOperator(task, arm, OperatorSettings(attention=1.0))
    height = task.scene.plate_height + task.scene.box_size[2] / 2
    box = np.array([*task.scene.start_center, height, 0.0, 0.0, 0.0, 1.0])
    view = SceneView(
        stamp=0,
        tool=ArmKinematics(arm).forward(arm.home),
        gripper=1.0,
        objects={"box": box, "hole": task.scene.hole_pose},
        authority=Authority.HOLD,
    )
    operator.start(0, 1, demonstrate=True)
    requests: list[tuple[float, Request]] = []

    def step(seconds: float, authority: Authority) -> None:
        action = operator.step(replace(view, stamp=to_ns(seconds), authority=authority))
        if action.request is not None:
            requests.append((seconds, action.request))

    def steps(start: float, end: float, authority: Authority) -> None:
        for seconds in np.arange(start, end, 1 / 30):
            step(float(seconds), authority)

    steps(0.0, 0.2, Authority.HOLD)
    assert requests == [(0.0, Request.TAKE_OVER)]
    steps(0.2, 1.2, Authority.HUMAN)
    assert len(requests) == 1
    steps(1.2, 2.5, Authority.HOLD)
    assert requests[1][1] is Request.TAKE_OVER
    assert 1.6 < requests[1][0] < 1.9
    assert operator.interventions == 2
