# SPDX-License-Identifier: Apache-2.0
"""Between ROS messages and the numpy values of hiors_core: stamps, poses, joints."""

from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Pose
from numpy.typing import NDArray
from sensor_msgs.msg import JointState

from hiors_core.clock import NS
from hiors_core.errors import InvalidValue

Array = NDArray[np.float64]


def to_ns(stamp: Time) -> int:
    """Convert a message stamp to nanoseconds."""
    return int(stamp.sec) * NS + int(stamp.nanosec)


def to_stamp(nanoseconds: int) -> Time:
    """Convert nanoseconds to a message stamp."""
    seconds, rest = divmod(nanoseconds, NS)
    return Time(sec=seconds, nanosec=rest)


def to_array(pose: Pose) -> Array:
    """Return (7,) x y z [m] and quaternion x y z w."""
    p, q = pose.position, pose.orientation
    return np.array([p.x, p.y, p.z, q.x, q.y, q.z, q.w])


def to_pose(values: Array) -> Pose:
    """Make a Pose from (7,) x y z [m] and quaternion x y z w."""
    pose = Pose()
    pose.position.x, pose.position.y, pose.position.z = map(float, values[:3])
    q = pose.orientation
    q.x, q.y, q.z, q.w = map(float, values[3:])
    return pose


def doubles(values: Array) -> "array[float]":
    """Return what a float64[] field takes fastest."""
    return array("d", np.ascontiguousarray(values, dtype=np.float64).tobytes())


def floats(values: NDArray[Any]) -> "array[float]":
    """Return what a float32[] field takes fastest."""
    return array("f", np.ascontiguousarray(values, dtype=np.float32).tobytes())


class JointReader:
    """Reads named joints out of JointState messages, in any order and also in parts."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._layout: tuple[str, ...] = ()
        self._pairs: list[tuple[int, int]] = []
        self.position: Array = np.full(len(names), np.nan)
        self.velocity: Array = np.full(len(names), np.nan)

    @property
    def complete(self) -> bool:
        """Whether every name has had a value."""
        return bool(np.all(np.isfinite(self.position)))

    def names_in(self, message: JointState) -> bool:
        """Whether the message names any of the joints."""
        return not set(message.name).isdisjoint(self._names)

    def update(self, message: JointState) -> None:
        """Take over the values of the joints that the message names; others are left alone."""
        layout = tuple(message.name)
        if layout != self._layout:
            index = {name: i for i, name in enumerate(self._names)}
            self._pairs = [(i, index[n]) for i, n in enumerate(layout) if n in index]
            self._layout = layout
        if len(message.position) != len(layout):
            raise InvalidValue(
                f"JointState has {len(layout)} names but {len(message.position)} positions"
            )
        for source, target in self._pairs:
            self.position[target] = message.position[source]
            if len(message.velocity) == len(layout):
                self.velocity[target] = message.velocity[source]
