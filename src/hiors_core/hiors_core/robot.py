# SPDX-License-Identifier: Apache-2.0
"""The robot as a file says it is: arms, joints, limits, home. Knows no transport."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hiors_core.checked import Array, array, number, read_yaml, section
from hiors_core.errors import InvalidValue, UnknownName


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one arm may do.

    Attributes:
        lower, upper: (n,) joint range [rad].
        velocity: (n,) [rad/s]. acceleration: (n,) [rad/s^2].
        gripper_velocity: full strokes per second [1/s].
        workspace_lower, workspace_upper: (3,) box of the tool point in the base frame [m].
    """

    lower: Array
    upper: Array
    velocity: Array
    acceleration: Array
    gripper_velocity: float
    workspace_lower: Array
    workspace_upper: Array


def _no_mount() -> Array:
    mount = np.zeros(6)
    mount.setflags(write=False)
    return mount


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One arm with its gripper.

    Attributes:
        joints: (n,) joint names. gripper: name of the gripper column (0 closed .. 1 open).
        mount: (6,) where the Denavit-Hartenberg chain begins in the base frame: x y z [m], then
            roll, pitch, yaw [rad] about the fixed axes, as in a URDF origin.
        dh: (n, 4) standard Denavit-Hartenberg rows theta offset [rad], d [m], a [m], alpha [rad].
        tool: (3,) flange to tool point [m].
        home: (n,) joint position to start from [rad]. home_gripper: 0 .. 1.
    """

    name: str
    base_frame: str
    tool_frame: str
    joints: tuple[str, ...]
    gripper: str
    dh: Array
    tool: Array
    home: Array
    home_gripper: float
    limits: Limits
    mount: Array = field(default_factory=_no_mount)

    @property
    def names(self) -> tuple[str, ...]:
        """(n + 1,) names of the arm's columns: joints, then gripper."""
        return (*self.joints, self.gripper)


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotModel:
    """A robot: its arms in order. Vectors of the whole robot follow ``names``."""

    name: str
    control_rate_hz: float
    arms: tuple[Arm, ...]
    cameras: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """(N,) names of all columns: for each arm its joints, then its gripper."""
        return tuple(name for arm in self.arms for name in arm.names)

    @property
    def units(self) -> tuple[str, ...]:
        """(N,) unit of each column: "rad" for a joint, "1" for a gripper."""
        return tuple(u for arm in self.arms for u in (*["rad"] * len(arm.joints), "1"))

    @property
    def home(self) -> Array:
        """(N,) home position of the whole robot."""
        return np.concatenate([[*arm.home, arm.home_gripper] for arm in self.arms])

    def arm(self, name: str) -> Arm:
        """Return the arm of that name, or raise UnknownName."""
        for arm in self.arms:
            if arm.name == name:
                return arm
        raise UnknownName("arm", name, [arm.name for arm in self.arms])

    def columns(self, arm: Arm) -> slice:
        """Return where the arm's columns (joints, gripper) stand in the robot's vectors."""
        start = sum(len(a.names) for a in self.arms[: self.arms.index(arm)])
        return slice(start, start + len(arm.names))


def load_robot(path: str | Path, arms: Sequence[str] | None = None) -> RobotModel:
    """Read a robot file (config/robots/*.yaml), with all its arms or only the named ones."""
    data = read_yaml(path, "robot file")
    top = section(
        data,
        f"{path}",
        {"name", "control_rate_hz", "arms", "cameras"},
        optional={"driver", "camera_driver", "leader"},
    )
    if not isinstance(top["arms"], Mapping) or not top["arms"]:
        raise InvalidValue(f"{path}: 'arms' must map arm names to their descriptions")
    for name in arms or ():
        if name not in top["arms"]:
            raise UnknownName("arm", name, top["arms"], f"They are those of {path}.")
    chosen = [n for n in top["arms"] if arms is None or n in arms]
    rate = number(top["control_rate_hz"], f"{path}: control_rate_hz", 1.0, 1000.0)
    return RobotModel(
        name=str(top["name"]),
        control_rate_hz=rate,
        arms=tuple(_arm(n, top["arms"][n], f"{path}: arms.{n}") for n in chosen),
        cameras=tuple(str(c) for c in top["cameras"]),
    )


def _arm(name: str, data: Any, where: str) -> Arm:
    keys = "base_frame tool_frame joints gripper dh tool home home_gripper limits"
    part = section(data, where, set(keys.split()), optional={"mount"})
    joints = tuple(str(j) for j in part["joints"])
    n = len(joints)
    return Arm(
        name=name,
        base_frame=str(part["base_frame"]),
        tool_frame=str(part["tool_frame"]),
        joints=joints,
        gripper=str(part["gripper"]),
        dh=array(part["dh"], (n, 4), f"{where}.dh"),
        tool=array(part["tool"], (3,), f"{where}.tool"),
        home=array(part["home"], (n,), f"{where}.home"),
        home_gripper=number(part["home_gripper"], f"{where}.home_gripper", 0.0, 1.0),
        limits=_limits(part["limits"], n, f"{where}.limits"),
        mount=array(part.get("mount", [0.0] * 6), (6,), f"{where}.mount"),
    )


def _limits(data: Any, n: int, where: str) -> Limits:
    vectors = {"lower": n, "upper": n, "velocity": n, "acceleration": n}
    vectors |= {"workspace_lower": 3, "workspace_upper": 3}
    part = section(data, where, {*vectors, "gripper_velocity"})
    arrays = {k: array(part[k], (size,), f"{where}.{k}") for k, size in vectors.items()}
    for low, high in (("lower", "upper"), ("workspace_lower", "workspace_upper")):
        if not np.all(arrays[low] < arrays[high]):
            raise InvalidValue(f"{where}: every {low} must be below {high}")
    for key in ("velocity", "acceleration"):
        if not np.all(arrays[key] > 0.0):
            raise InvalidValue(f"{where}.{key}: every value must be above 0, got {part[key]}")
    speed = number(part["gripper_velocity"], f"{where}.gripper_velocity", 0.01, 100.0)
    return Limits(gripper_velocity=speed, **arrays)
