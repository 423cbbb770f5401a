# SPDX-License-Identifier: Apache-2.0
"""Lays a user's parameter file over the graph's; a node that is not there is refused."""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hiors.spec import Graph, NodeSpec
from hiors_core.checked import read_yaml
from hiors_core.errors import InvalidValue, UnknownName

EVERY_NODE = "/**"


def apply_overrides(graph: Graph, path: Path) -> Graph:
    """Return the graph with the parameters of the ROS parameter file over its own.

    Keys are node names (`arbiter`), full names (`/robot1/arbiter`) or `/**` for every node.
    Whether a node knows a parameter is checked by the node itself when it starts.
    """
    given = dict(_sections(_load(path)))
    allowed = {EVERY_NODE, *(n.name for n in graph.nodes), *(n.full_name for n in graph.nodes)}
    for name in given:
        if name not in allowed:
            raise UnknownName("node", name, allowed, f"In the parameter file {path}.")
    nodes = tuple(_overridden(node, given) for node in graph.nodes)
    return dataclasses.replace(graph, nodes=nodes)


def _overridden(node: NodeSpec, given: Mapping[str, Mapping[str, Any]]) -> NodeSpec:
    parameters = dict(node.parameters)
    for key in (EVERY_NODE, node.name, node.full_name):
        parameters |= dict(_flat(given.get(key, {})))
    return dataclasses.replace(node, parameters=parameters)


def _load(path: Path) -> Mapping[str, Any]:
    data = read_yaml(path, "parameter file")
    if not isinstance(data, Mapping) or not data:
        raise InvalidValue(
            f"{path} must map node names to 'ros__parameters', as in "
            "`arbiter: {ros__parameters: {rate: 30.0}}`."
        )
    return data


def _sections(
    data: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for key, value in data.items():
        name = f"{prefix}{key}"
        if not isinstance(value, Mapping):
            raise InvalidValue(
                f"'{name}' holds {value!r} outside of 'ros__parameters'. Parameters stand under "
                "`<node>: {ros__parameters: {...}}`."
            )
        if "ros__parameters" not in value:
            yield from _sections(value, f"{name}/")
            continue
        parameters = value["ros__parameters"] or {}
        if not isinstance(parameters, Mapping):
            raise InvalidValue(f"'ros__parameters' of '{name}' must be a mapping.")
        yield name, parameters


def _flat(parameters: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in parameters.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
