# SPDX-License-Identifier: Apache-2.0
"""The arguments of the graph, declared once for `hiors up`, the launch files and the docs."""

import dataclasses
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

from hiors_core.errors import InvalidValue, UnknownName
from hiors_link.address import check_address, check_open

_NAMESPACE = re.compile(r"(/?[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*)?")
_BOOLEANS = {"true": True, "false": False}


def _argument(
    default: Any, doc: str, *, allowed: tuple[str, ...] = (), low: float = -math.inf
) -> Any:
    metadata = {"doc": doc, "allowed": allowed, "low": low}
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class BringupArgs:
    """What a person can choose when the graph starts. Every value is checked on construction."""

    robot: str = _argument(
        "xtrainer",
        "Robot, named by its file in config/robots, or a YAML file of your own.",
    )
    arms: str = _argument(
        "left", "Arms that are driven and recorded.", allowed=("left", "right", "both")
    )
    sim: bool = _argument(
        True, "Start the simulated robot; false: the robot at the addresses of its file."
    )
    task: str = _argument(
        "insert_moisturizer",
        "Task, named by its file in config/tasks, or a YAML file of your own.",
    )
    policy: str = _argument(
        "object_poses",
        "Policy, named by its file in config/policies (object_poses, vision, pi0), a YAML file of "
        "your own, or the checkpoint folder to start with. Without one the newest in "
        "run_dir/checkpoints starts, else the learner makes one.",
    )
    learner: str = _argument(
        "local",
        "Where the learner is: local (started here), tcp://HOST:PORT of one on another machine "
        "(`hiors train --listen` there), or none.",
    )
    keys: str = _argument(
        "",
        "Folder of keys (`hiors keys`) for a learner on another machine; without, only this one.",
    )
    listen: str = _argument(
        "", "Let robots of other machines join the learner here, as tcp://0.0.0.0:5750."
    )
    learner_config: str = _argument(
        "", "YAML file of the learner; empty: the one that the policy's file names."
    )
    teleop: str = _argument(
        "scripted",
        "Who takes over: the scripted operator (simulation only), nobody, or a person with a "
        "Quest headset, leader arms (in simulation emulated ones, in a scripted hand), a device "
        "that publishes joy, keyboard or gamepad on the web console, or the keyboard (whose node "
        "you start by hand, in a terminal of its own).",
        allowed=("scripted", "quest", "leader", "joy", "keyboard", "console", "none"),
    )
    console: bool = _argument(
        False, "Serve the web console (its address with the token is in the log)."
    )
    markers: bool = _argument(
        False,
        "Publish what RViz shows: chunk, executed path, limits and authority as markers; where "
        "robot_state_publisher is installed also the robot's model and tf.",
    )
    joy: str = _argument("gamepad", "Preset of teleop:=joy, named by its file in config/teleop.")
    demonstrate: bool = _argument(
        False, "A person drives every episode, recorded in run_dir/demos; no policy, no learner."
    )
    cameras: bool = _argument(True, "Record camera images (and render them in simulation).")
    run_dir: str = _argument(
        "runs/latest", "Folder of the run: episodes, checkpoints, logs (made when missing)."
    )
    seed: int = _argument(0, "Seed of scenes, operator and policy noise.", low=0)
    namespace: str = _argument("", "Namespace of all the nodes, such as robot1.")
    params: str = _argument(
        "", "YAML parameter file laid over the graph's own parameters (checked strictly)."
    )
    respawn: bool = _argument(
        True, "Start nodes that are not required anew when they die (with a growing pause)."
    )
    log_level: str = _argument(
        "info", "Least severe log message shown.", allowed=("debug", "info", "warn", "error")
    )

    def __post_init__(self) -> None:
        for spec in describe():
            _check(spec, getattr(self, spec.name))
        check_namespace(self.namespace)
        if not self.run_dir.strip():
            raise InvalidValue("run_dir:= is empty: give a folder, such as runs/latest.")
        if self.learner not in ("local", "none"):
            if not self.learner.startswith("tcp://"):
                raise UnknownName(
                    "value of learner", self.learner, ["local", "none", "tcp://HOST:PORT"]
                )
            check_open(check_address(self.learner), keys=bool(self.keys))
        if self.listen:
            if self.learner != "local":
                raise InvalidValue(f"listen:= needs learner:=local, got learner:={self.learner}.")
            check_open(check_address(self.listen), keys=bool(self.keys))
        if self.teleop == "scripted" and not self.sim:
            raise InvalidValue(
                "teleop:=scripted needs sim:=true: the scripted operator reads the scene from "
                "the simulator. With a real robot say teleop:=leader, quest, joy or keyboard, or "
                "teleop:=none."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgumentSpec:
    """One argument as documentation and launch need it."""

    name: str
    type: type
    default: Any
    doc: str
    allowed: tuple[str, ...]
    low: float

    @property
    def default_text(self) -> str:
        """The default as it is written on a command line."""
        return _text(self.default)


def check_namespace(name: str) -> None:
    """Raise InvalidValue unless ROS takes the name as a namespace; empty is none."""
    if not _NAMESPACE.fullmatch(name):
        raise InvalidValue(
            f"namespace must be like robot1 or lab/robot1 (letters, digits, _), got '{name}'."
        )


def describe() -> list[ArgumentSpec]:
    """Return the arguments in the order of their declaration."""
    hints = get_type_hints(BringupArgs)
    return [
        ArgumentSpec(
            name=field.name,
            type=hints[field.name],
            default=field.default,
            allowed=("true", "false") if hints[field.name] is bool else field.metadata["allowed"],
            doc=field.metadata["doc"],
            low=field.metadata["low"],
        )
        for field in dataclasses.fields(BringupArgs)
    ]


def parse_words(words: Iterable[str]) -> BringupArgs:
    """Read ``name:=value`` words."""
    values: dict[str, str] = {}
    for word in words:
        name, sign, value = word.partition(":=")
        if not sign:
            raise InvalidValue(f"An argument is written name:=value, got '{word}'.")
        if name in values:
            raise InvalidValue(f"Argument '{name}' is given twice.")
        values[name] = value
    return parse_values(values)


def parse_values(values: Mapping[str, str]) -> BringupArgs:
    """Read arguments given as texts; unknown names are refused."""
    specs = {spec.name: spec for spec in describe()}
    for name in values:
        if name not in specs:
            raise UnknownName("argument", name, specs)
    return BringupArgs(**{name: _value(specs[name], text) for name, text in values.items()})


def _value(spec: ArgumentSpec, text: str) -> Any:
    if spec.type is bool:
        if text.lower() not in _BOOLEANS:
            raise InvalidValue(f"{spec.name} must be true or false, got '{text}'.")
        return _BOOLEANS[text.lower()]
    if spec.type is int:
        try:
            return int(text)
        except ValueError:
            raise InvalidValue(f"{spec.name} must be a whole number, got '{text}'.") from None
    return text


def _check(spec: ArgumentSpec, value: Any) -> None:
    if spec.type is not bool and spec.allowed and value not in spec.allowed:
        raise UnknownName(f"value of {spec.name}", str(value), spec.allowed)
    if spec.type is int and value < spec.low:
        raise InvalidValue(f"{spec.name} must be at least {spec.low:g}, got {value}.")


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
