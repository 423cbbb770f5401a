# SPDX-License-Identifier: Apache-2.0
"""How the insertion is done by hand. Knows no clutch, no robot."""

from enum import StrEnum
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hiors_sim.angles import quarter_turn, yaw_of
from hiors_sim.expert import Expert
from hiors_sim.insert.judge import InsertJudge
from hiors_sim.insert.scene import InsertScene
from hiors_sim.scene_view import SceneView

Array = NDArray[np.float64]

GRIP = 0.012
"""Height of the tool above the box's middle when grasping [m]."""
SAFE = 0.072
"""Height of the tool above the box's middle at which open fingers pass over the box [m]."""
CARRY = 0.018
"""Height of the box's bottom above the plate while carried [m]."""
EMPTY = 0.07
"""Openness below which nothing is between the fingers; the box keeps them at 0.13."""
JAM_TIME = 0.4
"""[s] without progress downwards that is a jam."""


class Phase(StrEnum):
    """Steps of the insertion."""

    OVER = "over"
    DOWN = "down"
    CLOSE = "close"
    RAISE = "raise"
    CARRY = "carry"
    IN = "in"
    LIFT = "lift"
    OPEN = "open"
    RETREAT = "retreat"
    DONE = "done"


class InsertExpert(Expert):
    """Grasps, carries, inserts; lifts and tries again when the box jams."""

    subgoals = frozenset({Phase.RAISE, Phase.CARRY, Phase.IN, Phase.RETREAT})
    # Nobody rests with the box half in the hole or the fingers half closed.
    calm = frozenset({Phase.OVER, Phase.RAISE, Phase.CARRY})
    closed = frozenset({Phase.CLOSE, Phase.RAISE, Phase.CARRY, Phase.IN, Phase.LIFT})
    final = Phase.DONE
    speeds: ClassVar = {
        Phase.DOWN: 0.20,
        Phase.IN: 0.12,
        Phase.LIFT: 0.12,
        Phase.CLOSE: 0.10,
        Phase.OPEN: 0.05,
    }

    def __init__(self, scene: InsertScene, rng: np.random.Generator) -> None:
        super().__init__(rng)
        self.phase = Phase.OVER
        self.judge = InsertJudge(scene)
        self._scene = scene
        self._jitter = np.zeros(3)
        self._low, self._low_at = np.inf, 0.0

    def begin(self, view: SceneView, tool: Array, now: float) -> None:
        self._jitter = np.zeros(3)
        super().begin(view, tool, now)

    def holding(self, view: SceneView) -> bool:
        """Tell whether the box is between closed fingers."""
        near = np.abs(view.tool[:2] - view.box[:2]).max() < 0.022
        high = -0.02 < view.tool[2] - view.box[2] < 0.05
        return bool(near and high) and EMPTY < view.gripper < 0.25

    def situation(self, view: SceneView, tool: Array) -> Phase:
        seated = self.judge.seated(view.box, view.hole)
        if not self.holding(view):
            if seated:
                return Phase.OPEN if view.gripper < self._scene.openness else Phase.RETREAT
            return Phase.OVER
        if seated:
            return Phase.OPEN
        lateral = float(np.abs(view.box[:2] - view.hole[:2]).max())
        if lateral < 0.004:
            return Phase.IN
        high = self.judge.bottom(view.box) - self._scene.hole_depth
        return Phase.CARRY if high > 0.6 * CARRY else Phase.RAISE

    def enter(self, phase: str, now: float) -> None:
        super().enter(phase, now)
        self._low, self._low_at = np.inf, now
        if phase == Phase.LIFT:
            self._jitter = self.rng.normal(0.0, [0.0012, 0.0012, 0.02])
        elif phase == Phase.OVER:
            self._jitter = np.zeros(3)

    def following(self, view: SceneView, tool: Array, now: float) -> Phase | None:
        lost_grip = self.phase in (Phase.RAISE, Phase.CARRY, Phase.IN, Phase.LIFT)
        if lost_grip and not self.holding(view) and now - self.since > 0.1:
            return self.situation(view, tool)
        checks = {
            Phase.OVER: self._over_done,
            Phase.DOWN: self._down_done,
            Phase.CLOSE: self._close_done,
            Phase.RAISE: self._raise_done,
            Phase.CARRY: self._carry_done,
            Phase.IN: self._in_done,
            Phase.LIFT: self._lift_done,
            Phase.OPEN: self._open_done,
            Phase.RETREAT: self._retreat_done,
        }
        if (check := checks.get(Phase(self.phase))) is not None:
            return check(view, tool, now)
        return self._done_broken(view)

    def _over_done(self, view: SceneView, tool: Array, now: float) -> Phase | None:
        near = np.abs(tool[:2] - view.box[:2]).max() < 0.008
        aligned = abs(quarter_turn(yaw_of(view.box) - tool[5])) < 0.08
        ready = near and aligned and view.gripper > 0.7
        return Phase.DOWN if ready else None

    def _down_done(self, view: SceneView, tool: Array, now: float) -> Phase | None:
        if np.abs(tool[:2] - view.box[:2]).max() > 0.02:
            return Phase.OVER
        return Phase.CLOSE if abs(tool[2] - view.box[2] - GRIP) < 0.005 else None

    def _close_done(self, view: SceneView, tool: Array, now: float) -> Phase | None:
        if now - self.since < 0.40:
            return None
        return Phase.RAISE if self.holding(view) else Phase.OVER

    def _raise_done(self, view: SceneView, tool: Array, now: float) -> Phase | None:
        high = self.judge.bottom(view.box) - self._scene.hole_depth
        return Phase.CARRY if high > 0.75 * CARRY else None

    def _carry_done(self, view: SceneView, tool: Array, now: float) -> Phase | None:
        near = np.abs(view.hole[:2] - view.box[:2]).max() < 0.0018
        aligned = abs(quarter_turn(yaw_of(view.box) - yaw_of(view.hole))) < 0.05
        return Phase.IN if near and aligned else None

    def _in_done(self, view: SceneView, tool: Array, now: float) -> Phase | None:
        if self.judge.bottom(view.box) < 0.6 * self._scene.seat_height:
            return Phase.OPEN
        if view.box[2] < self._low - 0.001:
            self._low, self._low_at = float(view.box[2]), now
        return Phase.LIFT if now - self._low_at > JAM_TIME else None

    def _lift_done(self, view: SceneView, tool: Array, now: float) -> Phase | None:
        high = self.judge.bottom(view.box) - self._scene.hole_depth
        return Phase.IN if high > 0.004 and now - self.since > 0.25 else None

    def _open_done(self, view: SceneView, tool: Array, now: float) -> Phase | None:
        return Phase.RETREAT if view.gripper > self._scene.openness else None

    def _retreat_done(self, view: SceneView, tool: Array, now: float) -> Phase | None:
        if not self.judge.seated(view.box, view.hole):
            return Phase.OVER
        return Phase.DONE if tool[2] - view.box[2] > self._scene.retreat + 0.02 else None

    def _done_broken(self, view: SceneView) -> Phase | None:
        return None if self.judge.seated(view.box, view.hole) else Phase.OVER

    def place(self, view: SceneView, tool: Array) -> tuple[Array, Array]:
        position, yaw = self._place(view, tool)
        return position, np.array([0.0, 0.0, yaw])

    def _place(self, view: SceneView, tool: Array) -> tuple[Array, float]:
        if self.phase == Phase.OVER:
            return self._over(view, tool)
        grasp_yaw = tool[5] + quarter_turn(yaw_of(view.box) - tool[5])
        if self.phase in (Phase.DOWN, Phase.CLOSE):
            return np.array([*view.box[:2], view.box[2] + GRIP]), grasp_yaw
        if self.phase == Phase.RAISE:
            lift = CARRY - self.judge.bottom(view.box) + self._scene.hole_depth
            return np.array([tool[0], tool[1], tool[2] + max(lift, 0.0) + 0.004]), tool[5]
        if self.phase in (Phase.CARRY, Phase.IN, Phase.LIFT):
            return self._toward_hole(view, tool)
        if self.phase == Phase.OPEN:
            return tool[:3], tool[5]
        top = view.box[2] + self._scene.retreat + 0.045
        return np.array([tool[0], tool[1], max(tool[2], top)]), tool[5]

    def _over(self, view: SceneView, tool: Array) -> tuple[Array, float]:
        away = float(np.abs(tool[:2] - view.box[:2]).max())
        safe = view.box[2] + SAFE
        yaw = tool[5] + quarter_turn(yaw_of(view.box) - tool[5])
        yaw = (yaw + np.pi) % (2 * np.pi) - np.pi
        if away > 0.02 and tool[2] < safe - 0.015:
            return np.array([tool[0], tool[1], safe + 0.01]), tool[5]
        return np.array([*view.box[:2], safe]), yaw

    def _toward_hole(self, view: SceneView, tool: Array) -> tuple[Array, float]:
        """Aim so that the box, not the tool, comes to the hole: the offset in the hand is made up
        for.
        """
        jitter = np.zeros(3) if self.phase == Phase.CARRY else self._jitter
        above = self.judge.bottom(view.box) - self._scene.hole_depth
        height = {
            Phase.CARRY: CARRY - above,
            Phase.LIFT: 0.010 - above,
            Phase.IN: -self.judge.bottom(view.box) - 0.004,
        }[Phase(self.phase)]
        position = tool[:3] + np.array([*(view.hole[:2] - view.box[:2] + jitter[:2]), height])
        turn = quarter_turn(yaw_of(view.hole) - yaw_of(view.box)) + jitter[2]
        return position, float(tool[5] + turn)
