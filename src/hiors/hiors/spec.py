# SPDX-License-Identifier: Apache-2.0
"""What a graph is made of: nodes and processes, as plain values. Knows no ROS."""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """One ROS node.

    Attributes:
        parameters: ROS parameters by name (dots for prefixes).
        remappings: topic or service names, from to.
        lifecycle: configured and activated when it is up.
        needs: a file without which it is not configured yet.
        required: the whole graph ends when it dies.
        respawn: started anew when it dies (not for required nodes).
    """

    package: str
    executable: str
    name: str
    namespace: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    remappings: Mapping[str, str] = field(default_factory=dict)
    lifecycle: bool = False
    needs: Path | None = None
    required: bool = True
    respawn: bool = False
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        """The node's name with its namespace, from the root."""
        space = self.namespace.strip("/")
        return f"/{space}/{self.name}" if space else f"/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """One process that is not a node, such as the learner under its launcher."""

    name: str
    command: tuple[str, ...]
    required: bool = False
    respawn: bool = True
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Everything that runs together. Names are unique."""

    nodes: tuple[NodeSpec, ...]
    processes: tuple[ProcessSpec, ...] = ()

    def __iter__(self) -> Iterator[NodeSpec | ProcessSpec]:
        yield from self.nodes
        yield from self.processes

    def without_respawn(self) -> "Graph":
        """Return the graph in which nothing that dies is started anew."""
        return Graph(
            nodes=tuple(dataclasses.replace(n, respawn=False) for n in self.nodes),
            processes=tuple(dataclasses.replace(p, respawn=False) for p in self.processes),
        )
