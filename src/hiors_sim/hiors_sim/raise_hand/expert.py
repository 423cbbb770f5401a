# SPDX-License-Identifier: Apache-2.0
"""How the hand is raised by a person who holds the tool. Knows no clutch, no robot."""

from enum import StrEnum
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hiors_core.geometry import quat_conjugate, quat_multiply, quat_to_rotvec, rotvec_to_quat
from hiors_sim.expert import Expert
from hiors_sim.raise_hand.judge import RaiseHandJudge, distance
from hiors_sim.raise_hand.scene import RaiseHandScene
from hiors_sim.scene_view import SceneView

Array = NDArray[np.float64]

_INSIDE = 0.6
"""Share of the tolerances within which a person is content."""


class Phase(StrEnum):
    """Steps of raising the hand."""

    RAISE = "raise"
    HOLD = "hold"


class RaiseHandExpert(Expert):
    """Goes to the shown pose and stays."""

    subgoals = frozenset({Phase.RAISE})
    calm = frozenset()
    closed = frozenset()
    final = Phase.HOLD
    speeds: ClassVar = {Phase.HOLD: 0.10}

    def __init__(self, scene: RaiseHandScene, rng: np.random.Generator) -> None:
        super().__init__(rng)
        self._judge = RaiseHandJudge(scene)

    def situation(self, view: SceneView, tool: Array) -> Phase:
        return Phase.HOLD if self._judge.done(view) else Phase.RAISE

    def following(self, view: SceneView, tool: Array, now: float) -> Phase | None:
        if self.phase == Phase.HOLD:
            return None if self._judge.done(view) else Phase.RAISE
        away, turned = distance(view.tool, view.objects["target"])
        scene = self._judge.scene
        near = away < _INSIDE * scene.position and turned < _INSIDE * scene.rotation
        return Phase.HOLD if near and self._judge.done(view) else None

    def place(self, view: SceneView, tool: Array) -> tuple[Array, Array]:
        target = view.objects["target"]
        # What the tool's rotation is measured against follows from the tool as it is.
        home = quat_multiply(quat_conjugate(rotvec_to_quat(tool[3:])), view.tool[3:])
        return target[:3], quat_to_rotvec(quat_multiply(target[3:], quat_conjugate(home)))

    def holding(self, view: SceneView) -> bool:
        """There is nothing to hold."""
        del view
        return False
