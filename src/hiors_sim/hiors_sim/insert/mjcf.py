# SPDX-License-Identifier: Apache-2.0
"""The work plate with its hole, the moisturizer box, fixed cameras, as MJCF."""

import math
from xml.etree import ElementTree as ET

from hiors_sim.insert.scene import InsertScene
from hiors_sim.mjcf_scene import add_assets, add_surroundings
from hiors_sim.mjcf_text import CLEAR, TO_BOX, TO_GROUND, element, geom, numbers

BOX_JOINTS = ("box_x", "box_y", "box_z", "box_yaw")
"""The box moves in x y z and yaw: its tilt is locked."""

_MATERIALS = {
    "plate": ("0.80 0.83 0.86 1", 0.1),
    "plate_edge": ("0.74 0.77 0.80 1", 0.2),
    "chamfer": ("0.98 0.58 0.16 1", 0.3),
    "zone": ("0.60 0.70 0.80 1", 0.0),
    "bottle": ("0.10 0.62 0.58 1", 0.7),
    "label": ("0.97 0.96 0.92 1", 0.2),
    "cap": ("0.98 0.98 0.97 1", 0.8),
    "gold": ("0.86 0.68 0.30 1", 0.8),
}


def add_scene(root: ET.Element, world: ET.Element, scene: InsertScene) -> None:
    """Add everything that is not the robot."""
    add_assets(root, _MATERIALS)
    x, y = (float(v) for v in scene.plate_center)
    add_surroundings(world, x, y)
    _add_cameras(world, x, y)
    _add_plate(world, scene)
    _add_box(world, scene)


def _add_cameras(world: ET.Element, x: float, y: float) -> None:
    element(
        world,
        "camera",
        name="top",
        pos=numbers(x, y - 0.16, 0.62),
        xyaxes=numbers(1, 0, 0, 0, math.cos(0.2), math.sin(0.2)),
        fovy="44",
    )
    element(
        world,
        "camera",
        name="overview",
        pos=numbers(x + 0.72, y - 0.62, 0.62),
        xyaxes=numbers(0.62, 0.78, 0, -0.36, 0.29, 0.88),
        fovy="46",
    )


def _add_plate(world: ET.Element, scene: InsertScene) -> None:
    """Add the work plate: four walls around the hole, a 45 degree chamfer along its edge, its
    floor, the start zone.
    """
    body = element(world, "body", name="plate")
    half = float(scene.box_size[0]) / 2 + scene.clearance
    top, rim = scene.plate_height, scene.plate_height - scene.chamfer
    _walls(body, scene, half, 0.0, rim, "plate_edge")
    _walls(body, scene, half + scene.chamfer, rim, top, "plate")
    for i in range(4):
        _chamfer(body, scene, half, i * math.pi / 2)
    x, y = scene.hole_position
    ground = {"friction": "0.4 0.005 0.0001", **TO_GROUND}
    size = (half + 0.001, half + 0.001, scene.floor / 2)
    geom(body, "box", size=size, pos=(x, y, scene.floor / 2), material="dark", attributes=ground)
    (sx, sy), (zx, zy) = scene.start_size / 2 + scene.box_size[:2] / 2, scene.start_center
    geom(body, "box", size=(sx, sy, 0.0004), pos=(zx, zy, top - 0.0001), material="zone")


def _walls(
    body: ET.Element, scene: InsertScene, half: float, low: float, high: float, material: str
) -> None:
    """Add the layer of the plate between two heights, around a square opening."""
    (cx, cy), (hx, hy) = scene.plate_center, scene.hole_position
    x0, x1 = cx - scene.plate_size[0] / 2, cx + scene.plate_size[0] / 2
    y0, y1 = cy - scene.plate_size[1] / 2, cy + scene.plate_size[1] / 2
    spans = (
        (x0, hx - half, y0, y1),
        (hx + half, x1, y0, y1),
        (hx - half, hx + half, y0, hy - half),
        (hx - half, hx + half, hy + half, y1),
    )
    for left, right, front, back in spans:
        geom(
            body,
            "box",
            size=((right - left) / 2, (back - front) / 2, (high - low) / 2),
            pos=((left + right) / 2, (front + back) / 2, (low + high) / 2),
            material=material,
            attributes={"friction": "0.4 0.005 0.0001", **TO_GROUND},
        )


def _chamfer(body: ET.Element, scene: InsertScene, half: float, turn: float) -> None:
    """Add a thin slab whose upper face is the chamfer on the side of the hole that ``turn`` [rad]
    points to.
    """
    c = scene.chamfer
    thick = c / (2 * math.sqrt(2))
    out = half + c / 2 + thick / math.sqrt(2)
    height = scene.plate_height - c / 2 - thick / math.sqrt(2)
    x, y = scene.hole_position
    body = element(
        body,
        "body",
        pos=numbers(x + out * math.cos(turn), y + out * math.sin(turn), height),
        euler=numbers(0, 0, turn),
    )
    slope = numbers(0, -math.pi / 4, 0)
    geom(
        body,
        "box",
        size=(c / math.sqrt(2), half + c, thick),
        material="chamfer",
        attributes={"euler": slope, "friction": "0.3 0.005 0.0001", **TO_GROUND},
    )


def _add_box(world: ET.Element, scene: InsertScene) -> None:
    """Add the moisturizer: it collides as a box, and looks like a bottle with a cap."""
    x, y, z = scene.box_size / 2
    body = element(world, "body", name="box")
    for name, axis in zip(BOX_JOINTS, ("1 0 0", "0 1 0", "0 0 1", "0 0 1"), strict=True):
        kind = "hinge" if name == "box_yaw" else "slide"
        element(body, "joint", name=name, type=kind, axis=axis, damping="0.0002")
    m = scene.box_mass
    inertia = numbers(m * (y * y + z * z) / 3, m * (x * x + z * z) / 3, m * (x * x + y * y) / 3)
    element(body, "inertial", pos="0 0 0", mass=numbers(m), diaginertia=inertia)
    contact = {
        "name": "box",
        "friction": "0.35 0.005 0.0001",
        "condim": "3",
        "group": "3",
        **TO_BOX,
    }
    geom(body, "box", size=(x, y, z), material="hidden", attributes=contact)
    cap = 0.34 * z
    body_half = z - cap / 2
    geom(body, "box", size=(x, y, body_half), pos=(0, 0, -cap / 2), material="bottle")
    geom(
        body,
        "box",
        size=(x + 0.0003, y + 0.0003, 0.34 * z),
        pos=(0, 0, -0.38 * z),
        material="label",
    )
    geom(
        body,
        "box",
        size=(x + 0.0004, y + 0.0004, 0.025 * z),
        pos=(0, 0, 0.02 * z),
        material="gold",
    )
    drop = (0.005, 0.0008, 0.007)
    for turn in range(4):
        angle = turn * math.pi / 2
        place = ((x + 0.0004) * math.sin(angle), -(x + 0.0004) * math.cos(angle), -0.38 * z)
        turned = {"euler": numbers(0, 0, angle), **CLEAR}
        geom(body, "ellipsoid", size=drop, pos=place, material="bottle", attributes=turned)
    geom(body, "cylinder", size=(0.80 * x, cap / 2), pos=(0, 0, z - cap / 2), material="cap")
    geom(body, "cylinder", size=(0.82 * x, 0.0012), pos=(0, 0, z - cap + 0.003), material="gold")
