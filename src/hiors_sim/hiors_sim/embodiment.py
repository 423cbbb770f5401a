# SPDX-License-Identifier: Apache-2.0
"""What the model of a robot needs beyond its robot file: servos, masses, looks. Knows no robot."""

from collections.abc import Callable
from dataclasses import dataclass
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from hiors_core.robot import Arm

Array = NDArray[np.float64]
Base = tuple[float, float, float]
"""x, y [m], yaw [rad]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Embodiment:
    """How a robot's arms are driven and drawn; tuples have one value a joint.

    Attributes:
        stiffness: of the position servo [N m/rad]. damping: [N m s/rad]. force: largest [N m].
        armature: rotor inertia [kg m^2]. masses: of the links [kg].
        other_base: the other arm's base in the base frame of the task's arm.
        draw_body: draws what carries the arms, in the base frame of the task's arm.
        draw_base: draws an arm's base in its base frame.
        draw_link: draws link i (0-based) in the frame of its joint, given d and a of its row [m].
        parked: returns the arm and the posture in which the other arm is drawn when it does not
            move, given the task's arm.
    """

    stiffness: tuple[float, ...]
    damping: tuple[float, ...]
    force: tuple[float, ...]
    armature: tuple[float, ...]
    masses: tuple[float, ...]
    other_base: Base
    draw_body: Callable[[ET.Element], None]
    draw_base: Callable[[ET.Element], None]
    draw_link: Callable[[ET.Element, int, float, float], None]
    parked: Callable[[Arm], tuple[Arm, Array]]
