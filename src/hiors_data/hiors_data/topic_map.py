# SPDX-License-Identifier: Apache-2.0
"""The topic map: how a recording made without hiors reads as an episode of a robot.

A YAML file; README.md explains every key. Knows no recording.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hiors_core.authority import Authority
from hiors_core.bag import full_name
from hiors_core.checked import number, read_yaml, section
from hiors_core.errors import InvalidValue, UnknownName
from hiors_core.label import Outcome
from hiors_core.robot import RobotModel
from hiors_data.locate import Locator

Array = NDArray[np.float64]

AUTHORITIES = {"human": Authority.HUMAN, "policy": Authority.POLICY}
CLOCKS = ("header", "received")
OUTCOMES = {o.name.lower(): o for o in (Outcome.SUCCESS, Outcome.FAILURE, Outcome.NONE)}
_KEYS = {"executed", "lead", "objects", "cameras", "authority", "clock", "max_gap", "episodes"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A robot column in a message: ``value * scale + offset`` at the name or the index ``at``."""

    name: str
    at: str | int
    scale: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A topic that gives some of the robot's columns.

    Attributes:
        values: where the numbers lie; None: known by the type. names: where their names lie.
    """

    topic: str
    columns: tuple[Column, ...]
    values: Locator | None = None
    names: Locator | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseSource:
    """A topic that gives an object's pose; ``transform`` (7,) takes it to the first arm's base."""

    topic: str
    transform: Array | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A stretch of the recording that is an episode [s since the first message]."""

    start: float
    end: float
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicMap:
    """Content of a topic map.

    Attributes:
        measured: sources of measured positions. executed: sources of commands; empty: the
            measured positions ``lead`` [s] later stand for them.
        authority: who drove. clock: "header" stamps, or "received" log times.
        max_gap: longest time without a message that is bridged [s].
        cuts: episodes in the recording; empty: the whole of it is one.
    """

    measured: tuple[Source, ...]
    executed: tuple[Source, ...] = ()
    lead: float = 0.1
    objects: Mapping[str, PoseSource] = field(default_factory=dict)
    cameras: Mapping[str, str] = field(default_factory=dict)
    authority: Authority = Authority.HUMAN
    clock: str = "header"
    max_gap: float = 0.5
    cuts: tuple[Cut, ...] = ()

    @property
    def state_topics(self) -> tuple[str, ...]:
        """Every topic but the cameras'."""
        sources = [s.topic for s in (*self.measured, *self.executed)]
        return tuple(dict.fromkeys([*sources, *(p.topic for p in self.objects.values())]))


def load_topic_map(path: str | Path, robot: RobotModel) -> TopicMap:
    """Read a topic map for a robot; unknown keys, columns and cameras are refused by name."""
    data = read_yaml(path, "topic map")
    where = str(path)
    top = section(data, where, {"measured"}, optional=_KEYS)
    return TopicMap(
        measured=_sources(top["measured"], f"{where}: measured", robot),
        executed=_sources(top["executed"], f"{where}: executed", robot)
        if top.get("executed")
        else (),
        lead=number(top.get("lead", 0.1), f"{where}: lead", 0.0, 2.0),
        objects={
            str(name): _pose(value, f"{where}: objects.{name}")
            for name, value in _mapping(top.get("objects"), f"{where}: objects").items()
        },
        cameras=_cameras(top.get("cameras"), f"{where}: cameras", robot),
        authority=AUTHORITIES[_one_of(top.get("authority", "human"), "authority", AUTHORITIES)],
        clock=_one_of(top.get("clock", "header"), "clock", CLOCKS),
        max_gap=number(top.get("max_gap", 0.5), f"{where}: max_gap", 0.01, 10.0),
        cuts=_cuts(top.get("episodes"), f"{where}: episodes"),
    )


