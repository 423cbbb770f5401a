# SPDX-License-Identifier: Apache-2.0
"""The nodes: where they start, their parameter dataclasses, and the module that documents them."""

import ast
import importlib
import inspect
import re
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from wiring import Endpoint, endpoints_of
from writing import code, one_line, page, table

from hiors_ros.parameters import ParameterInfo, describe

_TYPES = {bool: "bool", int: "integer", float: "double", str: "string"}


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeProgram:
    """An executable that is a node."""

    package: str
    executable: str
    module: ModuleType
    parameters: tuple[ParameterInfo, ...]
    endpoints: tuple[Endpoint, ...]

    @property
    def title(self) -> str:
        """How `ros2 run` names it."""
        return f"{self.package} {self.executable}"


def programs(root: Path) -> list[NodeProgram]:
    """Return every node that a package installs."""
    found = []
    for script in sorted((root / "src").glob("*/setup.py")):
        for executable, name in re.findall(r'"(\w+_node) = ([\w.]+):main"', script.read_text()):
            found.append(_program(script.parent.name, executable, importlib.import_module(name)))
    return found


def nodes_page(found: list[NodeProgram]) -> str:
    """Return the page of all nodes."""
    intro = (
        "Every node with its parameters, topics and services. All parameters are read-only: they"
        " are set when the node starts, in the robot's file, with `params:=FILE.yaml`, or with"
        " `--ros-args -p`. A name that does not exist and a value out of range stop the node with"
        " the nearest name or the range. `<arm>` stands for the name of each arm in use. Names"
        " without a leading `/` are relative to the node's namespace."
    )
    return page("Nodes", intro, *(_section(program) for program in found))


def _section(program: NodeProgram) -> str:
    parameters = table(
        ("parameter", "type", "default", "allowed", "meaning"),
        ([code(p.name), _type(p), _default(p), _allowed(p), p.doc] for p in program.parameters),
    )
    endpoints = table(
        ("name", "type", "direction"),
        ([code(e.name), code(e.kind), e.direction] for e in program.endpoints),
    )
    doc = one_line(program.module.__doc__ or "")
    return "\n\n".join([f"## {program.title}", doc, parameters, endpoints])


def _program(package: str, executable: str, module: ModuleType) -> NodeProgram:
    node = _node_class(module)
    parameters: list[ParameterInfo] = []
    for source in _modules(node):
        for call in _calls(source, "declare_all"):
            prefix = "<arm>." if len(call.args) + len(call.keywords) > 1 else ""
            cls = vars(source)[ast.unparse(call.args[0])]
            parameters += describe(cls, prefix)
    return NodeProgram(
        package=package,
        executable=executable,
        module=module,
        parameters=tuple(parameters),
        endpoints=endpoints_of(module),
    )


def _node_class(module: ModuleType) -> type:
    call = _calls(module, "run_node")[0]
    found = vars(module)[ast.unparse(call.args[0])]
    assert isinstance(found, type)  # noqa: S101 - of this program, not of its input
    return found


def _modules(node: type) -> Iterator[ModuleType]:
    for cls in node.__mro__:
        if cls.__module__.startswith("hiors_") and cls.__module__ != "hiors_ros.node":
            yield importlib.import_module(cls.__module__)


def _calls(module: ModuleType, name: str) -> list[ast.Call]:
    calls = (n for n in ast.walk(ast.parse(inspect.getsource(module))) if isinstance(n, ast.Call))
    return [c for c in calls if ast.unparse(c.func).split(".")[-1] == name]


def _type(info: ParameterInfo) -> str:
    inner = typing.get_args(info.type)
    return f"{_TYPES[inner[0]]}[]" if inner else _TYPES[info.type]


def _default(info: ParameterInfo) -> str:
    if info.required:
        return "required"
    value: Any = info.default
    if isinstance(value, bool):
        return code(str(value).lower())
    if isinstance(value, tuple):
        return code(f"[{', '.join(str(v) for v in value)}]")
    return code(value) if value != "" else '`""`'


def _allowed(info: ParameterInfo) -> str:
    if info.one_of:
        return ", ".join(code(name) for name in info.one_of.names)
    return f"{info.bounds.low:g} .. {info.bounds.high:g}" if info.bounds else ""
