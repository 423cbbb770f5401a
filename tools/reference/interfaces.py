# SPDX-License-Identifier: Apache-2.0
"""Messages, services and actions as their own files explain them; topics with their quality."""

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from nodes import NodeProgram
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from writing import code, page, table

from hiors_ros import qos

PARTS = {"msg": ("",), "srv": ("Request", "Response"), "action": ("Goal", "Result", "Feedback")}
_FIELD = re.compile(r"(?P<type>[\w/]+(?:\[[^]]*\])?)\s+(?P<name>\w+)(?:\s*=\s*(?P<value>\S+))?")


def interfaces_page(root: Path) -> str:
    """Return the page of all interfaces."""
    folder = root / "src" / "hiors_interfaces"
    intro = (
        "Field by field, from the files in `src/hiors_interfaces`. Units stand in square brackets;"
        " lengths are metres, angles radians, times seconds. `(H, A)`: H rows, A columns."
    )
    parts = [
        _interface(path, kind)
        for kind in PARTS
        for path in sorted((folder / kind).glob(f"*.{kind}"))
    ]
    return page("Messages, services, actions", intro, *parts)


def topics_page(programs: Iterable[NodeProgram]) -> str:
    """Return the page of topics and services with who has which end."""
    ends: dict[tuple[str, str, str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for program in programs:
        for end in program.endpoints:
            group = end.kind.split("/")[1]
            ends[group, end.name, end.kind][end.direction.split()[0]].append(program.title)
    topics = (
        [
            code(name),
            code(kind),
            _of(name),
            _names(found["publishes"]),
            _names(found["subscribes"]),
        ]
        for (group, name, kind), found in sorted(ends.items())
        if group == "msg"
    )
    services = (
        [code(name), code(kind), _names(found["serves"]), _names(found["calls"])]
        for (group, name, kind), found in sorted(ends.items())
        if group != "msg"
    )
    return page(
        "Topics, services, actions",
        "Names are relative to the namespace of the graph (`namespace:=`). Quality of service"
        " comes from one table, `hiors_ros.qos`; a peer that does not match shows on"
        " `/diagnostics`.",
        "## Topics",
        table(("topic", "type", "quality", "published by", "heard by"), topics),
        "## Services and actions",
        table(("name", "type", "served by", "called by"), services),
    )


def _of(topic: str) -> str:
    known = topic in qos.TOPICS or topic.split("/")[0] in qos.TOPICS
    return _quality(qos.profile(topic)) if known else ""


def _quality(profile: QoSProfile) -> str:
    reliable = profile.reliability == ReliabilityPolicy.RELIABLE
    latched = profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
    kept = ", kept for late joiners" if latched else ""
    return f"{'reliable' if reliable else 'best effort'}, depth {profile.depth}{kept}"


def _names(titles: list[str]) -> str:
    return "; ".join(sorted(set(titles)))


def _interface(path: Path, kind: str) -> str:
    texts = re.split(r"^---$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    about = " ".join(line[1:].strip() for line in _head(texts[0]))
    shown = [f"## hiors_interfaces/{kind}/{path.stem}", about]
    for name, text in zip(PARTS[kind], texts, strict=True):
        shown += [f"**{name}**" if name else "", _fields(text)]
    return "\n\n".join(part for part in shown if part)


def _head(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("#")]


def _fields(text: str) -> str:
    rows = []
    for line in text.splitlines():
        declaration, _, comment = line.partition("#")
        if found := _FIELD.match(declaration):
            value = f" = {found['value']}" if found["value"] else ""
            rows.append([code(found["name"] + value), code(found["type"]), comment.strip()])
    return table(("field", "type", "meaning"), rows)
