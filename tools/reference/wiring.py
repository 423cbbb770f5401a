# SPDX-License-Identifier: Apache-2.0
"""Which topics, services and actions a node has, read from the calls that make them.

What only exists when the node runs must be said in SAID; a call that neither the code nor SAID
explains is refused, so nothing is left out in silence.
"""

import ast
import importlib
import importlib.util
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

_OUT, _IN, _SERVES, _CALLS = "publishes", "subscribes", "serves", "calls"
_METHODS = {
    "advertise": _OUT,
    "create_publisher": _OUT,
    "subscribe": _IN,
    "_listen": _IN,
    "create_subscription": _IN,
    "create_service": _SERVES,
    "_slow.serve": _SERVES,
    "create_client": _CALLS,
    "ActionServer": "serves (action)",
    "ActionClient": "calls (action)",
}
_SHARED = ("hiors_ros", "hiors_seat")
"""Packages whose modules make endpoints for the nodes that import them."""
_PLAIN = {"hiors_ros.node", "hiors_ros.slow_services", "hiors_ros.parameters", "hiors_ros.qos"}
"""They make what others name."""

Bound = Mapping[str, ast.expr]
Found = tuple[str, str]
"""Type and name."""
_POSE, _IMAGE = "geometry_msgs/msg/PoseStamped", "sensor_msgs/msg/Image"
_GOALS = "control_msgs/action"
SAID: dict[tuple[str, str], tuple[Found, ...]] = {
    ("hiors_control.policy_inputs", "PoseStamped, topic"): ((_POSE, "objects/<name>/pose"),),
    ("hiors_control.policy_inputs", "Image, topic"): ((_IMAGE, "camera/<name>/color/image_raw"),),
    ("hiors_recorder.streams", "kind, topic"): (),
    ("hiors_recorder.streams", "PoseStamped, topic"): (
        (_POSE, "ee_pose/<arm>"),
        (_POSE, "objects/<name>/pose"),
    ),
    ("hiors_teleop.joy_node", "Joy, p.topic"): (("sensor_msgs/msg/Joy", "<topic>"),),
    ("hiors_sim_ros.tora_sim_node", "JointState, self._name('joint_states')"): (
        ("sensor_msgs/msg/JointState", "<robot_namespace>/joint_states"),
    ),
    ("hiors_sim_ros.tora_sim_node", "Bool, self._name('estop')"): (
        ("std_msgs/msg/Bool", "<robot_namespace>/estop"),
    ),
    ("hiors_sim_ros.tora_sim_node", "SetBool, self._name('enable')"): (
        ("std_srvs/srv/SetBool", "<robot_namespace>/enable"),
    ),
    ("hiors_tora.driver_node", "JointState, states"): (
        ("sensor_msgs/msg/JointState", "<joint_states_topic>"),
    ),
    ("hiors_tora.outputs", "kind, topic"): (
        ("std_msgs/msg/Float64MultiArray", "<arm>.<command_topic>"),
        ("trajectory_msgs/msg/JointTrajectory", "<arm>.<command_topic>"),
        (_POSE, "<arm>.<command_topic>"),
        ("std_msgs/msg/Float64MultiArray", "<arm>.<gripper_topic>"),
    ),
    ("hiors_tora.actions", "kind, name"): (
        (f"{_GOALS}/FollowJointTrajectory", "<arm>.<command_topic>"),
        (f"{_GOALS}/GripperCommand", "<arm>.<gripper_topic>"),
    ),
    ("hiors_tora.power", "Bool, topic"): (("std_msgs/msg/Bool", "<estop_topic>"),),
    ("hiors_tora.power", "SetBool, name"): (("std_srvs/srv/SetBool", "<enable_service>"),),
    ("hiors_tora.power", "Trigger, name"): (
        ("std_srvs/srv/Trigger", "<enable_service>"),
        ("std_srvs/srv/Trigger", "<disable_service>"),
        ("std_srvs/srv/Trigger", "<clear_service>"),
    ),
    ("hiors_tora.wiring", "kind, robot_name(p, p.switch_service)"): (
        ("controller_manager_msgs/srv/SwitchController", "<switch_service>"),
    ),
}
"""(module, type and name as in the code) to what they stand for, where the code alone does not
say. A word in <...> with a parameter's name stands for that parameter's value."""
_PLACES = {
    "prefix": "",  # the namespace
    "name": "<name>",
    "p.camera": "<camera>",
    "controller": "<robot_namespace>/<arm>_arm_controller",
    "gripper": "<robot_namespace>/<arm>_gripper_controller",
}


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Endpoint:
    """One topic, service or action of a node."""

    direction: str
    name: str
    kind: str


class Unsaid(Exception):
    """A name or type that neither the code nor SAID says."""


