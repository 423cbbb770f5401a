# SPDX-License-Identifier: Apache-2.0
"""The X-Trainer in the simulation: servos and looks of a Nova 2 arm."""

import math
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from hiors_core.robot import Arm
from hiors_sim.embodiment import Embodiment
from hiors_sim.mjcf_text import geom

Array = NDArray[np.float64]

_PARKED = (0.0, 0.0, 0.0, -0.40, 0.0, -math.pi / 2)


def _nothing(world: ET.Element) -> None:
    del world


def _draw_base(body: ET.Element) -> None:
    geom(body, "cylinder", size=(0.078, 0.02), pos=(0, 0, 0.02), material="graphite")
    geom(body, "cylinder", size=(0.064, 0.055), pos=(0, 0, 0.09), material="shell")


def _parked(main: Arm) -> tuple[Arm, Array]:
    """Return a posture with the wrist camera turned to the work plate."""
    return main, -main.home + np.array(_PARKED)[: main.home.size]


def _draw_link(body: ET.Element, i: int, d: float, a: float) -> None:
    """Draw housings around the joint axis (z) and the tube to the next joint.

    The two long links lie beside the shoulder's plane, as on the real arm; the figures are for
    looks only.
    """
    if i == 0:
        geom(body, "cylinder", size=(0.058, 0.05), pos=(0, 0, d - 0.055), material="shell")
        geom(body, "sphere", size=(0.058,), pos=(0, 0, d), material="shell")
    elif i == 1:
        geom(body, "cylinder", size=(0.056, 0.085), pos=(0, 0, 0.055), material="shell")
        geom(body, "cylinder", size=(0.057, 0.008), pos=(0, 0, 0.148), material="accent")
        geom(body, "capsule", size=(0.043,), fromto=(0, 0, 0.105, a, 0, 0.105), material="shell")
    elif i == 2:
        geom(body, "cylinder", size=(0.048, 0.085), pos=(0, 0, 0.07), material="graphite")
        geom(body, "cylinder", size=(0.049, 0.008), pos=(0, 0, 0.160), material="accent")
        geom(body, "capsule", size=(0.036,), fromto=(0, 0, 0.025, a, 0, 0.025), material="shell")
    elif i == 3:
        geom(body, "cylinder", size=(0.040, 0.07), pos=(0, 0, 0.05), material="graphite")
        geom(body, "sphere", size=(0.041,), pos=(0, 0, d), material="shell")
    elif i == 4:
        geom(body, "cylinder", size=(0.037, 0.05), pos=(0, 0, d / 2), material="shell")
        geom(body, "sphere", size=(0.039,), pos=(0, 0, d), material="shell")
    else:
        geom(body, "cylinder", size=(0.036, 0.03), pos=(0, 0, d - 0.032), material="graphite")
        geom(body, "cylinder", size=(0.037, 0.004), pos=(0, 0, d - 0.004), material="accent")


XTRAINER = Embodiment(
    # Forces in the hole bend the arm by a millimetre or two.
    stiffness=(9000.0, 9000.0, 6000.0, 2000.0, 1200.0, 800.0),
    damping=(400.0, 400.0, 250.0, 70.0, 40.0, 25.0),
    force=(150.0, 150.0, 80.0, 30.0, 30.0, 20.0),
    armature=(1.0, 1.0, 0.6, 0.2, 0.15, 0.1),
    masses=(0.803, 1.578, 0.999, 0.442, 0.575, 0.124),
    # The arms face each other.
    other_base=(0.0, -1.06, math.pi),
    draw_body=_nothing,
    draw_base=_draw_base,
    draw_link=_draw_link,
    parked=_parked,
)
