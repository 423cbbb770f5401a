# SPDX-License-Identifier: Apache-2.0
"""What hiors asks of a policy: a chunk of absolute actions for an observation. Knows no network
and no file.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hiors_core.action_space import KINDS
from hiors_core.errors import InvalidValue, UnknownName
from hiors_core.observation import Observation

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySpec:
    """The policy's side of the contract with the robot.

    Attributes:
        robot: name of the robot. kind: action space, "joint" or "ee".
        names, units: (A,) columns of an action; "rad", "m" or "1".
        horizon: H rows of a chunk. dt: time between rows [s]; row k is for stamp + (k + 1) dt.
        objects: poses that an observation must have. cameras: images that it must have.
    """

    robot: str
    kind: str
    names: tuple[str, ...]
    units: tuple[str, ...]
    horizon: int
    dt: float
    objects: tuple[str, ...] = ()
    cameras: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UnknownName("action space", self.kind, KINDS)
        if len(self.names) != len(self.units) or not self.names:
            raise InvalidValue(
                f"A policy needs one unit for each action name, got {self.names} and {self.units}"
            )
        if self.horizon < 1 or not math.isfinite(self.dt) or self.dt <= 0.0:
            raise InvalidValue(
                f"A policy needs horizon >= 1 and dt > 0 s, got {self.horizon} and {self.dt}"
            )


class Policy(Protocol):
    """A policy π_θ(a_t | s_t). One instance serves one thread at a time."""

    @property
    def spec(self) -> PolicySpec:
        """The columns, the horizon and what an observation must have."""

    def predict(
        self, observation: Observation, instruction: str = "", seed: int | None = None
    ) -> Array:
        """Return a chunk (H, A) of absolute actions in the units of the spec.

        The same seed and observation give the same chunk; without a seed the noise is new each
        time.
        """

    def predict_batch(
        self,
        observations: Sequence[Observation],
        instructions: Sequence[str] = (),
        seeds: Sequence[int] | None = None,
    ) -> Array:
        """Return chunks (B, H, A) for B observations at once."""


def remaining(previous: NDArray[np.floating], delay: int, horizon: int) -> Array:
    """Return the rows of ``predict_after`` that fit into a chunk, or raise InvalidValue."""
    rows = np.asarray(previous, np.float64)[:horizon]
    if not 0 <= delay <= len(rows):
        raise InvalidValue(f"delay must be 0 .. {len(rows)} rows, got {delay}")
    return rows
