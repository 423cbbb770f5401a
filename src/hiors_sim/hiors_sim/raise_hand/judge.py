# SPDX-License-Identifier: Apache-2.0
"""What counts as a raised hand: near the shown pose in position and rotation, and open."""

import math

import numpy as np
from numpy.typing import NDArray

from hiors_sim.raise_hand.scene import RaiseHandScene
from hiors_sim.scene_view import SceneView

Array = NDArray[np.float64]


class RaiseHandJudge:
    """Judges one moment of the raised hand."""

    def __init__(self, scene: RaiseHandScene) -> None:
        self.scene = scene
        self.patience = scene.hold + 0.1

    def done(self, view: SceneView) -> bool:
        """Tell whether the hand is where it should be."""
        return self.reached(view.tool, view.objects["target"], view.gripper)

    def lost(self, view: SceneView) -> bool:
        """A hand can always be raised."""
        del view
        return False

    def reached(self, tool: Array, target: Array, openness: float) -> bool:
        """Tell whether a tool pose (7,) counts as the target (7,)."""
        away, turned = distance(tool, target)
        near = away <= self.scene.position and turned <= self.scene.rotation
        return near and openness >= self.scene.openness


def distance(a: Array, b: Array) -> tuple[float, float]:
    """Return how far two poses (7,) are apart: [m], [rad]."""
    away = math.dist(a[:3], b[:3])
    return away, 2.0 * math.acos(min(abs(float(np.dot(a[3:], b[3:]))), 1.0))
