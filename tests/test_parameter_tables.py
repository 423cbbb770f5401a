# SPDX-License-Identifier: Apache-2.0
"""Every parameter of a node is in a table of its package, in the words of the code."""

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("rclpy")

from hiors_ros.parameters import describe

SOURCES = Path(__file__).resolve().parent.parent / "src"


def parameter_classes() -> Iterator[type]:
    """Yield the dataclasses of parameters that the packages' modules define."""
    for path in sorted(SOURCES.glob("hiors*/hiors*/*parameters.py")):
        name = f"{path.parent.name}.{path.stem}"
        if name == "hiors_ros.parameters":
            continue
        for value in vars(importlib.import_module(name)).values():
            if getattr(value, "__module__", "") == name and str(value).endswith("Parameters'>"):
                yield value


def rows(package: str) -> list[str]:
    pages = (SOURCES / package).glob("*.md")
    lines = [line for page in pages for line in page.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line.startswith("| `")]


def test_the_nodes_of_every_kind_are_looked_at() -> None:
    names = {cls.__name__ for cls in parameter_classes()}
    assert {"ArbiterParameters", "PolicyParameters", "LeaderArmParameters"} <= names


@pytest.mark.parametrize("cls", parameter_classes(), ids=lambda c: f"{c.__module__}.{c.__name__}")
def test_every_parameter_is_in_a_table(cls: type) -> None:
    table = rows(cls.__module__.split(".")[0])
    for info in describe(cls, "<arm>." if "Arm" in cls.__name__ else ""):
        own = [row for row in table if row.startswith(f"| `{info.name}` |")]
        good = [r for r in own if info.doc in r and ("required" in r) is info.required]
        assert good, f"{info.name}: {info.doc}"
