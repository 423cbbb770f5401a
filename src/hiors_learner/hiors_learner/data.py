# SPDX-License-Identifier: Apache-2.0
"""Episodes as arrays: what a gradient step is made of. Knows no process group and no file but the
episode's folder.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hiors_core.episode import load_episode, transitions
from hiors_core.errors import InvalidValue
from hiors_core.filters import keep_moving
from hiors_policy.flow_policy import FlowPolicy
from hiors_policy.vision import stack_images


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Transitions of accepted episodes, not normalised.

    Attributes:
        states: (n, D) features. images: (n, cameras, size, size, 3) uint8.
        actions: (n, H, A) encoded actions (hiors_policy.actions).
        mask: (n, H) False beyond the episode's end. weight: (n,) I_m(τ) of eq. 5.
    """

    states: NDArray[np.float32]
    images: NDArray[np.uint8]
    actions: NDArray[np.float32]
    mask: NDArray[np.bool_]
    weight: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.states)

    def arrays(self) -> tuple[NDArray[Any], ...]:
        """Return the arrays in the order of the fields."""
        return (self.states, self.images, self.actions, self.mask, self.weight)

    def take(self, index: NDArray[np.int64]) -> "Samples":
        """Return the chosen rows."""
        return Samples(
            states=self.states[index],
            images=self.images[index],
            actions=self.actions[index],
            mask=self.mask[index],
            weight=self.weight[index],
        )


class SampleReader:
    """Turns the folder of an episode into Samples for one policy."""

    def __init__(self, policy: FlowPolicy, noop_threshold: float) -> None:
        self._policy = policy
        self._noop = noop_threshold

    def read(self, folder: Path) -> Samples:
        """Return the transitions that move (section III-D), or raise IntegrityError or
        InvalidValue.
        """
        policy, spec = self._policy, self._policy.spec
        found = transitions(
            load_episode(folder),
            spec.kind,
            spec.horizon,
            spec.dt,
            policy.robot,
            images=bool(spec.cameras),
        )
        kept = keep_moving(found, self._noop)
        size = policy.settings.network.image_size
        rows = empty(policy, len(kept))
        for i, one in enumerate(kept):
            seen = one.observation
            rows.states[i] = policy.encoder.encode(seen)
            rows.actions[i] = policy.codec.encode(one.actions, policy.codec.base(seen.position))
            rows.mask[i] = one.mask
            rows.weight[i] = 1.0
            if spec.cameras:
                rows.images[i] = stack_images(seen, spec.cameras, size)
        if not np.all(np.isfinite(rows.actions)):
            raise InvalidValue(f"Episode {folder.name} has actions that are not finite")
        return rows


def empty(policy: FlowPolicy, rows: int = 0) -> Samples:
    """Return ``rows`` rows of zeros in the shapes of the policy."""
    spec, size = policy.spec, policy.settings.network.image_size
    return Samples(
        states=np.zeros((rows, len(policy.encoder.names)), np.float32),
        images=np.zeros((rows, len(spec.cameras), size, size, 3), np.uint8),
        actions=np.zeros((rows, spec.horizon, len(spec.names)), np.float32),
        mask=np.zeros((rows, spec.horizon), np.bool_),
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
    columns = [np.concatenate(column) for column in zip(*(p.arrays() for p in parts), strict=True)]
    states, images, actions, mask, weight = columns
    return Samples(states=states, images=images, actions=actions, mask=mask, weight=weight)
