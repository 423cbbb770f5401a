# SPDX-License-Identifier: Apache-2.0
"""The shown pose, a table and cameras, as MJCF. The target is drawn only: a hand made of glass."""

from xml.etree import ElementTree as ET

from hiors_sim.looks_tora import FLOOR
from hiors_sim.mjcf_scene import add_assets, add_camera, add_desk, add_surroundings
from hiors_sim.mjcf_text import element, geom
from hiors_sim.raise_hand.scene import RaiseHandScene

TARGET = "target"
_MATERIALS = {
    "glass": ("0.10 0.78 0.42 0.55", 0.3),
    "ring": ("0.10 0.78 0.42 1", 0.3),
}


def add_scene(root: ET.Element, world: ET.Element, scene: RaiseHandScene) -> None:
    """Add everything that is not the robot."""
    add_assets(root, _MATERIALS)
    x, y, z = (float(v) for v in scene.center)
    add_surroundings(world, x, y, table=FLOOR)
    add_desk(world, (0.17, 0.75), (-0.60, 0.60), scene.table_height)
    add_camera(world, "top", pos=(0.09, 0.0, 0.36), target=(x, 0.7 * y, z - 0.06), fovy=72.0)
    add_camera(world, "overview", pos=(1.55, 0.85, 0.50), target=(0.20, 0.08, 0.0), fovy=46.0)
    body = element(world, "body", name=TARGET, mocap="true")
    geom(body, "sphere", size=(0.011,), pos=(0, 0, 0), material="ring")
    for side in (-1.0, 1.0):
        geom(
            body, "box", size=(0.004, 0.010, 0.045), pos=(0.055 * side, 0, -0.03), material="glass"
        )
    geom(body, "box", size=(0.062, 0.026, 0.028), pos=(0, 0, -0.100), material="glass")
    geom(body, "cylinder", size=(0.030, 0.025), pos=(0, 0, -0.150), material="glass")
