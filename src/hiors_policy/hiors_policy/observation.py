# SPDX-License-Identifier: Apache-2.0
"""The state vector of the small policies: named features of an Observation. Knows no network and
no normalisation.

Distances to objects come thrice: as they are, and squashed by tanh at 10 mm and at 2 mm, so that a
small network sees a millimetre beside a decimetre. Angles come as sine and cosine.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hiors_core.action_space import EE_COLUMNS, ActionMapper
from hiors_core.errors import InvalidValue, UnknownName
from hiors_core.observation import Observation
from hiors_core.robot import RobotModel

Array = NDArray[np.float64]
State = NDArray[np.float32]

GROUPS = ("tool", "command", "joints", "objects", "pairs")
"""tool: measured tool poses and grippers; command: command minus measured; joints: measured
joints; objects: relative to the first arm's tool; pairs: objects relative to each other.
"""
STATE_GROUPS = ("tool", "objects", "pairs")
"""Groups that a policy on object poses sees unless told otherwise. Not "command": its lead tells
the speed, which policies cloned from few demonstrations tend to copy.
"""
VISION_GROUPS = ("tool", "joints")
"""Groups that go beside images: proprioception only."""
SCALES_MM = (10.0, 2.0)
"""Lengths at which offsets are squashed [mm]."""

_AXES = ("x", "y", "z")
_TOOL_PARTS = (*_AXES, "rx", "ry", "sin_rz", "cos_rz", "gripper")
_COMMAND_PARTS = (*_AXES, "rx", "ry", "rz", "gripper")


class StateEncoder:
    """Turns observations into vectors (D,) whose columns are ``names``. One instance serves one
    thread.
    """

    def __init__(
        self, robot: RobotModel, objects: Sequence[str], groups: Sequence[str] = STATE_GROUPS
    ) -> None:
        for group in groups:
            if group not in GROUPS:
                raise UnknownName("feature group", group, GROUPS)
        self.groups = tuple(groups)
        self.objects = tuple(objects)
        self._robot = robot
        self._mapper = ActionMapper(robot)
        self._joints = [i for i, unit in enumerate(robot.units) if unit == "rad"]
        self._pairs = [(a, b) for i, a in enumerate(self.objects) for b in self.objects[i + 1 :]]
        self.names = tuple(self._names())

    def encode(self, observation: Observation) -> State:
        """Return the features (D,), float32, not normalised."""
        objects = self._poses(observation)
        tool = self._mapper.joint_to_ee(np.asarray(observation.position, np.float64))
        parts: Mapping[str, Callable[[], list[float]]] = {
            "tool": lambda: self._tool(tool),
            "command": lambda: self._command(observation.command, tool),
            "joints": lambda: [float(observation.position[i]) for i in self._joints],
            "objects": lambda: [
                v for p in objects.values() for v in _relative(p, tool[:3], float(tool[5]))
            ],
            "pairs": lambda: [
                v
                for a, b in self._pairs
                for v in _relative(objects[b], objects[a][:3], yaw(objects[a]))
            ],
        }
        state = np.array([v for group in self.groups for v in parts[group]()], np.float32)
        if not np.all(np.isfinite(state)):
            bad = self.names[int(np.argmin(np.isfinite(state)))]
            raise InvalidValue(f"Feature '{bad}' of the observation is not finite")
        return state

    def _poses(self, observation: Observation) -> dict[str, Array]:
        for name in self.objects:
            if name not in observation.objects:
                raise UnknownName(
                    "object", name, observation.objects, "The policy needs its pose."
                )
        return {name: np.asarray(observation.objects[name], np.float64) for name in self.objects}

    @staticmethod
    def _tool(tool: Array) -> list[float]:
        values: list[float] = []
        for i in range(0, len(tool), EE_COLUMNS):
            x, y, z, rx, ry, rz, gripper = (float(v) for v in tool[i : i + EE_COLUMNS])
            values += [x, y, z, rx, ry, float(np.sin(rz)), float(np.cos(rz)), gripper]
        return values

    def _command(self, command: Array, tool: Array) -> list[float]:
        ahead = self._mapper.joint_to_ee(np.asarray(command, np.float64)) - tool
        return [float(v) for v in ahead]

    def _names(self) -> Iterator[str]:
        for group in self.groups:
            if group == "tool":
                for arm in self._robot.arms:
                    yield from (f"{arm.name}_{part}" for part in _TOOL_PARTS)
            elif group == "command":
                for arm in self._robot.arms:
                    yield from (f"{arm.name}_{part}_ahead" for part in _COMMAND_PARTS)
            elif group == "joints":
                yield from (self._robot.names[i] for i in self._joints)
            elif group == "objects":
                for name in self.objects:
                    yield from _relative_names(f"{name}_from_tool")
            else:
                for a, b in self._pairs:
                    yield from _relative_names(f"{b}_from_{a}")


def yaw(pose: Array) -> float:
    """Return the rotation about z [rad] of a pose (7,)."""
    x, y, z, w = (float(v) for v in pose[3:])
    return float(np.arctan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z)))


def _relative(pose: Array, origin: Array, origin_yaw: float) -> list[float]:
    offset = pose[:3] - origin
    turn = yaw(pose) - origin_yaw
    squashed = [np.tanh(offset * 1e3 / scale) for scale in SCALES_MM]
    return [float(v) for v in (*offset, *np.concatenate(squashed), np.sin(turn), np.cos(turn))]


def _relative_names(prefix: str) -> Iterator[str]:
    yield from (f"{prefix}_{axis}" for axis in _AXES)
    for scale in SCALES_MM:
        yield from (f"{prefix}_{axis}_tanh_{scale:g}mm" for axis in _AXES)
    yield from (f"{prefix}_sin_yaw", f"{prefix}_cos_yaw")
