# SPDX-License-Identifier: Apache-2.0
"""Episodes as arrays: what a gradient step is made of. Knows no process group and no file but the
episode's folder.
"""

import dataclasses
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hiors_core.authority import Authority
from hiors_core.episode import Episode, Transition, load_episode, transitions
from hiors_core.errors import InvalidValue
from hiors_core.filters import keep_moving, leading_up
from hiors_core.observation import Observation
from hiors_policy.learnable import Learnable

_DECODERS = min(4, os.cpu_count() or 1)


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

    def enlarged(self, rows: int) -> "Samples":
        """Return a copy with room for ``rows`` rows; what is in those that are new is open."""
        return Samples.of(_enlarged(array, rows) for array in self.arrays())


class SampleReader:
    """Turns the folder of an episode into Samples for one policy."""

    def __init__(self, policy: Learnable, noop_threshold: float, lead_up: float = 0.0) -> None:
        self._policy = policy
        self._noop, self._lead_up = noop_threshold, lead_up

    def read(self, folder: Path) -> Samples:
        """Return the transitions that move (section III-D) and that led to no take-over, or raise
        IntegrityError or InvalidValue.
        """
        policy, spec = self._policy, self._policy.spec
        episode = load_episode(folder)
        found = transitions(episode, spec.kind, spec.horizon, spec.dt, policy.robot)
        kept = keep_moving(self._right(found), self._noop)
        rows = empty(policy, len(kept))
        for i, (one, seen) in enumerate(zip(kept, self._seen(episode, kept), strict=True)):
            row = policy.row(seen, episode.instruction, one.actions)
            rows.states[i], rows.images[i], rows.tokens[i] = row.state, row.images, row.tokens
            rows.actions[i], rows.mask[i], rows.weight[i] = row.actions, one.mask, 1.0
        if not np.all(np.isfinite(rows.actions)):
            raise InvalidValue(f"Episode {folder.name} has actions that are not finite")
        return rows

    def _right(self, found: Sequence[Transition]) -> list[Transition]:
        """Return the transitions without those that led to a take-over."""
        human = np.array([one.authority == Authority.HUMAN for one in found], np.bool_)
        times = np.array([one.time for one in found])
        wrong = leading_up(human, times, self._lead_up)
        return [one for one, bad in zip(found, wrong, strict=True) if not bad]

    def _seen(self, episode: Episode, kept: Sequence[Transition]) -> Iterator[Observation]:
        """Yield the observations with the images that the policy sees, decoded and shrunk."""
        policy, cameras = self._policy, self._policy.spec.cameras
        if not cameras:
            yield from (one.observation for one in kept)
            return

        def look(one: Transition) -> Observation:
            seen = one.observation
            images = episode.images.newest(seen.stamp, cameras, policy.side)
            return replace(seen, images={n: policy.shrink(i) for n, i in images.items()})

        with ThreadPoolExecutor(_DECODERS, thread_name_prefix="jpeg") as pool:
            yield from pool.map(look, kept)


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
        self._rows, self._count = start, len(start)

    def __len__(self) -> int:
        return self._count

    def add(self, samples: Samples) -> None:
        """Append the rows of an episode."""
        before, self._count = self._count, self._count + len(samples)
        if self._count > len(self._rows):
            # Twice as many: a row is moved once or twice, however many episodes follow. Memory
            # that is not yet written to costs nothing.
            self._rows = self._first(before).enlarged(max(self._count, 2 * before))
        for own, new in zip(self._rows.arrays(), samples.arrays(), strict=True):
            own[before : self._count] = new

    def all(self) -> Samples:
        """Return all rows in the order in which they were added."""
        return self._first(self._count)

    def _first(self, count: int) -> Samples:
        return Samples.of(array[:count] for array in self._rows.arrays())


def _enlarged(array: NDArray[Any], rows: int) -> NDArray[Any]:
    result = np.empty((rows, *array.shape[1:]), array.dtype)
    result[: len(array)] = array
    return result


def join(parts: list[Samples]) -> Samples:
    """Return the rows of all parts."""
    columns = zip(*(part.arrays() for part in parts), strict=True)
    return Samples.of(np.concatenate(column) for column in columns)
