# SPDX-License-Identifier: Apache-2.0
"""One snapshot of what the robot sees and feels: the state s_t of the paper."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Newest value of every stream at ``stamp``; columns follow ``RobotModel.names``.

    Attributes:
        stamp: capture time [ns].
        position: (N,) measured joints [rad] and grippers [0 closed .. 1 open].
        command: (N,) command in force at ``stamp``, same columns and units.
        objects: poses by name, (7,) x y z [m] and quaternion x y z w, in the first arm's base.
        images: camera images by name, (height, width, 3) uint8 RGB.
    """

    stamp: int
    position: Array
    command: Array
    objects: Mapping[str, Array] = field(default_factory=dict)
    images: Mapping[str, Image] = field(default_factory=dict)
