# SPDX-License-Identifier: Apache-2.0
"""Which robots can be simulated."""

from hiors_core.errors import UnknownName
from hiors_core.robot import RobotModel
from hiors_sim.embodiment import Embodiment
from hiors_sim.looks_tora import TORA_ONE
from hiors_sim.looks_xtrainer import XTRAINER

EMBODIMENTS = {"xtrainer": XTRAINER, "tora_one": TORA_ONE}


def embodiment_of(robot: RobotModel) -> Embodiment:
    """Return how the robot of that name is built, or raise UnknownName."""
    if robot.name not in EMBODIMENTS:
        raise UnknownName("robot", robot.name, EMBODIMENTS, "Only these can be simulated.")
    return EMBODIMENTS[robot.name]
