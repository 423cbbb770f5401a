# SPDX-License-Identifier: Apache-2.0
"""What counts as packed: geometry of bottle, box, tool and gripper."""

import numpy as np
from numpy.typing import NDArray

from hiors_sim.pack.scene import PackScene
from hiors_sim.scene_view import SceneView

Array = NDArray[np.float64]


class PackJudge:
    """Judges one moment of packing."""

    def __init__(self, scene: PackScene) -> None:
        self.scene = scene
        self.patience = scene.hold + 0.1

    def done(self, view: SceneView) -> bool:
        """Tell whether the bottle stands in the box, released, the gripper away."""
        return self.packed(view.objects["bottle"], view.box, view.tool, view.gripper)

    def lost(self, view: SceneView) -> bool:
        """Tell whether the bottle is out of reach."""
        return self.gone(view.objects["bottle"])

    def bottom(self, bottle: Array) -> float:
        """Return the height of the bottle's bottom [m]."""
        return float(bottle[2]) - self.scene.half

    def inside(self, bottle: Array, box: Array) -> bool:
        """Tell whether the bottle stands on the floor of the box, between its walls."""
        away = np.abs(bottle[:2] - box[:2])
        room = self.scene.box_size[:2] / 2 - 0.4 * self.scene.body_size[:2].min()
        return bool((away <= room).all()) and self._low(bottle)

    def packed(self, bottle: Array, box: Array, tool: Array, openness: float) -> bool:
        """Tell whether the bottle is inside, released and the gripper away."""
        return (
            openness >= self.scene.openness
            and self._low(bottle)
            and float(tool[2] - bottle[2]) >= self.scene.retreat
            and self.inside(bottle, box)
        )

    def gone(self, bottle: Array) -> bool:
        """Tell whether the bottle went past the reach of the arm, or fell off."""
        x, y = float(bottle[0]), float(bottle[1])
        (x0, y0), (x1, y1) = self.scene.reach_lower, self.scene.reach_upper
        fell = self.bottom(bottle) < self.scene.table_height - 0.01
        return not (x0 <= x <= x1 and y0 <= y <= y1) or fell

    def _low(self, bottle: Array) -> bool:
        return self.bottom(bottle) <= self.scene.floor + self.scene.height
