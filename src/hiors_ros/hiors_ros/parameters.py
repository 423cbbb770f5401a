# SPDX-License-Identifier: Apache-2.0
"""ROS parameters from a frozen dataclass: declared, described, range-checked, and strict.

A field is written ``rate: Annotated[float, Doc("Control rate [Hz]."), Range(1.0, 99.0)] = 30.0``.
A field without default must be given. ``declare(node, ArmParameters, prefix="left.")`` gives the
parameters of one arm a dotted prefix.
"""

import dataclasses
import math
import sys
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import (
    InvalidParameterTypeException,
    InvalidParameterValueException,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from hiors_core.checked import read_yaml
from hiors_core.errors import InvalidValue, UnknownName

T = TypeVar("T")

_TYPES: dict[Any, tuple[Parameter.Type, str]] = {
    bool: (Parameter.Type.BOOL, "a boolean (true or false)"),
    int: (Parameter.Type.INTEGER, "an integer"),
    float: (Parameter.Type.DOUBLE, "a number with a decimal point (1.0, not 1)"),
    str: (Parameter.Type.STRING, "a string"),
    tuple[str, ...]: (Parameter.Type.STRING_ARRAY, "a list of strings"),
    tuple[float, ...]: (
        Parameter.Type.DOUBLE_ARRAY,
        "a list of numbers with decimal points",
    ),
    tuple[int, ...]: (Parameter.Type.INTEGER_ARRAY, "a list of integers"),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Doc:
    """One sentence that says what the parameter is, with its unit."""

    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Range:
    """Inclusive bounds of a number, or of every number of a list."""

    low: float
    high: float


@dataclasses.dataclass(frozen=True, slots=True)
class OneOf:
    """The strings that are allowed."""

    names: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ParameterInfo:
    """One parameter as declared: what the documentation tables are made of."""

    name: str
    type: Any
    default: Any
    doc: str
    bounds: Range | None
    one_of: OneOf | None

    @property
    def required(self) -> bool:
        """Whether the parameter has no default."""
        return self.default is dataclasses.MISSING


def describe(cls: type, prefix: str = "") -> list[ParameterInfo]:
    """Return the parameters that the dataclass declares."""
    hints = typing.get_type_hints(cls, include_extras=True)
    return [_info(field, hints[field.name], prefix) for field in dataclasses.fields(cls)]


def _info(field: "dataclasses.Field[Any]", hint: Any, prefix: str) -> ParameterInfo:
    extras: tuple[Any, ...] = ()
    if typing.get_origin(hint) is Annotated:
        hint, *rest = typing.get_args(hint)
        extras = tuple(rest)
    if hint not in _TYPES:
        raise TypeError(f"{field.name}: a parameter cannot have the type {hint}")

    def pick(kind: type[Any]) -> Any:
        return next((e for e in extras if isinstance(e, kind)), None)

    doc = pick(Doc)
    return ParameterInfo(
        name=prefix + field.name,
        type=hint,
        default=field.default,
        doc=doc.text if doc else "",
        bounds=pick(Range),
        one_of=pick(OneOf),
    )


def declare(node: Node, cls: type[T], prefix: str = "") -> T:
    """Declare the dataclass's fields as read-only parameters and return their values.

    A value that is not allowed is refused at once; those that are missing, all together.
    """
    name = node.get_fully_qualified_name()
    return _checked(cls, prefix, name, lambda info, where: _declare_one(node, info, where))


def from_values(cls: type[T], node: str, values: Mapping[str, Any]) -> T:
    """Return the dataclass as the node will make it of these values, checked likewise, without it.

    What the dataclass does not declare is left out: the node may know it, or refuse it.
    """
    return _checked(cls, "", node, lambda info, where: _given(values, info, where))


def _checked(cls: type[T], prefix: str, node: str, read: Callable[[ParameterInfo, str], Any]) -> T:
    """Return the dataclass with what ``read`` finds for each field, MISSING for none."""
    values, missing = {}, []
    for info in describe(cls, prefix):
        where = f"Parameter '{info.name}' of node '{node}'"
        value = values[info.name.removeprefix(prefix)] = read(info, where)
        if value is dataclasses.MISSING:
            missing.append(f"{where} must be given: {_TYPES[info.type][1]}. {info.doc}")
    if missing:
        raise InvalidValue("\n".join(missing))
    return cls(**values)


def _given(values: Mapping[str, Any], info: ParameterInfo, where: str) -> Any:
    """Return the value that is given, or the default, which is MISSING when there is none."""
    if info.name not in values:
        return info.default
    value = values[info.name]
    if not _fits(value, info.type):
        raise InvalidValue(_of_wrong_type(where, value, info))
    value = tuple(value) if typing.get_origin(info.type) is tuple else value
    _check(value, info, where)
    return value


def _fits(value: Any, kind: Any) -> bool:
    if typing.get_origin(kind) is tuple:
        one = typing.get_args(kind)[0]
        return isinstance(value, (list, tuple)) and all(_fits(v, one) for v in value)
    if kind is str:
        return isinstance(value, (str, Path))
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _declare_one(node: Node, info: ParameterInfo, where: str) -> Any:
    """Declare one parameter; return its value, or MISSING when it has none."""
    kind, _ = _TYPES[info.type]
    descriptor = ParameterDescriptor(description=info.doc, read_only=True, type=kind.value)
    if info.bounds and info.type is float:
        descriptor.floating_point_range = [
            FloatingPointRange(from_value=info.bounds.low, to_value=info.bounds.high)
        ]
    if info.bounds and info.type is int:
        descriptor.integer_range = [
            IntegerRange(from_value=int(info.bounds.low), to_value=int(info.bounds.high))
        ]
    if info.one_of:
        descriptor.additional_constraints = f"one of: {', '.join(info.one_of.names)}"
    default = kind if info.required else info.default
    if isinstance(default, tuple):
        default = list(default) if default else kind
    try:
        parameter = node.declare_parameter(info.name, default, descriptor)
    except InvalidParameterTypeException as error:
        given = node._parameter_overrides.get(info.name)
        value = given.value if given else None
        raise InvalidValue(_of_wrong_type(where, value, info)) from error
    except InvalidParameterValueException as error:
        given = node._parameter_overrides.get(info.name)
        raise InvalidValue(_out_of_range(where, given.value if given else None, info)) from error
    value = parameter.value
    if value is None:
        return info.default
    value = tuple(value) if typing.get_origin(info.type) is tuple else value
    _check(value, info, where)
    return value


def _of_wrong_type(where: str, value: Any, info: ParameterInfo) -> str:
    return f"{where} must be {_TYPES[info.type][1]}, got {value!r}. {info.doc}"


def _out_of_range(where: str, value: Any, info: ParameterInfo) -> str:
    bounds = info.bounds or Range(-math.inf, math.inf)
    return f"{where} must be within {bounds.low} .. {bounds.high}, got {value}. {info.doc}"


def _check(value: Any, info: ParameterInfo, where: str) -> None:
    numbers = value if isinstance(value, tuple) else (value,)
    for number in numbers:
        if isinstance(number, float) and not math.isfinite(number):
            raise InvalidValue(f"{where} must be finite, got {value}. {info.doc}")
        if info.bounds and not info.bounds.low <= number <= info.bounds.high:
            raise InvalidValue(_out_of_range(where, value, info))
        if info.one_of and number not in info.one_of.names:
            raise UnknownName(f"value of parameter '{info.name}'", str(number), info.one_of.names)


def refuse_unknown(node: Node, argv: Iterable[str] | None = None) -> None:
    """Raise when an override names no declared parameter, or a file names no node of ours.

    rclpy keeps silent in both cases, so a misspelt key would leave the default in force.
    """
    declared = set(node._parameters)
    for name in node._parameter_overrides:
        if name not in declared and not name.startswith("qos_overrides."):
            raise UnknownName(
                "parameter",
                name,
                declared,
                f"For node '{node.get_fully_qualified_name()}'.",
            )
    for path in _params_files(sys.argv if argv is None else argv):
        _refuse_unmatched(node, path)


def _params_files(argv: Iterable[str]) -> list[Path]:
    words = list(argv)
    return [Path(words[i + 1]) for i, w in enumerate(words[:-1]) if w == "--params-file"]


def _refuse_unmatched(node: Node, path: Path) -> None:
    data = read_yaml(path, "parameter file") or {}
    full = node.get_fully_qualified_name()
    name, space = node.get_name(), node.get_namespace()
    keys = list(_node_keys(data))
    own = {
        full,
        full.lstrip("/"),
        "/**",
        f"/**/{name}",
        f"{space.rstrip('/')}/**",
        "/*",
    }
    if name == full.lstrip("/"):
        own.add(name)
    if not own & set(keys):
        raise UnknownName(
            "node in parameter file",
            ", ".join(keys),
            sorted(own - {"/*"}),
            f"File: {path}.",
        )


def _node_keys(data: Mapping[str, Any], prefix: str = "") -> Iterable[str]:
    for key, value in data.items():
        if isinstance(value, Mapping):
            if "ros__parameters" in value:
                yield prefix + key
            else:
                yield from _node_keys(value, f"{prefix}{key}/")
