# SPDX-License-Identifier: Apache-2.0
"""Where the policy, a person or the way home wants the robot in one tick. Values only."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiors_core.chunk import Sample
from hiors_core.motion import Mask

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Where somebody wants the robot (N,), and which columns (N,) nobody moves.

    Attributes:
        notes: what had to be changed already to make a position of it.
        sample: the policy's row that it came from.
    """

    position: Array
    held: Mask
    notes: tuple[str, ...] = ()
    sample: Sample | None = None
