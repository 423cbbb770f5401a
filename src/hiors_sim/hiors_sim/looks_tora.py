# SPDX-License-Identifier: Apache-2.0
"""The Tora One in the simulation: own plausible servos and looks, as its robot file says."""

import dataclasses
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from hiors_core.robot import Arm
from hiors_sim.embodiment import Embodiment
from hiors_sim.mjcf_text import geom

Array = NDArray[np.float64]

_HANGING = (0.15, 0.12, 0.0, -0.55, 0.0, 0.0, 0.0)
"""Posture of the idle right arm [rad]: the elbow a little bent, the wrist camera to the table."""


def _draw_body(world: ET.Element) -> None:
    """Draw torso, column and head around the line through the shoulders."""
    draw = {
        "chest": ("ellipsoid", (0.115, 0.150, 0.200), (-0.02, 0, -0.08), "shell"),
        "waist": ("capsule", (0.085, 0.110), (-0.03, 0, -0.30), "graphite"),
        "emblem": ("box", (0.004, 0.050, 0.012), (0.094, 0, -0.05), "accent"),
        "neck": ("cylinder", (0.045, 0.060), (-0.02, 0, 0.16), "graphite"),
        "head": ("ellipsoid", (0.095, 0.085, 0.120), (0.0, 0, 0.31), "shell"),
        "face": ("ellipsoid", (0.060, 0.072, 0.070), (0.046, 0, 0.32), "dark"),
        "column": ("box", (0.075, 0.090, 0.400), (-0.10, 0, -0.75), "shell"),
    }
    for kind, size, pos, material in draw.values():
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
    return mirrored(main), np.array(_HANGING) if main.name == "left" else -np.array(_HANGING)


def mirrored(arm: Arm) -> Arm:
    """Return the arm's mirror image in the plane y = 0; its joints turn the other way."""
    dh = arm.dh * np.array([-1.0, 1.0, 1.0, -1.0])
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
