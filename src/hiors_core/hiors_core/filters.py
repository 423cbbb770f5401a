# SPDX-License-Identifier: Apache-2.0
"""The filters of section III-D: no-op transitions and short episodes.

Pure functions over arrays and transitions.
"""

from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from hiors_core.action_space import EE_COLUMNS

Array = NDArray[np.float64]

NO_OP_THRESHOLD = 1e-3
"""Least norm of the relative transform of a transition that is kept [m]."""
NO_OP_SPAN = 0.4
"""Time after an observation in which that motion counts [s]: what is executed of a chunk before
the next one. Over a whole chunk a pause at its beginning would pass.
"""
METRES_PER_RADIAN = 0.1
"""Weight of a tool's rotation in that norm: what a point 0.1 m away moves."""
METRES_PER_STROKE = 0.01
"""Weight of a gripper's stroke in that norm."""


class Moving(Protocol):
    """What the filters ask of a transition."""

    @property
    def motion(self) -> float:
        """Norm of the relative transform over the transition's span [m]."""

    @property
    def terminal(self) -> bool:
        """Whether it is the last of its episode."""


M = TypeVar("M", bound=Moving)


def relative_norm(actions: Array) -> float:
    """Return the largest norm [m] of the transform from the first action to any other.

    Args:
        actions: (K, A) executed actions over a transition's span, in action space "ee".
    """
    if len(actions) < 2:
        return 0.0
    arms = actions.reshape(len(actions), -1, EE_COLUMNS)
    shift = np.linalg.norm(arms[..., :3] - arms[:1, :, :3], axis=-1)
    turn = METRES_PER_RADIAN * turn_angles(arms[..., 3:6], arms[:1, :, 3:6])
    grip = METRES_PER_STROKE * (arms[..., 6] - arms[:1, :, 6])
    return float(np.sqrt(shift**2 + turn**2 + grip**2).max())


def keep_moving(transitions: Sequence[M], threshold: float = NO_OP_THRESHOLD) -> list[M]:
    """Return the transitions that move, and the last one: stuck ones teach to stand still."""
    return [t for t in transitions if t.terminal or t.motion >= threshold]


def leading_up(human: NDArray[np.bool_], times: Array, span: float) -> NDArray[np.bool_]:
    """Return which steps the policy did in the last ``span`` [s] before a person took over, (T,).

    That is what the person stepped in for: kept, it is imitated together with its correction. The
    paper keeps it; Sirius (arXiv:2211.08416) gives it no weight.

    Args:
        human: (T,) whether a person drove. times: (T,) rising [s].
    """
    found = np.zeros(len(human), np.bool_)
    for begin in np.flatnonzero(human[1:] & ~human[:-1]) + 1:
        found[:begin] |= times[:begin] >= times[begin] - span
    return found & ~human


def turn_angles(a: Array, b: Array) -> Array:
    """Return the angles (...) [rad] between rotation vectors (..., 3), which broadcast."""
    first, second = _quaternions(a), _quaternions(b)
    # The distance of unit quaternions, unlike their dot product, keeps small angles.
    near = np.linalg.norm(first - second, axis=-1)
    far = np.linalg.norm(first + second, axis=-1)
    angles: Array = 4.0 * np.arcsin(np.clip(0.5 * np.minimum(near, far), 0.0, 1.0))
    return angles


def _quaternions(rotations: Array) -> Array:
    size = np.linalg.norm(rotations, axis=-1, keepdims=True)
    axis = rotations * (0.5 * np.sinc(size / (2.0 * np.pi)))
    return np.concatenate([axis, np.cos(0.5 * size)], axis=-1)
