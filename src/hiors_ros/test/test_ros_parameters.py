# SPDX-License-Identifier: Apache-2.0
"""Parameters are declared with types and ranges, and nothing unknown is let through."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest

pytest.importorskip("rclpy")

import rclpy
from rclpy.parameter import Parameter

from hiors_core.errors import InvalidValue, UnknownName
from hiors_ros.parameters import Doc, OneOf, Range, declare, describe, refuse_unknown


@dataclass(frozen=True)
class Wanted:
    port: Annotated[int, Doc("TCP port."), Range(1, 65535)]
    rate: Annotated[float, Doc("Rate [Hz]."), Range(1.0, 100.0)] = 30.0
    mode: Annotated[str, Doc("How."), OneOf(("slow", "fast"))] = "slow"
    arms: Annotated[tuple[str, ...], Doc("Arms.")] = ("left",)


@pytest.fixture
def context() -> Iterator[Any]:
    context = rclpy.context.Context()
    rclpy.init(context=context)
    yield context
    rclpy.try_shutdown(context=context)


def make_node(context: Any, **values: Any) -> Any:
    overrides = [Parameter(k.replace("__", "."), value=v) for k, v in values.items()]
    return rclpy.create_node("unit", context=context, parameter_overrides=overrides)


def test_values_and_defaults_come_back_typed(context: Any) -> None:
    node = make_node(context, port=80, arms=["left", "right"])
    assert declare(node, Wanted) == Wanted(port=80, arms=("left", "right"))
    descriptor = node.describe_parameter("rate")
    assert descriptor.description == "Rate [Hz]."
    assert descriptor.read_only
    assert descriptor.floating_point_range[0].to_value == 100.0


def test_prefix_becomes_a_dotted_name(context: Any) -> None:
    node = make_node(context, left__port=81)
    assert declare(node, Wanted, "left.").port == 81
    assert [p.name for p in describe(Wanted, "left.")][:2] == ["left.port", "left.rate"]


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ({}, InvalidValue, "'port' of node '/unit' must be given"),
        ({"port": 0}, InvalidValue, "within 1 .. 65535, got 0"),
        ({"port": 80, "rate": 1000.0}, InvalidValue, "within 1.0 .. 100.0, got 1000.0"),
        ({"port": 80, "rate": float("nan")}, InvalidValue, "'rate'"),
        ({"port": 80, "rate": 5}, InvalidValue, "decimal point"),
        ({"port": 80, "mode": "fats"}, UnknownName, "Did you mean 'fast'?"),
    ],
)
def test_bad_values_are_refused(context: Any, values: Any, error: Any, words: str) -> None:
    node = make_node(context, **values)
    with pytest.raises(error) as caught:
        declare(node, Wanted)
    assert words in str(caught.value)


def test_all_that_is_missing_is_said_at_once(context: Any) -> None:
    @dataclass(frozen=True)
    class Two:
        host: Annotated[str, Doc("Where.")]
        port: Annotated[int, Doc("TCP port.")]

    with pytest.raises(InvalidValue) as caught:
        declare(make_node(context), Two)
    first, second = str(caught.value).splitlines()
    assert "'host'" in first
    assert first.endswith("must be given: a string. Where.")
    assert "'port'" in second
    assert second.endswith("must be given: an integer. TCP port.")


def test_a_misspelt_key_is_refused_with_the_nearest(context: Any) -> None:
    node = make_node(context, port=80, raet=5.0)
    declare(node, Wanted)
    with pytest.raises(UnknownName, match=r"'raet'.*Did you mean 'rate'\?"):
        refuse_unknown(node, [])


def test_a_file_for_another_node_is_refused(context: Any, tmp_path: Path) -> None:
    node = make_node(context, port=80)
    declare(node, Wanted)
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("/unit:\n  ros__parameters:\n    port: 80\n")
    bad.write_text("uint:\n  ros__parameters:\n    port: 80\n")
    refuse_unknown(node, ["--ros-args", "--params-file", str(good)])
    with pytest.raises(UnknownName, match="'uint'"):
        refuse_unknown(node, ["--ros-args", "--params-file", str(bad)])
