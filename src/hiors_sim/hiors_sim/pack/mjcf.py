# SPDX-License-Identifier: Apache-2.0
"""Conveyor, bottle, cardboard box, table and cameras, as MJCF.

The belt is a heavy slab that slides: friction carries what stands on it. It is drawn with stripes
at a pitch; going back by one pitch cannot be seen, so that it never comes to an end.
"""

import math
from xml.etree import ElementTree as ET

from hiors_sim.looks_tora import FLOOR
from hiors_sim.mjcf_scene import add_assets, add_camera, add_desk, add_surroundings
from hiors_sim.mjcf_text import CLEAR, TO_BOX, TO_GROUND, element, geom, numbers
from hiors_sim.pack.scene import WALL, PackScene

BELT, BOX, BOTTLE = "belt", "box", "bottle"
BOTTLE_JOINTS = ("bottle_x", "bottle_y", "bottle_z", "bottle_yaw")
"""The bottle moves in x y z and yaw: its tilt is locked."""
PITCH = 0.08
"""Distance of the belt's stripes [m]."""

_MATERIALS = {
    "belt": ("0.20 0.22 0.24 1", 0.1),
    "stripe": ("0.27 0.29 0.32 1", 0.1),
    "cardboard": ("0.72 0.55 0.36 1", 0.0),
    "cardboard_inside": ("0.62 0.46 0.29 1", 0.0),
    "detergent": ("0.10 0.36 0.80 1", 0.7),
    "label": ("0.97 0.96 0.92 1", 0.2),
    "cap": ("0.95 0.45 0.12 1", 0.6),
}
_GROUND = {"friction": "0.8 0.01 0.0001", **TO_GROUND}
_PAPER = {"friction": "0.4 0.005 0.0001", **TO_GROUND}


def add_scene(root: ET.Element, world: ET.Element, scene: PackScene) -> None:
    """Add everything that is not the robot."""
    add_assets(root, _MATERIALS)
    x, y = (float(v) for v in scene.belt_center)
    z = scene.belt_height
    add_surroundings(world, x, y, table=FLOOR)
    add_desk(world, (0.10, 0.75), (y - 0.60, y + 0.60), scene.table_height)
    add_camera(world, "top", pos=(0.28, 0.20, 0.42), target=(0.36, 0.20, z), fovy=58.0)
    add_camera(world, "overview", pos=(1.35, 0.95, 0.42), target=(0.26, 0.16, -0.24), fovy=46.0)
    _add_conveyor(world, scene)
    _add_box(world, scene)
    _add_bottle(world, scene)


def _add_conveyor(world: ET.Element, scene: PackScene) -> None:
    (x, y), (wide, long) = scene.belt_center, scene.belt_size / 2
    top = scene.belt_height
    body = element(world, "body", name=BELT, pos=numbers(x, y, top))
    element(body, "joint", name=BELT, type="slide", axis="0 1 0")
    element(body, "inertial", pos="0 0 0", mass="500", diaginertia="50 50 50")
    size = (wide, long + PITCH, 0.006)
    geom(body, "box", size=size, pos=(0, 0, -0.006), material="belt", attributes=_GROUND)
    count = int((long + PITCH) / PITCH)
    for i in range(-count, count + 1):
        stripe = (wide, 0.006, 0.0003)
        geom(body, "box", size=stripe, pos=(0, i * PITCH, 0), material="stripe")
    under = (top - 0.012 - scene.table_height) / 2
    for side in (-1.0, 1.0):
        rail = (x + side * (wide + 0.006), y, top - 0.014)
        geom(world, "box", size=(0.006, long + 0.02, 0.012), pos=rail, material="steel")
        cover = (x, y + side * (long + PITCH / 2), top - 0.008)
        geom(
            world, "box", size=(wide + 0.012, PITCH / 2 + 0.05, 0.012), pos=cover, material="steel"
        )
        foot = (x, y + side * 0.7 * long, scene.table_height + under)
        geom(world, "box", size=(wide, 0.02, under), pos=foot, material="graphite")


def _add_box(world: ET.Element, scene: PackScene) -> None:
    """Add the open box; its frame is the middle of its inner floor."""
    x, y, z = (float(v) for v in scene.box_size / 2)
    body = element(world, "body", name=BOX, mocap="true")
    floor = (x + WALL, y + WALL, WALL / 2)
    geom(
        body,
        "box",
        size=floor,
        pos=(0, 0, -WALL / 2),
        material="cardboard_inside",
        attributes=_PAPER,
    )
    for side in (-1.0, 1.0):
        across = ((WALL / 2, y + WALL, z), (side * (x + WALL / 2), 0, z))
        along = ((x + WALL, WALL / 2, z), (0, side * (y + WALL / 2), z))
        for size, pos in (across, along):
            geom(body, "box", size=size, pos=pos, material="cardboard", attributes=_PAPER)
        flap = {"euler": numbers(0, side * 2.5, 0), **CLEAR}
        place = (side * (x + 0.030), 0, 2 * z - 0.020)
        geom(
            body,
            "box",
            size=(0.035, y, 0.0015),
            pos=place,
            material="cardboard",
            attributes=flap,
        )


def _add_bottle(world: ET.Element, scene: PackScene) -> None:
    """Add the bottle: it collides as a box with a round cap."""
    x, y, z = (float(v) for v in scene.body_size / 2)
    r, h, m, half = scene.cap_radius, scene.cap_height / 2, scene.bottle_mass, scene.half
    body = element(world, "body", name=BOTTLE)
    for name, axis in zip(BOTTLE_JOINTS, ("1 0 0", "0 1 0", "0 0 1", "0 0 1"), strict=True):
        kind = "hinge" if name == "bottle_yaw" else "slide"
        element(body, "joint", name=name, type=kind, axis=axis, damping="0.0002")
    inertia = numbers(m * (y * y + z * z) / 3, m * (x * x + z * z) / 3, m * (x * x + y * y) / 3)
    element(body, "inertial", pos="0 0 0", mass=numbers(m), diaginertia=inertia)
    contact = {"friction": "0.4 0.005 0.0001", "condim": "3", "group": "3", **TO_BOX}
    low, high = (0.0, 0.0, z - half), (0.0, 0.0, half - h)
    geom(body, "box", size=(x, y, z), pos=low, material="hidden", attributes=contact)
    geom(
        body,
        "cylinder",
        size=(r, h),
        pos=high,
        material="cap",
        attributes={**contact, "group": "0"},
    )
    geom(body, "ellipsoid", size=(x, y, 0.25 * z), pos=(0, 0, 2 * z - half), material="detergent")
    geom(body, "box", size=(0.92 * x, y, z), pos=low, material="detergent")
    geom(body, "box", size=(x, 0.86 * y, z), pos=low, material="detergent")
    sheet = (0.70 * x, y + 0.0006, 0.55 * z)
    geom(body, "box", size=sheet, pos=low, material="label")
    turned = {"euler": numbers(0, math.pi / 4, 0), **CLEAR}
    mark = (0.30 * x, y + 0.0010, 0.30 * x)
    geom(body, "box", size=mark, pos=low, material="cap", attributes=turned)
