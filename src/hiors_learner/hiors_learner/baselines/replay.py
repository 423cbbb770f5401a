# SPDX-License-Identifier: Apache-2.0
"""Steps of finished episodes in the order in which they came, for off-policy learning. Knows no
network.
"""

from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hiors_core.errors import StateError
from hiors_learner.trajectory import Trajectory

Flags = NDArray[np.bool_]

CAPACITY = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """A minibatch of chunks of h actions.

    Attributes:
        states, next_states: (n, D), before the first and after the last action.
        actions: (n, h, A), the first one from where the robot is; after the episode's end the last
            one again.
        previous: (n, A), the action before, the first one at a start.
        returns: (n,) Σ γ^i r_i up to the chunk's or the episode's end.
        valid: (n, h) False after the episode's end. continues: (n,) 0 after a terminal step.
        whole: (n,) 1 where the outcome of the chunk is known: it is executed to its end, or the
            task ends within it. 0 where the episode was cut off within it.
    """

    states: Tensor
    actions: Tensor
    previous: Tensor
    returns: Tensor
    next_states: Tensor
    valid: Tensor
    continues: Tensor
    whole: Tensor


class Replay:
    """A ring of steps; a part of an episode may be chosen, such as the person's."""

    def __init__(self, features: int, actions: int, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._size = self._next = 0
        self._columns: dict[str, NDArray[np.float32]] = {
            "states": np.zeros((0, features), np.float32),
            "next_states": np.zeros((0, features), np.float32),
            "actions": np.zeros((0, actions), np.float32),
            "lead": np.zeros((0, actions), np.float32),
            "previous": np.zeros((0, actions), np.float32),
            "rewards": np.zeros(0, np.float32),
            "terminal": np.zeros(0, np.float32),
            "last": np.zeros(0, np.float32),
        }

    def __len__(self) -> int:
        return self._size

    def add(self, trajectory: Trajectory, chosen: Flags | None = None) -> int:
        """Append the steps of an episode, or the ``chosen`` (T,) ones; return how many."""
        keep = np.ones(len(trajectory), np.bool_) if chosen is None else chosen
        count = int(keep.sum())
        if not count:
            return 0
        end = np.zeros(len(trajectory), np.float32)
        end[-1] = 1.0
        # Steps that are not followed by the next one end a run: a chunk must not span the gap.
        last = np.maximum(end, np.append(~keep[1:], True).astype(np.float32))
        new = {
            "states": trajectory.states[:-1],
            "next_states": trajectory.states[1:],
            "actions": trajectory.actions,
            "lead": trajectory.lead,
            "previous": np.concatenate([trajectory.actions[:1], trajectory.actions[:-1]]),
            "rewards": trajectory.rewards,
            "terminal": end * np.float32(trajectory.terminal),
            "last": last,
        }
        self._reserve(count)
        rows = (self._next + np.arange(count)) % self._capacity
        for name, values in new.items():
            self._columns[name][rows] = values[keep]
        self._next = int((self._next + count) % self._capacity)
        self._size = min(self._size + count, self._capacity)
        return count

    def sample(
        self, rng: np.random.Generator, count: int, horizon: int = 1, discount: float = 1.0
    ) -> Steps:
        """Draw chunks that begin anywhere, with replacement."""
        if not self._size:
            raise StateError("There is no step to learn from yet")
        rows = rng.integers(0, self._size, count)
        # The newest step ends its episode, so no chunk is valid across the ring's seam.
        index = (rows[:, None] + np.arange(horizon)) % self._size
        columns = self._columns
        ended = np.cumsum(columns["last"][index], axis=1) > 0.0
        valid = np.ones((count, horizon), np.bool_)
        valid[:, 1:] = ~ended[:, :-1]
        powers = (discount ** np.arange(horizon)).astype(np.float32)
        terminal = columns["terminal"][index] * valid
        final = index[:, -1]
        goes_on = 1.0 - terminal.max(1)
        step = np.minimum(np.arange(horizon), valid.sum(1, keepdims=True) - 1)
        actions = columns["actions"][np.take_along_axis(index, step, axis=1)]
        actions[:, 0] += columns["lead"][rows]
        return Steps(
            states=torch.from_numpy(columns["states"][rows]),
            actions=torch.from_numpy(actions),
            previous=torch.from_numpy(columns["previous"][rows]),
            returns=torch.from_numpy((columns["rewards"][index] * valid * powers).sum(1)),
            next_states=torch.from_numpy(columns["next_states"][final]),
            valid=torch.from_numpy(valid),
            continues=torch.from_numpy(goes_on),
            whole=torch.from_numpy(np.where(goes_on == 0.0, 1.0, valid[:, -1]).astype(np.float32)),
        )

    def _reserve(self, count: int) -> None:
        have = len(self._columns["rewards"])
        need = min(self._capacity, self._size + count)
        if need <= have:
            return
        room = min(self._capacity, max(need, 2 * have, 1024))
        for name, values in self._columns.items():
            grown = np.zeros((room, *values.shape[1:]), np.float32)
            grown[:have] = values
            self._columns[name] = grown


def join_steps(*parts: Steps) -> Steps:
    """Return the rows of all parts."""
    names = [f.name for f in fields(Steps)]
    return Steps(**{n: torch.cat([getattr(p, n) for p in parts]) for n in names})
