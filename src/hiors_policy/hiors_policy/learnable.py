# SPDX-License-Identifier: Apache-2.0
"""What a policy that learns and is served has beyond predicting. Knows no optimiser, no file."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import nn

from hiors_core.observation import Observation
from hiors_core.robot import RobotModel
from hiors_policy.noise import Noise
from hiors_policy.policy import Array, Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One transition as the network of a policy is trained on it.

    Attributes:
        state: (D,). images: (cameras, size, size, 3) uint8. tokens: (L,) of the instruction,
            0 where there is none. actions: (H, W) as the network predicts them.
    """

    state: NDArray[np.float32]
    images: NDArray[np.uint8]
    tokens: NDArray[np.int32]
    actions: NDArray[np.float32]


class Learnable(Policy, Protocol):
    """A policy with a network that learns, and is prepared before it serves."""

    robot: RobotModel
    noise: Noise

    @property
    def network(self) -> nn.Module:
        """All weights; those that learn require a gradient."""

    def prepare(self, observation: Observation, instruction: str) -> float:
        """Make ready whatever makes inference fast; return the time it took [s]."""

    def predict_after(
        self,
        observation: Observation,
        instruction: str,
        previous: NDArray[np.floating],
        delay: int,
        *,
        seed: int | None = None,
    ) -> Array:
        """Return a chunk (H, A) that goes on from the chunk in execution (hiors_policy.chunking).

        Args:
            previous: (n, A) what is left of that chunk, absolute; row 0 is for the time of row 0
                of the new chunk, and n >= delay.
            delay: rows that will have been executed when the new chunk arrives; the new chunk
                begins with them.
        """

    def blank(self) -> Row:
        """Return a row of zeros: the shapes of every row."""

    def row(
        self, observation: Observation, instruction: str, actions: NDArray[np.floating]
    ) -> Row:
        """Return the row of an observation and the absolute actions (H, A) that follow it."""

    def shrink(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return an image (h, w, 3) as the network sees it; ``row`` makes the same of both.

        Any number of threads may call it.
        """

    @property
    def side(self) -> int:
        """Pixels a side to which ``shrink`` shrinks by area; 0 when it does something else."""

    def twin(self) -> "Learnable":
        """Return a policy with weights of its own where this one learns; the rest is shared."""
