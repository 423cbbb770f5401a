# SPDX-License-Identifier: Apache-2.0
"""A finished episode as arrays on a uniform time grid, τ = (s_0, a_0, ..., s_T) of the paper: what
an Agent learns from. Knows no file, no robot and no network.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hiors_core.errors import InvalidValue

F32 = NDArray[np.float32]
Flags = NDArray[np.bool_]
Index = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """One episode of T steps, ``dt`` [s] apart. Arrays are read-only.

    Attributes:
        states: (T + 1, D) features, the last one after the last action.
        actions: (T, A) what was executed, the policy's or the person's: steps [m] or [rad] from
            the command before, grippers 0 closed .. 1 open.
        lead: (T, A) how far that command was ahead of the robot, grippers 0. The first action of a
            chunk is a step from where the robot is: ``actions`` plus ``lead``.
        human: (T,) whether a person drove. rewards: (T,), their sum is the return R(τ).
        terminal: whether the task ended with the last step; False when it was cut off and could
            have gone on.
        marks: (M,) rising, steps at which a transition was logged (f_t, eq. 6).
        motion: (M,) norm of the relative transform after each mark, for the no-op filter.
        demonstration: recorded before training, outside I_m.
        start: what similar starts have in common, such as object positions; may be empty.
    """

    states: F32
    actions: F32
    lead: F32
    human: Flags
    rewards: F32
    dt: float
    terminal: bool
    marks: Index
    motion: F32
    task: str = ""
    episode_id: str = ""
    demonstration: bool = False
    start: tuple[float, ...] = ()

    def __len__(self) -> int:
        return len(self.actions)

    @property
    def episode_return(self) -> float:
        """R(τ), the sum of the rewards."""
        return float(self.rewards.sum(dtype=np.float64))

    @property
    def human_frames(self) -> int:
        """Steps that a person drove."""
        return int(self.human.sum())


def make_trajectory(
    states: ArrayLike,
    actions: ArrayLike,
    human: ArrayLike,
    rewards: ArrayLike,
    *,
    dt: float,
    lead: ArrayLike | None = None,
    grippers: Sequence[int] = (),
    terminal: bool = True,
    marks: ArrayLike | None = None,
    motion: ArrayLike | None = None,
    span: float = 0.4,
    task: str = "",
    episode_id: str = "",
    demonstration: bool = False,
    start: Sequence[float] = (),
) -> Trajectory:
    """Check and freeze the arrays of an episode, or raise InvalidValue.

    Args:
        lead: none when None. marks: every step when None.
        motion: when None, the largest norm of the summed actions within ``span`` [s] after each
            mark, over all columns but ``grippers``.
    """
    s, a = _floats(states, "states", 2), _floats(actions, "actions", 2)
    h, r = np.array(human, np.bool_), _floats(rewards, "rewards", 1)
    ahead = np.zeros_like(a) if lead is None else _floats(lead, "lead", 2)
    if ahead.shape != a.shape:
        raise InvalidValue(f"lead needs the shape of actions {a.shape}, got {ahead.shape}")
    if not dt > 0.0 or not len(a) or len(s) != len(a) + 1 or not len(a) == len(h) == len(r):
        raise InvalidValue(
            f"An episode needs T >= 1 actions, human flags and rewards, T + 1 states and dt > 0 s;"
            f" got {len(a)}, {len(h)}, {len(r)}, {len(s)} and {dt}"
        )
    m = np.arange(len(a)) if marks is None else np.array(marks, np.int64).reshape(-1)
    if len(m) and (m[0] < 0 or m[-1] >= len(a) or np.any(np.diff(m) <= 0)):
        raise InvalidValue(f"marks must rise within 0 .. {len(a) - 1}, got {m.tolist()[:20]}")
    rows = max(1, round(span / dt))
    moved = _motion(a, m, rows, grippers) if motion is None else _floats(motion, "motion", 1)
    if len(moved) != len(m):
        raise InvalidValue(f"motion needs one value for each of {len(m)} marks, got {len(moved)}")
    for array in (s, a, ahead, h, r, m, moved):
        array.setflags(write=False)
    return Trajectory(
        states=s,
        actions=a,
        lead=ahead,
        human=h,
        rewards=r,
        dt=dt,
        terminal=terminal,
        marks=m,
        motion=moved,
        task=task,
        episode_id=episode_id,
        demonstration=demonstration,
        start=tuple(float(v) for v in start),
    )


def chunks(trajectory: Trajectory, starts: Index, horizon: int) -> tuple[F32, Flags]:
    """Return the chunks (n, H, A) that begin at ``starts`` and their masks (n, H); the first row
    is a step from where the robot is.
    """
    found, mask = windows(trajectory.actions, starts, horizon)
    found[:, 0] += trajectory.lead[starts]
    return found, mask


def windows(actions: F32, starts: Index, horizon: int) -> tuple[F32, Flags]:
    """Return the rows (n, H, A) from ``starts`` on and their masks (n, H).

    Beyond the episode's end the last row is repeated and masked False.
    """
    index = starts[:, None] + np.arange(horizon)
    return actions[np.minimum(index, len(actions) - 1)], index < len(actions)


def _floats(values: ArrayLike, name: str, dimensions: int) -> F32:
    array = np.array(values, np.float32)
    if array.ndim != dimensions or not np.all(np.isfinite(array)):
        raise InvalidValue(
            f"{name} must be finite numbers in {dimensions} dimensions, got shape {array.shape}"
        )
    return array


def _motion(actions: F32, marks: Index, rows: int, grippers: Sequence[int]) -> F32:
    moving = np.delete(actions, list(grippers), axis=1)
    steps, mask = windows(moving, marks, rows)
    away = np.cumsum(steps * mask[..., None], axis=1)
    return np.linalg.norm(away, axis=2).max(axis=1, initial=0.0).astype(np.float32)
