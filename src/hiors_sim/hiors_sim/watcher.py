# SPDX-License-Identifier: Apache-2.0
"""When a person who watches the policy would step in.

Sees what a person sees; decides nothing but the moment.
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from hiors_core.clock import to_s
from hiors_sim.expert import EMPTY, JAM_TIME
from hiors_sim.judge import InsertJudge
from hiors_sim.scene_view import SceneView

Array = NDArray[np.float64]

_WINDOW = 2.0
"""[s] without motion that looks stuck."""


class Watcher:
    """Looks at the scene while the policy drives and names what goes wrong."""

    def __init__(self, judge: InsertJudge) -> None:
        self._judge = judge
        self._seen: deque[tuple[float, Array, float, Array]] = deque()
        self._bad_since: tuple[str, float] | None = None

    def forget(self) -> None:
        """Start anew, with nothing seen."""
        self._seen.clear()
        self._bad_since = None

    def look(self, view: SceneView) -> str:
        """Return what calls for a person now, or an empty text."""
        now = to_s(view.stamp)
        self._seen.append((now, view.tool[:3], view.gripper, view.box[:3]))
        while now - self._seen[0][0] > _WINDOW + 0.05:
            self._seen.popleft()
        if self._judge.inserted(view.box, view.hole, view.tool, view.gripper):
            return ""
        return self._lasting(now, self._trouble(view, now))

    def _lasting(self, now: float, trouble: tuple[str, float]) -> str:
        """Return the trouble once it lasts as long as it must."""
        what, needed = trouble
        if not what:
            self._bad_since = None
            return ""
        if self._bad_since is None or self._bad_since[0] != what:
            self._bad_since = (what, now)
        return what if now - self._bad_since[1] >= needed else ""

    def _trouble(self, view: SceneView, now: float) -> tuple[str, float]:
        before = self._at(now - 0.2)
        if before is None:
            return "", 0.0
        _, _, gripper, box = before
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
        return self._still(view, now)

    def _still(self, view: SceneView, now: float) -> tuple[str, float]:
        if now - self._seen[0][0] < _WINDOW:
            return "", 0.0
        recent = np.array([tool for _, tool, _, _ in self._seen])
        spread = float(np.ptp(recent, axis=0).max())
        return ("no motion for 2 s", 0.0) if spread < 0.012 else ("", 0.0)

    def _at(self, time: float) -> tuple[float, Array, float, Array] | None:
        for seen in reversed(self._seen):
            if seen[0] <= time:
                return seen
        return None
