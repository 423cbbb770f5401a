# SPDX-License-Identifier: Apache-2.0
"""What goes wrong with raising a hand, as a person sees it."""

from hiors_sim.raise_hand.judge import RaiseHandJudge, distance
from hiors_sim.scene_view import SceneView
from hiors_sim.watcher import Watcher

_ASTRAY = 0.08
"""Distance by which the hand may get farther from the target than it was [m]."""


class RaiseHandWatcher(Watcher):
    """Watches hand and target."""

    def __init__(self, judge: RaiseHandJudge) -> None:
        super().__init__(judge)
        self._least = float("inf")

    def forget(self) -> None:
        super().forget()
        self._least = float("inf")

    def trouble(self, view: SceneView, before: SceneView) -> tuple[str, float]:
        away, _ = distance(view.tool, view.objects["target"])
        self._least = min(self._least, away)
        if view.gripper < 0.5 and before.gripper < 0.5:
            return "the hand is closed", 0.1
        if away > self._least + _ASTRAY:
            return "going astray", 0.1
        return "", 0.0
