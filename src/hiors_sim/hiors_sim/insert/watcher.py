# SPDX-License-Identifier: Apache-2.0
"""What goes wrong with an insertion, as a person sees it."""

import numpy as np

from hiors_sim.insert.expert import EMPTY, JAM_TIME
from hiors_sim.insert.judge import InsertJudge
from hiors_sim.scene_view import SceneView
from hiors_sim.watcher import Watcher


class InsertWatcher(Watcher):
    """Watches box, hole and gripper."""

    def __init__(self, judge: InsertJudge) -> None:
        super().__init__(judge)
        self._judge = judge

    def trouble(self, view: SceneView, before: SceneView) -> tuple[str, float]:
        gripper, box = before.gripper, before.box
        away = float(np.abs(view.tool[:2] - view.box[:2]).max())
        around = away < 0.014 and -0.025 < view.tool[2] - view.box[2] < 0.045
        above = self._judge.bottom(view.box) - self._judge.scene.hole_depth
        seated = self._judge.seated(view.box, view.hole)
        near_hole = float(np.abs(view.box[:2] - view.hole[:2]).max())
        if view.gripper < EMPTY:
            return "closed gripper is empty", 0.15
        if view.gripper < gripper - 0.15 and not around and not seated:
            return "closing beside the box", 0.05
        held = around and view.gripper < 0.25
        if held and above > 0.004 and near_hole > 0.006 and view.gripper > gripper + 0.03:
            return "about to drop the box", 0.0
        moved = float(np.linalg.norm(view.box[:2] - box[:2]))
        if -0.004 < above < 0.003 and moved > 0.006 and not seated:
            return "dragging the box", 0.1
        if held and abs(above) < 0.006 and near_hole < 0.02 and abs(view.box[2] - box[2]) < 0.001:
            return "jammed at the hole", JAM_TIME
        return "", 0.0

    def remaining(self, view: SceneView) -> float:
        """Return the way to the box and of the box to the hole; then that of the tool away."""
        if self._judge.seated(view.box, view.hole):
            return float(self._judge.scene.retreat - (view.tool[2] - view.box[2]))
        to_box = np.linalg.norm(view.tool[:3] - view.box[:3])
        return float(to_box + np.linalg.norm(view.box[:3] - view.hole[:3]))
