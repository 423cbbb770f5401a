# SPDX-License-Identifier: Apache-2.0
"""No node of ours hides an attribute of rclpy's Node, such as _clock; each runs with python -m."""

import ast
import re
from pathlib import Path

import pytest

SOURCES = Path(__file__).resolve().parent.parent / "src"


def node_modules() -> list[Path]:
    return sorted(p for p in SOURCES.glob("*/*/*.py") if "run_node(" in p.read_text("utf-8"))


def taken() -> set[str]:
    """Names that rclpy's Node and LifecycleNode set on themselves."""
    rclpy = pytest.importorskip("rclpy")
    folder = Path(rclpy.__file__).parent
    text = "".join((folder / f).read_text("utf-8") for f in ("node.py", "lifecycle/node.py"))
    return set(re.findall(r"self\.(_[a-z]\w*)(?:: [^=\n]+)? = ", text))


def assigned(path: Path) -> set[str]:
    return {
        inner.attr
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef) and any("Node" in ast.unparse(b) for b in node.bases)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Attribute)
        and isinstance(inner.ctx, ast.Store)
        and ast.unparse(inner.value) == "self"
    }


def test_the_reader_finds_what_rclpy_keeps() -> None:
    assert {"_clock", "_parameters"} <= taken()


@pytest.mark.parametrize("path", node_modules(), ids=lambda p: p.stem)
def test_no_attribute_of_rclpy_is_hidden(path: Path) -> None:
    assert assigned(path) & taken() == set()


@pytest.mark.parametrize("path", node_modules(), ids=lambda p: p.stem)
def test_every_node_runs_with_python_m(path: Path) -> None:
    text = path.read_text("utf-8")
    if "\ndef main(" in text:
        assert '\nif __name__ == "__main__":\n' in text
