# SPDX-License-Identifier: Apache-2.0
"""What counts as inserted: geometry of box, hole, tool and gripper.

Used by the simulator and by the scripted operator.
"""

import numpy as np
from numpy.typing import NDArray

from hiors_sim.insert.scene import InsertScene
from hiors_sim.scene_view import SceneView

Array = NDArray[np.float64]


class InsertJudge:
    """Judges one moment of the insertion."""

    patience = 0.0

    def __init__(self, scene: InsertScene) -> None:
        self.scene = scene
        self._half = float(scene.box_size[2]) / 2
        self._middle = tuple(scene.plate_center)
        self._reach = tuple((scene.plate_size + scene.box_size[:2]) / 2)

    def done(self, view: SceneView) -> bool:
        """Tell whether the box is seated, released and the gripper away."""
        return self.inserted(view.box, view.hole, view.tool, view.gripper)

    def lost(self, view: SceneView) -> bool:
        """Tell whether the box has left the work plate: nobody can finish the task."""
        return self.off_plate(view.box)

    def bottom(self, box: Array) -> float:
        """Return how far the box's bottom is above the floor of the hole [m]."""
        return float(box[2]) - self._half - self.scene.floor

    def seated(self, box: Array, hole: Array) -> bool:
        """Tell whether the box stands in the hole."""
        away = max(abs(float(box[0] - hole[0])), abs(float(box[1] - hole[1])))
        return away <= self.scene.lateral and self.bottom(box) <= self.scene.seat_height

    def inserted(self, box: Array, hole: Array, tool: Array, openness: float) -> bool:
        """Tell whether the box is seated, released and the gripper away."""
        return (
            openness >= self.scene.openness
            and float(tool[2] - box[2]) >= self.scene.retreat
            and self.seated(box, hole)
        )

    def off_plate(self, box: Array) -> bool:
        """Tell whether the box has left the work plate."""
        (x, y), (reach_x, reach_y) = self._middle, self._reach
        outside = abs(box[0] - x) > reach_x or abs(box[1] - y) > reach_y
        return bool(outside) or self.bottom(box) < -0.01
