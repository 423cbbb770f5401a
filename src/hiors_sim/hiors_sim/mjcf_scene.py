# SPDX-License-Identifier: Apache-2.0
"""What every scene has: materials, light, a table, cameras looking at it. Knows no task."""

from collections.abc import Mapping, Sequence
from xml.etree import ElementTree as ET

import numpy as np

from hiors_sim.mjcf_text import TO_GROUND, element, geom, numbers

Materials = Mapping[str, tuple[str, float]]
"""Name -> colour (r g b a), shine 0 .. 1."""

_MATERIALS: Materials = {
    "shell": ("0.93 0.94 0.95 1", 0.4),
    "graphite": ("0.17 0.18 0.20 1", 0.3),
    "accent": ("0.13 0.45 0.86 1", 0.4),
    "steel": ("0.62 0.64 0.67 1", 0.6),
    "rubber": ("0.10 0.10 0.11 1", 0.1),
    "desk_top": ("0.78 0.74 0.68 1", 0.1),
    "dark": ("0.12 0.13 0.15 1", 0.0),
    "hidden": ("0 0 0 0", 0.0),
}


def add_assets(root: ET.Element, materials: Materials) -> None:
    """Add textures and materials, those of the robot and the scene's own."""
    asset = element(root, "asset")
    sky = {"type": "skybox", "builtin": "gradient", "width": "256", "height": "256"}
    element(asset, "texture", name="sky", rgb1=".86 .90 .94", rgb2=".55 .61 .68", **sky)
    marks = {"mark": "random", "random": "0.02", "markrgb": ".47 .40 .33"}
    size = {"type": "2d", "builtin": "flat", "width": "512", "height": "512"}
    element(asset, "texture", name="desk", rgb1=".56 .48 .40", rgb2=".56 .48 .40", **size, **marks)
    element(asset, "material", name="desk", texture="desk", texrepeat="3 3", specular="0.1")
    for name, (rgba, shine) in {**_MATERIALS, **materials}.items():
        look = {"specular": numbers(shine), "shininess": numbers(0.2 + shine / 2)}
        element(asset, "material", name=name, rgba=rgba, **look)


def add_surroundings(world: ET.Element, x: float, y: float, *, table: float = 0.0) -> None:
    """Add the lights and a table whose top is at height ``table``, around x y [m]."""
    light = {"type": "directional", "specular": ".25 .25 .25"}
    element(
        world,
        "light",
        name="key",
        pos=numbers(x - 0.6, y - 0.4, table + 1.8),
        dir="0.35 0.28 -1",
        diffuse=".42 .41 .39",
        castshadow="true",
        **light,
    )
    element(
        world,
        "light",
        name="fill",
        pos=numbers(x + 0.8, y + 0.6, table + 1.6),
        dir="-0.5 -0.4 -1",
        diffuse=".12 .13 .15",
        castshadow="false",
        **light,
    )
    geom(
        world,
        "plane",
        size=(1.2, 1.2, 0.05),
        pos=(x, y - 0.1, table),
        material="desk",
        attributes={"name": "table", "friction": "0.8 0.01 0.0001", **TO_GROUND},
    )


def add_desk(
    world: ET.Element, x: tuple[float, float], y: tuple[float, float], top: float
) -> None:
    """Add a desk between two x and two y [m], its top at height ``top``."""
    middle, half = (x[0] + x[1]) / 2, (x[1] - x[0]) / 2
    centre, wide = (y[0] + y[1]) / 2, (y[1] - y[0]) / 2
    ground = {"friction": "0.8 0.01 0.0001", **TO_GROUND}
    size, pos = (half, wide, 0.015), (middle, centre, top - 0.015)
    geom(world, "box", size=size, pos=pos, material="desk_top", attributes=ground)
    for i in (-1, 1):
        for j in (-1, 1):
            leg = (middle + i * (half - 0.04), centre + j * (wide - 0.04), top - 0.38)
            geom(world, "box", size=(0.02, 0.02, 0.35), pos=leg, material="steel")


def add_camera(
    world: ET.Element, name: str, *, pos: Sequence[float], target: Sequence[float], fovy: float
) -> None:
    """Add a camera at ``pos`` that looks at ``target`` [m], upright; fovy in degrees."""
    away = np.subtract(pos, target)
    away = away / np.linalg.norm(away)
    right = np.cross((0.0, 0.0, 1.0), away)
    right /= np.linalg.norm(right)
    axes = numbers(*right, *np.cross(away, right))
    element(world, "camera", name=name, pos=numbers(*pos), xyaxes=axes, fovy=numbers(fovy))
