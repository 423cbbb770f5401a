# SPDX-License-Identifier: Apache-2.0
"""The noise x⁰ that inference starts from. Knows no network."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hiors_core.errors import InvalidValue

F32 = NDArray[np.float32]


class Noise:
    """Draws x⁰ ~ N(0, scale² I).

    Attributes:
        scale: 1 is what a flow is trained from and gives all that it has learnt. Below 1 the
            chunks of one moment lie closer together, so that one replaces the other without a
            jerk; with 0 the same is done whenever the same is seen.
    """

    def __init__(self, seed: int | np.random.Generator | None = None) -> None:
        """``seed`` is for draws that bring none of their own; a generator is drawn from itself."""
        self.scale = 1.0
        self._rng = np.random.default_rng(seed)

    def draw(self, batch: int, shape: tuple[int, ...], seeds: Sequence[int] | None = None) -> F32:
        """Return (batch, *shape): each row from its seed, or all new."""
        if seeds is None:
            drawn = self._rng.standard_normal((batch, *shape), np.float32)
        elif len(seeds) != batch:
            raise InvalidValue(f"got {len(seeds)} seeds for {batch} observations")
        else:
            drawn = np.empty((batch, *shape), np.float32)
            for row, seed in zip(drawn, seeds, strict=True):
                row[...] = np.random.default_rng(seed).standard_normal(shape, np.float32)
        return np.float32(self.scale) * drawn
