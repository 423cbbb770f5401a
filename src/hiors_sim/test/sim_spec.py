# SPDX-License-Identifier: Apache-2.0
"""What the policies of these tests say of themselves."""

from collections.abc import Sequence
from dataclasses import dataclass

from hiors_core.action_space import action_space
from hiors_core.robot import RobotModel


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A ChunkSpec."""

    kind: str
    names: Sequence[str]
    units: Sequence[str]
    dt: float = 0.1
    cameras: Sequence[str] = ()


def spec_of(robot: RobotModel, kind: str = "ee") -> Spec:
    """Return the spec of a policy without cameras that drives a robot."""
    space = action_space(robot, kind)
    return Spec(kind=kind, names=space.names, units=space.units)
