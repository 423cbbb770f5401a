# SPDX-License-Identifier: Apache-2.0
"""A scripted person for gym-hil's PickCube: shows the task, watches a policy, helps and labels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiors_bench.gym_cube import DT, CubeView

Array = NDArray[np.float64]

_ABOVE = 0.08
"""Height of the tool above the cube before it goes down [m]."""
_LONGEST = 0.03
"""Step of the hand [m]."""
_TREMBLE = 0.0015
"""Of the hand [m]."""
_GRIP_STEPS = 3
"""Steps that the fingers take to close."""
_STUCK = 1.0
"""Time without progress after which the person helps [s]."""
_PROGRESS = 0.01
"""What counts as progress [m]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CubePersonSettings:
    """What kind of person this is.

    Attributes:
        attention: share of the episodes that are watched. pause: probability of a rest at a
            change of phase. wrong_label: probability of the opposite label. glitch: share of the
            episodes that a slip of the label button ends as a success.
        hand_back: probability of handing back with the cube in the fingers.
    """

    attention: float = 0.8
    pause: float = 0.0
    wrong_label: float = 0.0
    glitch: float = 0.0
    hand_back: float = 0.5


class CubePerson:
    """One person, episode after episode: ``start``, then ``step`` before every step."""

    def __init__(self, settings: CubePersonSettings, seed: int) -> None:
        self.settings = settings
        self._seed = seed
        self.start(0)

    def start(self, seed: int, *, demonstrate: bool = False) -> None:
        """Begin an episode; with ``demonstrate`` the person drives it all."""
        s = self.settings
        self._rng = np.random.default_rng([20, self._seed, seed])
        self._watches = demonstrate or bool(self._rng.random() < s.attention)
        wrong, slip, when = self._rng.random(3)
        self._wrong = bool(wrong < s.wrong_label) and not demonstrate
        self._slip = int((0.4 + 0.7 * when) / DT) if slip < s.glitch else -1
        self._driving = self._demonstrates = demonstrate
        self._phase, self._since, self._rest = "", 0, 0
        self._best, self._waited = np.inf, 0
        self._steps = 0

    def slips(self) -> bool:
        """Tell whether the label button is hit by mistake now."""
        return self._steps == self._slip

    def label(self, success: bool) -> float:
        """Return R(τ) as the person sees it."""
        return float(success != self._wrong)

    def step(self, view: CubeView) -> tuple[Array, float] | None:
        """Return where the hand goes (3,) [m] and the gripper's opening; None: it is the policy's
        turn.
        """
        self._steps += 1
        phase = self._phase_of(view)
        changed = phase != self._phase
        if changed:
            self._phase, self._since = phase, 0
        self._since += 1
        self._watch(view, phase, changed=changed)
        if not self._driving:
            return None
        if changed and self._rng.random() < self.settings.pause:
            self._rest = int(self._rng.uniform(3, 12))
        if self._rest > 0 and phase in ("over", "lift"):
            self._rest -= 1
            return view.target, view.opening
        return self._move(view, phase)

    def _watch(self, view: CubeView, phase: str, *, changed: bool) -> None:
        """Take over when nothing moves on; hand back with the cube in the fingers."""
        if self._driving:
            back = phase == "lift" and changed and not self._demonstrates
            if back and self._rng.random() < self.settings.hand_back:
                self._driving, self._best, self._waited = False, np.inf, 0
            return
        left = _left(view, phase)
        if changed or left < self._best - _PROGRESS:
            self._best, self._waited = left, 0
        self._waited += 1
        if self._watches and self._waited * DT > _STUCK:
            self._driving, self._phase = True, phase

    def _phase_of(self, view: CubeView) -> str:
        away = view.cube - view.tool
        if view.opening < 0.5:
            if self._phase in ("down", "close") and self._since < _GRIP_STEPS:
                return "close"
            return "lift" if np.linalg.norm(away) < 0.03 else "over"
        level = float(np.abs(away[:2]).max())
        if level > (0.02 if self._phase == "down" else 0.008):
            return "over"
        if abs(away[2]) < 0.008 and level < 0.012:
            return "close"
        return "down"

    def _move(self, view: CubeView, phase: str) -> tuple[Array, float]:
        goals = {
            "over": view.cube + np.array([0.0, 0.0, _ABOVE]),
            "down": view.cube,
            "close": view.tool,
            "lift": view.tool + np.array([0.0, 0.0, _LONGEST]),
        }
        step = goals[phase] - view.tool
        if phase == "over" and view.tool[2] - view.cube[2] < 0.05:
            step[:2] = 0.0
        if (length := float(np.linalg.norm(step))) > _LONGEST:
            step *= _LONGEST / length
        trembling = self._rng.normal(0.0, _TREMBLE, 3) if phase != "close" else np.zeros(3)
        return view.tool + step + trembling, float(phase in ("over", "down"))


def _left(view: CubeView, phase: str) -> float:
    """Return how far it is to the end of the phase [m]."""
    if phase == "lift":
        return 0.15 - float(view.cube[2])
    return float(np.linalg.norm(view.cube - view.tool))
