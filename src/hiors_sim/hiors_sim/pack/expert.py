# SPDX-License-Identifier: Apache-2.0
"""How the bottle is packed by hand: follow it, grasp it, carry it, lower it into the box.

Knows no clutch, no robot, no speed of the belt: what moves is seen to move.
"""

from enum import StrEnum
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hiors_core.clock import to_s
from hiors_sim.expert import Expert
from hiors_sim.pack.judge import PackJudge
from hiors_sim.pack.scene import PackScene
from hiors_sim.scene_view import SceneView

Array = NDArray[np.float64]

GRIP = 0.024
"""Height of the tool below the bottle's top when grasping the cap [m]."""
SAFE = 0.032
"""Height of the tool above the bottle's top at which open fingers pass over it [m]."""
CARRY = 0.022
"""Height of the bottle's bottom above the box's rim while carried [m]."""
LEAD = 0.20
"""How far ahead of what it sees the hand aims [s]: it and the arm trail by as much."""
EMPTY = 0.10
"""Openness below which nothing is between the fingers; the cap keeps them at 0.18."""
FULL = 0.32
"""Openness above which the cap is not gripped."""
_STUCK = 0.5
"""[s] without progress downwards that is a bottle on the rim."""


class Phase(StrEnum):
    """Steps of packing."""

    OVER = "over"
    DOWN = "down"
    CLOSE = "close"
    RAISE = "raise"
    CARRY = "carry"
    LOWER = "lower"
    OPEN = "open"
    RETREAT = "retreat"
    DONE = "done"


