# SPDX-License-Identifier: Apache-2.0
"""When a person who watches the policy would step in.

Owns what is common to all tasks: what was seen, how long a trouble must last, standing still.
"""

from abc import ABC, abstractmethod
from collections import deque

import numpy as np

from hiors_core.clock import to_s
from hiors_sim.scene_view import SceneView
from hiors_sim.sim_task import Judge

_WINDOW = 2.0
"""[s] without motion or progress that looks stuck."""
_MOTION = 0.012
"""The tool moves when it covers this much in the window [m]."""
_PROGRESS = 0.010
"""What must get done in the window [m]."""


class Watcher(ABC):
    """Looks at the scene while the policy drives and names what goes wrong."""

    def __init__(self, judge: Judge) -> None:
        self._judge_of_task = judge
        self._seen: deque[tuple[float, SceneView]] = deque()
        self._bad_since: tuple[str, float] | None = None

    @abstractmethod
    def trouble(self, view: SceneView, before: SceneView) -> tuple[str, float]:
        """Return what is wrong, comparing with 0.2 s ``before``, and how long that must last [s];
        an empty text when nothing is.
        """

    def remaining(self, view: SceneView) -> float | None:
        """Return a length that shrinks while all goes well [m]; None where there is none."""
        return None

    def forget(self) -> None:
        """Start anew, with nothing seen."""
        self._seen.clear()
        self._bad_since = None

    def look(self, view: SceneView) -> str:
        """Return what calls for a person now, or an empty text."""
        now = to_s(view.stamp)
        self._seen.append((now, view))
        while now - self._seen[0][0] > _WINDOW + 0.05:
            self._seen.popleft()
        if self._judge_of_task.done(view):
            return ""
        before = self._at(now - 0.2)
        if before is None:
            return self._lasting(now, "", 0.0)
        what, needed = self.trouble(view, before)
        if not what:
            what = self._stuck(now)
        return self._lasting(now, what, needed)

    def _lasting(self, now: float, what: str, needed: float) -> str:
        """Return the trouble once it lasts as long as it must."""
        if not what:
            self._bad_since = None
            return ""
        if self._bad_since is None or self._bad_since[0] != what:
            self._bad_since = (what, now)
        return what if now - self._bad_since[1] >= needed else ""

    def _stuck(self, now: float) -> str:
        if now - self._seen[0][0] < _WINDOW:
            return ""
        recent = np.array([view.tool[:3] for _, view in self._seen])
        if np.ptp(recent, axis=0).max() < _MOTION:
            return "no motion for 2 s"
        was, left = self.remaining(self._seen[0][1]), self.remaining(self._seen[-1][1])
        if was is not None and left is not None and left > was - _PROGRESS:
            return "no progress for 2 s"
        return ""

    def _at(self, time: float) -> SceneView | None:
        for seen, view in reversed(self._seen):
            if seen <= time:
                return view
        return None
