# SPDX-License-Identifier: Apache-2.0
"""The Foxglove layout shows topics and fields that exist."""

import json
import re
from collections.abc import Iterator

from data_samples import ROOT, robot

from hiors_core.authority import Authority
from hiors_core.cdr import make
from hiors_core.topics import (
    CONTROL_STATE,
    CONTROL_STATE_TYPE,
    EXECUTED,
    EXECUTED_TYPE,
    JOINT_STATE_TYPE,
    JOINT_STATES,
    TRANSITION,
    TRANSITION_TYPE,
    camera_name,
    object_name,
)

LAYOUT = json.loads((ROOT / "config/foxglove/hiors.json").read_text(encoding="utf-8"))
TYPES = {
    EXECUTED: EXECUTED_TYPE,
    JOINT_STATES: JOINT_STATE_TYPE,
    CONTROL_STATE: CONTROL_STATE_TYPE,
    TRANSITION: TRANSITION_TYPE,
}


def leaves(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (name for side in ("first", "second") for name in leaves(node[side]))
    else:
        yield str(node)


def test_every_panel_has_its_place() -> None:
    assert sorted(leaves(LAYOUT["layout"])) == sorted(LAYOUT["configById"])


def test_plotted_fields_exist() -> None:
    paths = [p["value"] for c in LAYOUT["configById"].values() for p in c.get("paths", ())]
    assert paths
    for path in paths:
        topic, field, index = re.fullmatch(r"(/[a-z_/]+)\.(\w+)(?:\[(\d+)\])?", path).groups()
        assert hasattr(make(TYPES[topic]), field), path
        assert int(index or 0) < len(robot().names)


def test_cameras_objects_and_authorities_are_those_of_hiors() -> None:
    panels = LAYOUT["configById"]
    cameras = [p["imageMode"]["imageTopic"] for p in panels.values() if "imageMode" in p]
    assert {camera_name(t) for t in cameras} <= set(robot().cameras)
    topics = panels["3D!scene"]["topics"]
    assert {object_name(t) for t in topics if t.startswith("/objects")} == {"box", "hole"}
    (authority, _) = panels["StateTransitions!authority"]["paths"]
    for value, name in re.findall(r"(\d) (\w+)", authority["label"]):
        assert Authority(int(value)).name.lower() == name