def _sources(data: Any, where: str, robot: RobotModel) -> tuple[Source, ...]:
    if not isinstance(data, list) or not data:
        raise InvalidValue(f"{where} must be a list of sources, each with topic and columns")
    sources = tuple(_source(part, f"{where}[{i}]", robot) for i, part in enumerate(data))
    given = [c.name for s in sources for c in s.columns]
    if missing := [n for n in robot.names if n not in given]:
        raise InvalidValue(f"{where} gives no {', '.join(missing)} of robot {robot.name}")
    if twice := sorted({n for n in given if given.count(n) > 1}):
        raise InvalidValue(f"{where} gives {', '.join(twice)} twice")
    return sources


def _source(data: Any, where: str, robot: RobotModel) -> Source:
    part = section(data, where, {"topic", "columns"}, optional={"values", "names"})
    columns = _mapping(part["columns"], f"{where}: columns")
    for name in columns:
        if name not in robot.names:
            raise UnknownName("column", str(name), robot.names, f"In {where}.")
    return Source(
        topic=_topic(part["topic"], where),
        columns=tuple(_column(str(n), v, f"{where}: {n}") for n, v in columns.items()),
        values=Locator(part["values"]) if "values" in part else None,
        names=Locator(part["names"]) if "names" in part else None,
    )


def _column(name: str, data: Any, where: str) -> Column:
    if not isinstance(data, Mapping):
        data = {"at": data}
    part = section(data, where, {"at"}, optional={"scale", "offset"})
    at = part["at"]
    if isinstance(at, bool) or not isinstance(at, str | int):
        raise InvalidValue(f"{where} must be a name or an index in the message, got {at!r}")
    return Column(
        name=name,
        at=at,
        scale=number(part.get("scale", 1.0), f"{where}: scale", -1e6, 1e6),
        offset=number(part.get("offset", 0.0), f"{where}: offset", -1e6, 1e6),
    )


def _pose(data: Any, where: str) -> PoseSource:
    if isinstance(data, str):
        return PoseSource(topic=_topic(data, where))
    part = section(data, where, {"topic"}, optional={"transform"})
    given = part.get("transform")
    if given is None:
        return PoseSource(topic=_topic(part["topic"], where))
    if not isinstance(given, list) or len(given) != 7:
        raise InvalidValue(f"{where}: transform must be [x, y, z, qx, qy, qz, qw], got {given}")
    transform = np.array([number(v, f"{where}: transform", -1e3, 1e3) for v in given])
    length = float(np.linalg.norm(transform[3:]))
    if not 0.99 < length < 1.01:
        raise InvalidValue(f"{where}: the quaternion of transform has length {length:.3f}, not 1")
    transform[3:] /= length
    return PoseSource(topic=_topic(part["topic"], where), transform=transform)


def _cameras(data: Any, where: str, robot: RobotModel) -> dict[str, str]:
    given = _mapping(data, where)
    for name in given:
        if name not in robot.cameras:
            raise UnknownName("camera", str(name), robot.cameras, f"In {where}.")
    return {str(name): _topic(topic, where) for name, topic in given.items()}


def _cuts(data: Any, where: str) -> tuple[Cut, ...]:
    if data is None:
        return ()
    if not isinstance(data, list) or not data:
        raise InvalidValue(f"{where} must be a list of {{from: s, to: s, outcome: success}}")
    cuts = []
    for i, row in enumerate(data):
        part = section(row, f"{where}[{i}]", {"from", "to"}, optional={"outcome"})
        start = number(part["from"], f"{where}[{i}].from", 0.0, 1e7)
        outcome = _one_of(part.get("outcome", "success"), "outcome", OUTCOMES)
        end = number(part["to"], f"{where}[{i}].to", start, 1e7)
        cuts.append(Cut(start=start, end=end, outcome=OUTCOMES[outcome]))
    return tuple(cuts)


def _mapping(data: Any, where: str) -> Mapping[Any, Any]:
    if data is None:
        return {}
    if not isinstance(data, Mapping):
        raise InvalidValue(f"{where} must map names to what they are, got {data!r}")
    return data


def _topic(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.strip("/"):
        raise InvalidValue(f"{where}: a topic must be a name such as /joint_states, got {value!r}")
    return full_name(value)


def _one_of(value: Any, what: str, allowed: Any) -> str:
    if value not in allowed:
        raise UnknownName(what, str(value), allowed, "In the topic map.")
    return str(value)
