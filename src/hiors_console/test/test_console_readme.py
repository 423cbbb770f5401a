# SPDX-License-Identifier: Apache-2.0
"""The parameter table of the README is that of the code."""

from pathlib import Path

import pytest

pytest.importorskip("rclpy")

from hiors_console.parameters import ConsoleParameters
from hiors_ros.parameters import describe


def test_the_readme_lists_every_parameter_as_it_is() -> None:
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    for info in describe(ConsoleParameters):
        (row,) = [r for r in rows if r.startswith(f"| `{info.name}` |")]
        assert info.doc in row
