# SPDX-License-Identifier: Apache-2.0
"""What goes wrong with packing, as a person sees it."""

import numpy as np

from hiors_sim.pack.expert import EMPTY, FULL, GRIP
from hiors_sim.pack.judge import PackJudge
from hiors_sim.scene_view import SceneView
from hiors_sim.watcher import Watcher

_AWAY = 0.24
"""Distance to the end of the reach at which a bottle still on the belt is a worry [m]."""


class PackWatcher(Watcher):
    """Watches bottle, box and gripper."""

    def __init__(self, judge: PackJudge) -> None:
        super().__init__(judge)
        self._judge, self._scene = judge, judge.scene

    def trouble(self, view: SceneView, before: SceneView) -> tuple[str, float]:
        bottle, was = view.objects["bottle"], before.objects["bottle"]
        beside = float(np.abs(view.tool[:2] - bottle[:2]).max())
        grip = float(bottle[2]) + self._scene.half - GRIP
        around = beside < 0.022 and abs(view.tool[2] - grip) < 0.025
        held = around and EMPTY < view.gripper < FULL
        inside = self._judge.inside(bottle, view.box)
        if view.gripper < EMPTY:
            return "closed gripper is empty", 0.15
        if view.gripper < before.gripper - 0.15 and not around and not inside:
            return "closing beside the bottle", 0.05
        lifted = self._judge.bottom(bottle) > self._scene.belt_height + 0.006
        if around and lifted and not inside and view.gripper > before.gripper + 0.03:
            return "about to drop the bottle", 0.0
        moved = bottle[:2] - was[:2]
        if not held and not lifted and not inside and (abs(moved[0]) > 0.008 or moved[1] > 0.004):
            return "pushing the bottle", 0.1
        end = float(self._scene.reach_lower[1]) + _AWAY
        if not held and not inside and float(bottle[1]) < end:
            return "the bottle is getting away", 0.2
        return "", 0.0
