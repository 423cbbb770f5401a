# SPDX-License-Identifier: Apache-2.0
"""Finds numbers, names, poses and stamps in messages of any type, by path."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hiors_core.errors import InvalidValue, UnknownName
from hiors_core.stamps import stamp_of

Array = NDArray[np.float64]

_STEP = re.compile(r"([A-Za-z][A-Za-z0-9_]*)((?:\[\d+\])*)")
KNOWN: Mapping[str, tuple[str, str]] = {
    "sensor_msgs/msg/JointState": ("position", "name"),
    "trajectory_msgs/msg/JointTrajectory": ("points[0].positions", "joint_names"),
    "hiors_interfaces/msg/ExecutedAction": ("position", "names"),
    "std_msgs/msg/Float64MultiArray": ("data", ""),
    "std_msgs/msg/Float32MultiArray": ("data", ""),
    "std_msgs/msg/Float64": ("data", ""),
    "std_msgs/msg/Float32": ("data", ""),
}
"""Where the numbers and their names lie in the usual types."""


class Locator:
    """A place in a message, such as ``actual.positions`` or ``points[0].positions``."""

    def __init__(self, path: Any) -> None:
        steps: list[str | int] = []
        for part in str(path).split("."):
            found = _STEP.fullmatch(part)
            if found is None:
                raise InvalidValue(
                    f"'{path}' is no place in a message; write it like points[0].positions"
                )
            steps.append(found[1])
            steps += [int(i) for i in re.findall(r"\d+", found[2])]
        self.path, self._steps = str(path), tuple(steps)

    def find(self, message: Any) -> Any:
        """Return what lies there, or raise UnknownName or InvalidValue."""
        value = message
        for step in self._steps:
            if isinstance(step, int):
                if step >= len(value):
                    raise InvalidValue(f"{self.path}: there is no element {step}")
                value = value[step]
                continue
            fields = getattr(type(value), "__dataclass_fields__", {})
            if step not in fields:
                names = [n for n in fields if not n.startswith("_")]
                raise UnknownName("field", step, names, f"In {self.path}.")
            value = getattr(value, step)
        return value


def locators(
    type_name: str, values: Locator | None, names: Locator | None
) -> tuple[Locator, Locator | None]:
    """Return where the numbers and their names lie in a type; those given win."""
    known = KNOWN.get(type_name)
    if values is None and known is None:
        raise InvalidValue(
            f"Where the numbers lie in a {type_name} is not known; say it in the topic map by"
            f" 'values:' (and 'names:'). Known: {', '.join(sorted(KNOWN))}"
        )
    if values is not None:
        return values, names
    path, name_path = known or ("", "")
    return Locator(path), names or (Locator(name_path) if name_path else None)


def pick(
    message: Any, values: Locator, names: Locator | None, wanted: Sequence[str | int]
) -> Array:
    """Return the numbers at the wanted names or indices (K,); KeyError when a name is missing."""
    numbers = np.atleast_1d(np.asarray(values.find(message), np.float64))
    listed = [str(n) for n in names.find(message)] if names is not None else []
    picked = np.empty(len(wanted))
    for k, at in enumerate(wanted):
        if isinstance(at, str):
            if names is None:
                raise InvalidValue(f"'{at}' is a name, but the message has none: give an index")
            if at not in listed:
                raise KeyError(at)
            at = listed.index(at)
        if not 0 <= at < len(numbers):
            raise InvalidValue(f"there is no number {at} among {len(numbers)} in {values.path}")
        picked[k] = numbers[at]
    return picked


def pose_of(message: Any, type_name: str) -> Array:
    """Return the pose (7,) of a message that holds one: x y z [m], quaternion x y z w."""
    part = message
    for name in ("pose", "pose"):
        part = getattr(part, name, part)
    if hasattr(part, "transform"):
        part = part.transform
        p, q = part.translation, part.rotation
    elif hasattr(part, "position") and hasattr(part, "orientation"):
        p, q = part.position, part.orientation
    else:
        raise InvalidValue(
            f"a {type_name} holds no pose; use PoseStamped, Pose, TransformStamped,"
            " PoseWithCovarianceStamped or Odometry"
        )
    pose = np.array([p.x, p.y, p.z, q.x, q.y, q.z, q.w], np.float64)
    length = float(np.linalg.norm(pose[3:]))
    if not np.isfinite(pose).all() or length < 1e-6:
        raise InvalidValue(f"the pose {pose.tolist()} is not one")
    pose[3:] /= length
    return pose


def header_stamp(message: Any) -> int | None:
    """Return the header stamp [ns], or None where there is none or it is 0."""
    return (stamp_of(message) or None) if hasattr(message, "header") else None