class PackExpert(Expert):
    """Follows, grasps, carries, lowers; lifts and tries again when the bottle meets the rim."""

    subgoals = frozenset({Phase.RAISE, Phase.CARRY, Phase.LOWER, Phase.RETREAT})
    calm = frozenset({Phase.RAISE, Phase.CARRY})
    closed = frozenset({Phase.CLOSE, Phase.RAISE, Phase.CARRY, Phase.LOWER})
    final = Phase.DONE
    speeds: ClassVar = {Phase.DOWN: 0.22, Phase.CLOSE: 0.12, Phase.LOWER: 0.16, Phase.OPEN: 0.05}

    def __init__(self, scene: PackScene, rng: np.random.Generator) -> None:
        super().__init__(rng)
        self._scene, self._judge = scene, PackJudge(scene)
        self._low, self._low_at = np.inf, 0.0
        self._seen: tuple[float, Array] | None = None
        self._velocity = np.zeros(2)

    def enter(self, phase: str, now: float) -> None:
        super().enter(phase, now)
        self._low, self._low_at = np.inf, now

    def holding(self, view: SceneView) -> bool:
        """Tell whether the cap is between closed fingers."""
        bottle = view.objects["bottle"]
        near = np.abs(view.tool[:2] - bottle[:2]).max() < 0.03
        high = -0.03 < view.tool[2] - self._grip(bottle) < 0.03
        return bool(near and high) and EMPTY < view.gripper < FULL

    def situation(self, view: SceneView, tool: Array) -> Phase:
        bottle, box = view.objects["bottle"], view.box
        inside = self._judge.inside(bottle, box)
        if not self.holding(view):
            if inside:
                return Phase.OPEN if view.gripper < self._scene.openness else Phase.RETREAT
            return Phase.OVER
        if inside:
            return Phase.OPEN
        if self._over_box(bottle, box, 0.012):
            return Phase.LOWER
        return Phase.CARRY if self._lifted(bottle) > 0.4 * CARRY else Phase.RAISE

    def following(self, view: SceneView, tool: Array, now: float) -> Phase | None:
        self._follow(view)
        bottle, box, phase = view.objects["bottle"], view.box, Phase(self.phase)
        lost_grip = phase in (Phase.RAISE, Phase.CARRY, Phase.LOWER)
        if lost_grip and not self.holding(view) and now - self.since > 0.1:
            return self.situation(view, tool)
        away = float(np.abs(tool[:2] - bottle[:2]).max())
        if phase is Phase.OVER:
            return Phase.DOWN if away < 0.012 and view.gripper > 0.7 else None
        if phase is Phase.DOWN:
            if away > 0.026:
                return Phase.OVER
            return Phase.CLOSE if abs(tool[2] - self._grip(bottle)) < 0.006 else None
        if phase is Phase.CLOSE:
            if now - self.since < 0.35:
                return None
            return Phase.RAISE if self.holding(view) else Phase.OVER
        if phase is Phase.RAISE:
            return Phase.CARRY if self._lifted(bottle) > 0.7 * CARRY else None
        if phase is Phase.CARRY:
            return Phase.LOWER if self._over_box(bottle, box, 0.008) else None
        if phase is Phase.LOWER:
            return self._lowered(bottle, now)
        if phase is Phase.OPEN:
            return Phase.RETREAT if view.gripper > self._scene.openness else None
        if not self._judge.inside(bottle, box):
            return Phase.OVER
        up = phase is Phase.RETREAT and tool[2] - bottle[2] > self._scene.retreat + 0.015
        return Phase.DONE if up else None

    def place(self, view: SceneView, tool: Array) -> tuple[Array, Array]:
        return self._position(view, tool), np.zeros(3)

    def _position(self, view: SceneView, tool: Array) -> Array:
        bottle, box = view.objects["bottle"], view.box
        if self.phase == Phase.OVER:
            return self._above(bottle, tool)
        if self.phase in (Phase.DOWN, Phase.CLOSE):
            return np.array([*self._ahead(bottle), self._grip(bottle)])
        if self.phase == Phase.RAISE:
            return np.array([*tool[:2], tool[2] + max(CARRY - self._lifted(bottle), 0.0) + 0.006])
        if self.phase in (Phase.CARRY, Phase.LOWER):
            down = self._judge.bottom(bottle) - self._scene.floor + 0.004
            height = CARRY - self._lifted(bottle) if self.phase == Phase.CARRY else -down
            return tool[:3] + np.array([*(box[:2] - bottle[:2]), height])
        if self.phase == Phase.OPEN:
            return tool[:3]
        top = float(bottle[2]) + self._scene.retreat + 0.04
        return np.array([*tool[:2], max(float(tool[2]), top)])

    def _above(self, bottle: Array, tool: Array) -> Array:
        safe = float(bottle[2]) + self._scene.half + SAFE
        if np.abs(tool[:2] - bottle[:2]).max() > 0.03 and tool[2] < safe - 0.015:
            return np.array([*tool[:2], safe + 0.01])
        return np.array([*self._ahead(bottle), safe])

    def _lowered(self, bottle: Array, now: float) -> Phase | None:
        if self._judge.bottom(bottle) < self._scene.floor + 0.5 * self._scene.height:
            return Phase.OPEN
        if bottle[2] < self._low - 0.001:
            self._low, self._low_at = float(bottle[2]), now
        return Phase.RAISE if now - self._low_at > _STUCK else None

    def _grip(self, bottle: Array) -> float:
        return float(bottle[2]) + self._scene.half - GRIP

    def _lifted(self, bottle: Array) -> float:
        return self._judge.bottom(bottle) - self._scene.rim

    def _over_box(self, bottle: Array, box: Array, tolerance: float) -> bool:
        return float(np.abs(bottle[:2] - box[:2]).max()) < tolerance

    def _ahead(self, bottle: Array) -> Array:
        return bottle[:2] + LEAD * self._velocity

    def _follow(self, view: SceneView) -> None:
        """Keep an estimate of the bottle's velocity."""
        now, place = to_s(view.stamp), view.objects["bottle"][:2]
        if self._seen is not None and (dt := now - self._seen[0]) > 0.0:
            fresh = (place - self._seen[1]) / dt
            keep = np.exp(-dt / 0.15)
            self._velocity = keep * self._velocity + (1.0 - keep) * fresh
        self._seen = (now, place)
