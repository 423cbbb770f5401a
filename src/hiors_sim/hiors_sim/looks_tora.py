# SPDX-License-Identifier: Apache-2.0
"""The Tora One in the simulation: own plausible servos and looks, as its robot file says."""

import dataclasses
import math
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from hiors_core.robot import Arm
from hiors_sim.embodiment import Embodiment
from hiors_sim.mjcf_text import geom

Array = NDArray[np.float64]

FLOOR = -1.25
"""Height of the floor below the shoulders, the torso half raised [m]."""

_BODY: tuple[tuple[str, tuple[float, ...], tuple[float, float, float], str], ...] = (
    ("ellipsoid", (0.115, 0.155, 0.200), (-0.02, 0, -0.08), "shell"),
    ("box", (0.004, 0.050, 0.012), (0.094, 0, -0.05), "accent"),
    ("ellipsoid", (0.050, 0.190, 0.052), (0, 0, 0), "shell"),
    ("capsule", (0.085, 0.100), (-0.03, 0, -0.30), "graphite"),
    ("cylinder", (0.045, 0.060), (-0.02, 0, 0.16), "graphite"),
    ("ellipsoid", (0.095, 0.085, 0.120), (0.0, 0, 0.31), "shell"),
    ("ellipsoid", (0.060, 0.072, 0.070), (0.046, 0, 0.32), "dark"),
    ("box", (0.060, 0.080, 0.370), (-0.08, 0, -0.76), "shell"),
    ("cylinder", (0.250, 0.070), (-0.10, 0, FLOOR + 0.10), "graphite"),
    ("cylinder", (0.260, 0.012), (-0.10, 0, FLOOR + 0.19), "accent"),
)
"""Torso, shoulders, waist, neck, head, lifting column and wheeled base around the shoulders' line.
"""


def _draw_body(world: ET.Element) -> None:
    for kind, size, pos, material in _BODY:
        geom(world, kind, size=size, pos=pos, material=material)


def _draw_base(body: ET.Element) -> None:
    del body


def _draw_link(body: ET.Element, i: int, d: float, a: float) -> None:
    """Draw housings around the joint axis (z) and the tube to the next joint."""
    del a
    if i == 0:
        geom(body, "cylinder", size=(0.055, 0.035), pos=(0, 0, d / 2), material="graphite")
    elif i == 1:
        geom(body, "sphere", size=(0.066,), pos=(0, 0, 0), material="shell")
    elif i == 2:
        geom(body, "capsule", size=(0.043,), fromto=(0, 0, 0.05, 0, 0, d - 0.05), material="shell")
        geom(body, "cylinder", size=(0.045, 0.006), pos=(0, 0, 0.09), material="accent")
    elif i == 3:
        geom(body, "cylinder", size=(0.047, 0.044), pos=(0, 0, 0), material="graphite")
    elif i == 4:
        geom(body, "capsule", size=(0.037,), fromto=(0, 0, 0.05, 0, 0, d - 0.05), material="shell")
        geom(body, "cylinder", size=(0.039, 0.006), pos=(0, 0, 0.09), material="accent")
    elif i == 5:
        geom(body, "sphere", size=(0.041,), pos=(0, 0, 0), material="graphite")
    else:
        geom(body, "cylinder", size=(0.033, 0.030), pos=(0, 0, d - 0.030), material="shell")


def _parked(main: Arm) -> tuple[Arm, Array]:
    """Return a posture like the moving arm's, the wrist camera turned to the table."""
    other = mirrored(main)
    return other, other.home


def mirrored(arm: Arm) -> Arm:
    """Return the arm's mirror image in the plane y = 0, with the hand turned by half a turn as in
    the robot file; its joints turn the other way.
    """
    dh = arm.dh * np.array([-1.0, 1.0, 1.0, -1.0])
    dh[-1, 0] += math.pi
    mount = arm.mount * np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    return dataclasses.replace(arm, dh=dh, mount=mount, home=-arm.home)


TORA_ONE = Embodiment(
    stiffness=(6000.0, 6000.0, 4000.0, 4000.0, 1500.0, 1500.0, 800.0),
    damping=(300.0, 300.0, 180.0, 180.0, 50.0, 50.0, 25.0),
    force=(120.0, 120.0, 80.0, 80.0, 30.0, 30.0, 20.0),
    armature=(0.8, 0.8, 0.5, 0.5, 0.15, 0.15, 0.1),
    masses=(1.2, 1.0, 1.4, 0.7, 0.9, 0.4, 0.3),
    other_base=(0.0, 0.0, 0.0),
    draw_body=_draw_body,
    draw_base=_draw_base,
    draw_link=_draw_link,
    parked=_parked,
)
