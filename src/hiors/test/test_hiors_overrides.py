# SPDX-License-Identifier: Apache-2.0
"""A user's parameter file over the graph's parameters."""

from pathlib import Path

import pytest
import yaml

from hiors.commands import write_parameters
from hiors.overrides import apply_overrides
from hiors.spec import Graph, NodeSpec
from hiors_core.errors import HiorsError, InvalidValue, UnknownName

GRAPH = Graph(
    nodes=(
        NodeSpec(
            package="p",
            executable="e",
            name="arbiter",
            namespace="robot1",
            parameters={"rate": 30.0, "a.b": 1},
        ),
        NodeSpec(package="p", executable="e", name="driver", namespace="robot1"),
    )
)


def file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("key", ["arbiter", "/robot1/arbiter"])
def test_a_node_is_named_shortly_or_fully(tmp_path: Path, key: str) -> None:
    path = file(tmp_path, f"{key}: {{ros__parameters: {{rate: 20.0}}}}")
    node = apply_overrides(GRAPH, path).nodes[0]
    assert node.parameters == {"rate": 20.0, "a.b": 1}


def test_every_node_gets_what_stands_under_the_wildcard_and_the_nearer_wins(
    tmp_path: Path,
) -> None:
    text = "/**: {ros__parameters: {x: 1, rate: 5.0}}\narbiter: {ros__parameters: {rate: 6.0}}"
    arbiter, driver = apply_overrides(GRAPH, file(tmp_path, text)).nodes
    assert arbiter.parameters["rate"] == 6.0
    assert driver.parameters == {"x": 1, "rate": 5.0}


def test_nested_parameters_become_dotted(tmp_path: Path) -> None:
    path = file(tmp_path, "arbiter: {ros__parameters: {a: {b: 2}}}")
    assert apply_overrides(GRAPH, path).nodes[0].parameters["a.b"] == 2


def test_a_node_that_is_not_there_is_refused_with_the_nearest(tmp_path: Path) -> None:
    path = file(tmp_path, "arbitr: {ros__parameters: {rate: 1.0}}")
    with pytest.raises(UnknownName, match="Did you mean 'arbiter'"):
        apply_overrides(GRAPH, path)


@pytest.mark.parametrize(
    "text", ["", "3", "arbiter: {rate: 1.0}", "arbiter: {ros__parameters: 3}"]
)
def test_what_is_not_a_parameter_file_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidValue, match="ros__parameters"):
        apply_overrides(GRAPH, file(tmp_path, text))


def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HiorsError, match="Cannot read"):
        apply_overrides(GRAPH, tmp_path / "none.yaml")
    with pytest.raises(HiorsError, match="Cannot read"):
        apply_overrides(GRAPH, file(tmp_path, "a: [1"))


def test_the_written_file_names_the_node_fully(tmp_path: Path) -> None:
    node = NodeSpec(
        package="p",
        executable="e",
        name="n",
        namespace="/r/",
        parameters={"p": tmp_path, "l": ("a",)},
    )
    data = yaml.safe_load(write_parameters(node, tmp_path).read_text())
    assert data == {"/r/n": {"ros__parameters": {"p": str(tmp_path), "l": ["a"]}}}
