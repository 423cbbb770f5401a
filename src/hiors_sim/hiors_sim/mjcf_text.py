# SPDX-License-Identifier: Apache-2.0
"""Words of MJCF: elements, numbers and who collides with whom. Knows nothing of the scene."""

from collections.abc import Mapping, Sequence
from xml.etree import ElementTree as ET

CLEAR = {"contype": "0", "conaffinity": "0"}
"""Only drawn."""
TO_BOX = {"contype": "1", "conaffinity": "6"}
TO_GROUND = {"contype": "2", "conaffinity": "5"}
TO_FINGER = {"contype": "4", "conaffinity": "3"}
"""Fingers meet the box and the ground, never each other."""


def numbers(*values: float) -> str:
    """Return numbers as an MJCF attribute."""
    return " ".join(f"{float(v):.9g}" for v in values)


def element(parent: ET.Element, tag: str, **attributes: str) -> ET.Element:
    """Add an element."""
    return ET.SubElement(parent, tag, attributes)


def geom(
    parent: ET.Element,
    kind: str,
    *,
    size: Sequence[float],
    material: str,
    pos: Sequence[float] | None = None,
    fromto: Sequence[float] | None = None,
    attributes: Mapping[str, str] = CLEAR,
) -> ET.Element:
    """Add a geom, drawn only unless the attributes say what it collides with; it never adds to the
    mass.
    """
    given = {"type": kind, "size": numbers(*size), "material": material, "mass": "0"}
    if pos is not None:
        given["pos"] = numbers(*pos)
    if fromto is not None:
        given["fromto"] = numbers(*fromto)
    return ET.SubElement(parent, "geom", {**given, **attributes})
