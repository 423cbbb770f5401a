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


def topics_of(node: object) -> Iterator[str]:
    """Every topic that a text anywhere in the layout names, alone or before a field."""
    if isinstance(node, dict):
        yield from (name for part in (*node, *node.values()) for name in topics_of(part))
    elif isinstance(node, list):
        yield from (name for part in node for name in topics_of(part))
    elif isinstance(node, str) and (found := re.match(r"/[a-z_/]+", node)):
        yield found[0].removesuffix("/compressed")


def test_every_topic_is_in_the_reference() -> None:
    text = (ROOT / "docs/reference/topics.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z_/<>]+)` \|", text, re.MULTILINE)
    known = [re.compile("/" + re.sub(r"<\w+>", r"\\w+", row)) for row in rows]
    found = set(topics_of(LAYOUT["configById"])) - {TRANSITION}  # only bags have it
    assert len(found) >= 8
    assert [topic for topic in found if not any(k.fullmatch(topic) for k in known)] == []


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
