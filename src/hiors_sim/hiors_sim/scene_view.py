# SPDX-License-Identifier: Apache-2.0
"""What a person standing at the robot sees: measured tool, gripper, objects, and who drives.

No simulator behind it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiors_core.authority import Authority

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneView:
    """One glance at the scene; poses (7,) x y z [m], quaternion x y z w, in the base frame of the
    task's arm.

    Attributes:
        stamp: time of the glance [ns].
        tool: measured tool pose. gripper: measured, 0 closed .. 1 open.
        objects: measured poses by name.
        authority: who drives now.
    """

    stamp: int
    tool: Array
    gripper: float
    objects: Mapping[str, Array]
    authority: Authority

    @property
    def box(self) -> Array:
        """(7,) pose of the box."""
        return self.objects["box"]

    @property
    def hole(self) -> Array:
        """(7,) pose of the hole's opening."""
        return self.objects["hole"]
