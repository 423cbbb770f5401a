# SPDX-License-Identifier: Apache-2.0
"""Episodes as arrays: what a gradient step is made of. Knows no process group and no file but the
episode's folder.
"""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hiors_core.episode import load_episode, transitions
from hiors_core.errors import InvalidValue
from hiors_core.filters import keep_moving
from hiors_policy.learnable import Learnable


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Transitions of accepted episodes, not normalised.

    Attributes:
        states: (n, D) features. images: (n, cameras, size, size, 3) uint8.
        tokens: (n, L) of the instruction, 0 where there is none; L = 0 when it is not used.
        actions: (n, H, W) as the network predicts them (hiors_policy.learnable.Row).
        mask: (n, H) False beyond the episode's end. weight: (n,) I_m(τ) of eq. 5.
    """

    states: NDArray[np.float32]
    images: NDArray[np.uint8]
    tokens: NDArray[np.int32]
    actions: NDArray[np.float32]
    mask: NDArray[np.bool_]
    weight: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.states)

    def arrays(self) -> tuple[NDArray[Any], ...]:
        """Return the arrays in the order of the fields."""
        return tuple(getattr(self, field.name) for field in dataclasses.fields(self))

    @classmethod
    def of(cls, arrays: Iterable[NDArray[Any]]) -> "Samples":
        """Return the samples of arrays in the order of the fields."""
        names = (field.name for field in dataclasses.fields(cls))
        return cls(**dict(zip(names, arrays, strict=True)))

    def take(self, index: NDArray[np.int64]) -> "Samples":
        """Return the chosen rows."""
        return Samples.of(array[index] for array in self.arrays())


class SampleReader:
    """Turns the folder of an episode into Samples for one policy."""

    def __init__(self, policy: Learnable, noop_threshold: float) -> None:
        self._policy = policy
        self._noop = noop_threshold

    def read(self, folder: Path) -> Samples:
        """Return the transitions that move (section III-D), or raise IntegrityError or
        InvalidValue.
        """
        policy, spec = self._policy, self._policy.spec
        episode = load_episode(folder)
        found = transitions(
            episode,
            spec.kind,
            spec.horizon,
            spec.dt,
            policy.robot,
            images=bool(spec.cameras),
        )
        kept = keep_moving(found, self._noop)
        rows = empty(policy, len(kept))
        for i, one in enumerate(kept):
            row = policy.row(one.observation, episode.instruction, one.actions)
            rows.states[i], rows.images[i], rows.tokens[i] = row.state, row.images, row.tokens
            rows.actions[i], rows.mask[i], rows.weight[i] = row.actions, one.mask, 1.0
        if not np.all(np.isfinite(rows.actions)):
            raise InvalidValue(f"Episode {folder.name} has actions that are not finite")
        return rows


def empty(policy: Learnable, rows: int = 0) -> Samples:
    """Return ``rows`` rows of zeros in the shapes of the policy."""
    blank = policy.blank()
    parts = (blank.state, blank.images, blank.tokens, blank.actions)
    states, images, tokens, actions = (np.zeros((rows, *p.shape), p.dtype) for p in parts)
    return Samples(
        states=states,
        images=images,
        tokens=tokens,
        actions=actions,
        mask=np.zeros((rows, policy.spec.horizon), np.bool_),
        weight=np.zeros(rows, np.float32),
    )


class Pool:
    """Samples that grow by whole episodes; rows keep their place."""

    def __init__(self, start: Samples) -> None:
        self._parts = [start]
        self._count = len(start)

    def __len__(self) -> int:
        return self._count

    def add(self, samples: Samples) -> None:
        """Append the rows of an episode."""
        self._parts.append(samples)
        self._count += len(samples)

    def all(self) -> Samples:
        """Return all rows in the order in which they were added."""
        if len(self._parts) > 1:
            self._parts = [join(self._parts)]
        return self._parts[0]


def join(parts: list[Samples]) -> Samples:
    """Return the rows of all parts."""
    columns = zip(*(part.arrays() for part in parts), strict=True)
    return Samples.of(np.concatenate(column) for column in columns)
