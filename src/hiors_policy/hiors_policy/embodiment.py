# SPDX-License-Identifier: Apache-2.0
"""The robot inside a checkpoint: what of a RobotModel the features and actions depend on, as JSON
and back.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from hiors_core.errors import IntegrityError
from hiors_core.robot import Arm, Limits, RobotModel

_ESSENTIAL = ("joints", "gripper", "dh", "tool", "home", "mount")
"""Fields of an arm that change the meaning of features and actions; limits and frames do not."""
_TOLERANCE = 1e-6


def describe(robot: RobotModel) -> dict[str, Any]:
    """Return the robot as plain JSON values."""
    plain = _plain(dataclasses.asdict(robot))
    if not isinstance(plain, dict):
        raise TypeError("a robot is a mapping")
    return plain


def restore(description: Mapping[str, Any]) -> RobotModel:
    """Return the robot that ``describe`` described, or raise IntegrityError."""
    try:
        top = dict(description)
        arms = tuple(_arm(dict(arm)) for arm in top.pop("arms"))
        return RobotModel(arms=arms, cameras=tuple(top.pop("cameras")), **top)
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError(f"The robot in the manifest is not complete: {error!r}") from error


def differences(robot: RobotModel, other: RobotModel) -> list[str]:
    """Return one sentence for each thing that makes actions of one robot wrong for the other."""
    mine, theirs = [a.name for a in robot.arms], [a.name for a in other.arms]
    if mine != theirs:
        return [f"arms: {', '.join(mine)} instead of {', '.join(theirs)}"]
    return [
        f"robot: {name} of arm '{a.name}' is {getattr(a, name)} instead of {getattr(b, name)}"
        for a, b in zip(robot.arms, other.arms, strict=True)
        for name in _ESSENTIAL
        if not _same(getattr(a, name), getattr(b, name))
    ]


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return a.shape == b.shape and bool(np.allclose(a, b, rtol=0.0, atol=_TOLERANCE))
    return bool(a == b)


def _arm(part: dict[str, Any]) -> Arm:
    limits = {k: _array(v) for k, v in dict(part.pop("limits")).items()}
    joints = tuple(part.pop("joints"))
    return Arm(joints=joints, limits=Limits(**limits), **{k: _array(v) for k, v in part.items()})


def _array(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    array = np.array(value, np.float64)
    array.setflags(write=False)
    return array


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return value
