# SPDX-License-Identifier: Apache-2.0
"""A task as its file says it is (config/tasks/*.yaml): words, limits, logging and acceptance
values. Knows no simulator.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hiors_core.action_space import KINDS
from hiors_core.checked import number, read_yaml, section
from hiors_core.errors import InvalidValue, UnknownName


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is to be done, and the values of the method that belong to it.

    Attributes:
        name: of the task, as episodes carry it.
        instruction: language input of the policy.
        arm: arm that does the task. objects: names of the tracked objects.
        time_limit: longest episode [s].
        f_low, f_high: logging rates of eq. 6 [Hz], policy and person.
        threshold: m of eq. 3 on the return R(tau).
        min_length: L_min of an accepted episode [s]. min_transitions: after the no-op filter.
        noop_threshold: least relative motion of a transition [m]; see
            hiors_core.filters.
        scene: the simulator's part, as read; hiors_sim.task checks it.
        robot: name of the robot that does it, as in its robot file; empty when any may.
        action_space: "joint" or "ee", of a policy made for this task; empty when either will do.
    """

    name: str
    instruction: str
    arm: str
    objects: tuple[str, ...]
    time_limit: float
    f_low: float
    f_high: float
    threshold: float
    min_length: float
    min_transitions: int
    noop_threshold: float
    scene: Mapping[str, Any]
    robot: str = ""
    action_space: str = ""


def load_task(path: str | Path) -> Task:
    """Read a task file; unknown keys, missing keys and values out of range are refused.

    A file with the key ``base`` is a variant of the task file of that name beside it, and says
    only what is different.
    """
    data = _read(Path(path))
    keys = {"name", "instruction", "arm", "objects", "time_limit", "logging", "acceptance"}
    top = section(data, str(path), keys, optional={"scene", "robot", "action_space"})
    space = top.get("action_space", "")
    if space and space not in KINDS:
        raise UnknownName("action space", str(space), KINDS, f"In {path}.")
    logging = section(top["logging"], f"{path}: logging", {"f_low", "f_high"})
    rule_keys = {"m", "min_length", "min_transitions", "noop_threshold"}
    rule = section(top["acceptance"], f"{path}: acceptance", rule_keys)
    low = number(logging["f_low"], f"{path}: logging.f_low", 0.01, 1000.0)
    where = f"{path}: acceptance"
    return Task(
        name=_text(top["name"], f"{path}: name"),
        instruction=_text(top["instruction"], f"{path}: instruction"),
        arm=_text(top["arm"], f"{path}: arm"),
        objects=_texts(top["objects"], f"{path}: objects"),
        time_limit=number(top["time_limit"], f"{path}: time_limit", 0.1, 3600.0),
        f_low=low,
        f_high=number(logging["f_high"], f"{path}: logging.f_high", low, 1000.0),
        threshold=number(rule["m"], f"{where}.m", -1e9, 1e9),
        min_length=number(rule["min_length"], f"{where}.min_length", 0.0, 3600.0),
        min_transitions=int(number(rule["min_transitions"], f"{where}.min_transitions", 0, 1e6)),
        noop_threshold=number(rule["noop_threshold"], f"{where}.noop_threshold", 0.0, 10.0),
        scene=top.get("scene") or {},
        robot=_text(top["robot"], f"{path}: robot") if "robot" in top else "",
        action_space=str(space),
    )


def _read(path: Path, *, variant: bool = True) -> Any:
    data = read_yaml(path, "task file")
    if not isinstance(data, Mapping) or "base" not in data:
        return data
    name = _text(data["base"], f"{path}: base")
    if not variant or Path(name).name != name:
        raise InvalidValue(
            f"{path}: base must be the name of a task file in the same folder that has no base"
            f" itself, got {name!r}"
        )
    base = _read(path.parent / name, variant=False)
    return _merged(base, {key: value for key, value in data.items() if key != "base"})


def _merged(base: Any, changes: Any) -> Any:
    """Return ``base`` with what ``changes`` says otherwise, mapping by mapping."""
    if not isinstance(base, Mapping) or not isinstance(changes, Mapping):
        return changes
    return {**base, **{k: _merged(base.get(k), v) for k, v in changes.items()}}


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise InvalidValue(f"{where} must be a printable text, got {value!r}")
    return value


def _texts(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise InvalidValue(f"{where} must be a list of names, got {value!r}")
    return tuple(_text(v, where) for v in value)