def endpoints_of(module: ModuleType) -> tuple[Endpoint, ...]:
    """Return what the node of this module has, its helpers included."""
    return tuple(sorted({e for source in _closure(module) for e in _endpoints(source)}))


def _closure(start: ModuleType) -> list[ModuleType]:
    """Return the module and those that it uses of its own package and of what nodes share."""
    own = start.__name__.split(".")[0]
    seen, todo = {start.__name__: start}, [start]
    while todo:
        for name in _imports(todo.pop()):
            if name.split(".")[0] in (own, *_SHARED) and name not in seen:
                seen[name] = importlib.import_module(name)
                todo.append(seen[name])
    return [module for name, module in seen.items() if name not in _PLAIN]


def _imports(module: ModuleType) -> Iterator[str]:
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if _is_module(inner) else node.module


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ModuleNotFoundError, ValueError):
        return False


def _tree(module: ModuleType) -> ast.Module:
    return ast.parse(inspect.getsource(module))


def _endpoints(module: ModuleType) -> Iterator[Endpoint]:
    for call, rows in _walk(_tree(module), ({},)):
        method = next((m for m in _METHODS if f".{ast.unparse(call.func)}".endswith(f".{m}")), "")
        words = call.args[1:3] if method.startswith("Action") else call.args[:2]
        if not method or len(words) < 2:
            continue
        for row in rows:
            for kind, name in _found(module, words, row):
                yield Endpoint(direction=_METHODS[method], kind=kind, name=name)


def _found(module: ModuleType, words: list[ast.expr], row: Bound) -> tuple[Found, ...]:
    said = SAID.get((module.__name__, ", ".join(map(ast.unparse, words))))
    if said is not None:
        return said
    return ((_type(module, words[0], row), _name(module, words[1], row)),)


def _walk(node: ast.AST, rows: tuple[Bound, ...]) -> Iterator[tuple[ast.Call, tuple[Bound, ...]]]:
    """Yield the calls with what the names around them stand for, once for each round of a loop."""
    if isinstance(node, ast.FunctionDef):
        rows = ({**rows[0], **_assigned(node)},)
    loops = [node] if isinstance(node, ast.For) else getattr(node, "generators", ())
    for loop in loops:
        own = {n.id for n in ast.walk(loop.target) if isinstance(n, ast.Name)}
        rest = {name: value for name, value in rows[0].items() if name not in own}
        rows = tuple(_rounds(loop.target, loop.iter, rest)) or (rest,)
    if isinstance(node, ast.Call):
        yield node, rows
    for child in ast.iter_child_nodes(node):
        yield from _walk(child, rows)


def _assigned(function: ast.FunctionDef) -> dict[str, ast.expr]:
    """Return the names of a function that are bound to a text or a table written out."""
    found: dict[str, ast.expr] = {}
    for node in ast.walk(function):
        target = getattr(node, "target", None) or next(iter(getattr(node, "targets", ())), None)
        value = getattr(node, "value", None)
        if isinstance(target, ast.Name) and isinstance(value, ast.Tuple | ast.JoinedStr):
            found[target.id] = value
    return found


def _rounds(target: ast.expr, over: ast.expr, row: Bound) -> Iterator[Bound]:
    """Yield a binding for each entry of a table of tuples."""
    table = row.get(ast.unparse(over), over)
    if isinstance(target, ast.Tuple) and isinstance(table, ast.Tuple):
        names = [ast.unparse(element) for element in target.elts]
        for entry in table.elts:
            if isinstance(entry, ast.Tuple):
                yield {**row, **dict(zip(names, entry.elts, strict=True))}


def _type(module: ModuleType, word: ast.expr, row: Bound) -> str:
    cls: Any = vars(module).get(ast.unparse(row.get(ast.unparse(word), word)))
    if not isinstance(cls, type):
        raise Unsaid(f"{module.__name__}: what type is {ast.unparse(word)}? Say it in SAID.")
    package, kind = cls.__module__.split(".")[:2]
    return f"{package}/{kind}/{cls.__name__}"


def _name(module: ModuleType, word: ast.expr, row: Bound) -> str:
    if isinstance(word, ast.BinOp):  # the namespace, then the name
        word = word.right
    word = row.get(ast.unparse(word), word)
    if isinstance(word, ast.JoinedStr):
        return "".join(_piece(module, piece, row) for piece in word.values)
    value = word.value if isinstance(word, ast.Constant) else vars(module).get(ast.unparse(word))
    if not isinstance(value, str):
        raise Unsaid(f"{module.__name__}: what name is {ast.unparse(word)}? Say it in SAID.")
    return value


def _piece(module: ModuleType, piece: ast.expr, row: Bound) -> str:
    if not isinstance(piece, ast.FormattedValue):
        return str(getattr(piece, "value", ""))
    word = ast.unparse(piece.value)
    if word in row:
        return _name(module, row[word], row)
    return _PLACES.get(word, "<arm>")
