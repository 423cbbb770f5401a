# SPDX-License-Identifier: Apache-2.0
"""The scripted operator: stands in for the person who watches, intervenes, hands back and labels.

Decides from SceneViews alone, so the same class serves the simulator in process and a ROS node.
Skill, attention and slips
are parameters.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiors_core.authority import Authority, Request
from hiors_core.clock import to_s
from hiors_core.errors import InvalidValue
from hiors_core.geometry import quat_conjugate, quat_multiply, quat_to_rotvec
from hiors_core.kinematics import ArmKinematics
from hiors_core.label import Outcome
from hiors_core.robot import Arm
from hiors_core.teleop import Teleop
from hiors_sim.expert import Finished
from hiors_sim.hand import Goal, Hand
from hiors_sim.scene_view import SceneView
from hiors_sim.sim_task import SimTask

Array = NDArray[np.float64]

_ASK_AGAIN = 0.5
_LONGEST_STEP = 0.1
_HELD = 0.5
"""How long the robot may hold after an intervention before the person takes it again [s]."""
_IDLE = 1.0
"""The same before any intervention: there is no policy yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorSettings:
    """What kind of person this is.

    Attributes:
        skill: 0 .. 1; steadier and quicker when higher.
        attention: probability that an episode is watched at all; an unwatched one gets no
            intervention.
        reaction_time: (shortest, longest) from trouble to taking over [s].
        hand_back: probability of handing back after each subgoal. keep_on: of finishing the task
            instead.
        start_pause: (shortest, longest) before a demonstration begins [s].
        pause: probability of a pause at a change of phase.
        success_delay: from success to the label [s].
        wrong_label: probability of the opposite label.
        glitch: probability of an episode ended by a slip: labelled a success after
            ``glitch_after`` [s].
        name: who labels and drives.
    """

    skill: float = 0.9
    attention: float = 0.8
    reaction_time: tuple[float, float] = (0.1, 0.3)
    hand_back: float = 0.5
    keep_on: float = 0.4
    start_pause: tuple[float, float] = (0.6, 2.2)
    pause: float = 0.0
    success_delay: float = 0.3
    wrong_label: float = 0.0
    glitch: float = 0.0
    glitch_after: tuple[float, float] = (0.4, 1.1)
    name: str = "scripted"

    def __post_init__(self) -> None:
        shares = ("skill", "attention", "hand_back", "keep_on", "pause", "wrong_label", "glitch")
        for name in shares:
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise InvalidValue(f"{name} must be within 0 .. 1, got {getattr(self, name)}")
        for name in ("reaction_time", "start_pause", "glitch_after"):
            low, high = getattr(self, name)
            if not 0.0 <= low <= high:
                raise InvalidValue(f"{name} must be 0 <= shortest <= longest, got {low}, {high}")
        if self.success_delay < 0.0:
            raise InvalidValue(f"success_delay must be at least 0 s, got {self.success_delay}")


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorAction:
    """What the operator does at one moment; each part may be missing.

    Attributes:
        request: of authority, to be given to the arbiter before the motion. reason: why.
        teleop: motion of the hand. label: judgement that ends the episode.
    """

    request: Request | None = None
    reason: str = ""
    teleop: Teleop | None = None
    label: Outcome | None = None


class ScriptedOperator:
    """One person with one device, episode after episode.

    Call ``start`` and then ``step`` at the control rate.
    """

    def __init__(
        self, task: SimTask, arm: Arm, settings: OperatorSettings | None = None, seed: int = 0
    ) -> None:
        """Take the task and the arm that does it."""
        self.settings = settings or OperatorSettings()
        self._task, self._arm = task, arm
        self._referee = task.judge()
        self._delay = max(self.settings.success_delay, self._referee.patience)
        self._seed = seed
        self._home_back = quat_conjugate(ArmKinematics(arm).forward(arm.home)[3:])
        self._clutch = 0
        self.start(0, 0)

    def start(self, stamp: int, episode_seed: int, *, demonstrate: bool = False) -> None:
        """Begin an episode at ``stamp`` [ns]; with ``demonstrate`` the operator drives it all."""
        s = self.settings
        self._rng = np.random.default_rng([self._seed, episode_seed])
        self._begin, self._last = to_s(stamp), to_s(stamp)
        self.demonstrate = demonstrate
        self.interventions = 0
        self.reasons: list[str] = []
        """Why the operator took over, one entry each time."""
        self._attentive = demonstrate or bool(self._rng.random() < s.attention)
        wrong, glitch, when = self._rng.random(3)
        self._wrong = bool(wrong < s.wrong_label)
        low, high = s.glitch_after
        self._glitch_at = low + (high - low) * when if glitch < s.glitch else None
        self._pace = (0.75 + 0.25 * s.skill) * self._rng.uniform(0.8, 1.2)
        tremble = 0.0004 + 0.004 * (1.0 - s.skill)
        self.expert = self._task.expert(self._rng)
        self._hand = Hand(self._rng, tremble)
        self._watcher = self._task.watcher()
        self._driving = self._keep_on = self._anchored = False
        self._take_over_at: float | None = None
        self._held_since: float | None = None
        self._asked_at = self._pause_until = -np.inf
        self._done_since: float | None = None
        self._opening: float | None = None
        self._reason = ""
        self._labelled = False
        if demonstrate:
            self._decide("demonstration", self._begin, 0.0)
            self._keep_on = True

    def step(self, view: SceneView) -> OperatorAction:
        """Return what the operator does, having seen ``view``."""
        now = to_s(view.stamp)
        dt, self._last = min(max(now - self._last, 0.0), _LONGEST_STEP), now
        if (label := self._judge(view, now)) is not None:
            return OperatorAction(label=label, teleop=self._release(view))
        if self._labelled:
            return OperatorAction()
        if view.authority is Authority.STOPPED:
            self._driving = self._anchored = False
            return OperatorAction()
        if not self._driving:
            return self._watch(view, now)
        return self._drive(view, now, dt)

    def _judge(self, view: SceneView, now: float) -> Outcome | None:
        if self._labelled:
            return None
        elapsed = now - self._begin
        done = self._referee.done(view)
        if not done:
            self._done_since = None
        elif self._done_since is None:
            self._done_since = now
        outcome = None
        if self._glitch_at is not None and elapsed >= self._glitch_at:
            outcome = Outcome.SUCCESS
        elif done and now - (self._done_since or now) >= self._delay:
            outcome = self._said(Outcome.SUCCESS)
        elif elapsed >= self._task.task.time_limit or self._referee.lost(view):
            outcome = self._said(Outcome.FAILURE)
        self._labelled = outcome is not None
        return outcome

    def _said(self, truth: Outcome) -> Outcome:
        if not self._wrong:
            return truth
        return Outcome.FAILURE if truth is Outcome.SUCCESS else Outcome.SUCCESS

    def _watch(self, view: SceneView, now: float) -> OperatorAction:
        if self._attentive and self._left_alone(view, now):
            self._decide("the robot holds", now, view.gripper)
            return self._ask(view, now)
        if not self._attentive or view.authority is not Authority.POLICY:
            self._watcher.forget()
            self._take_over_at = None
            return OperatorAction()
        trouble = self._watcher.look(view)
        if trouble and self._take_over_at is None:
            self._take_over_at = now + self._rng.uniform(*self.settings.reaction_time)
            self._reason = trouble
        if self._take_over_at is None or now < self._take_over_at:
            return OperatorAction()
        self._decide(self._reason, now, view.gripper)
        return self._ask(view, now)

    def _left_alone(self, view: SceneView, now: float) -> bool:
        """Tell whether nobody moves the robot: a stream faltered, or there is no policy yet."""
        if view.authority is not Authority.HOLD:
            self._held_since = None
            return False
        if self._held_since is None:
            self._held_since = now
        return now - self._held_since >= (_HELD if self.interventions else _IDLE)

    def _decide(self, reason: str, now: float, gripper: float) -> None:
        """Close the clutch and want the robot."""
        self._driving, self._anchored = True, False
        self._take_over_at = None
        self._clutch += 1
        self._reason = reason
        self._keep_on = bool(self._rng.random() < self.settings.keep_on)
        self.interventions += 1
        self.reasons.append(reason)
        self._watcher.forget()

    def _ask(self, view: SceneView, now: float) -> OperatorAction:
        still = self._teleop(view, engaged=True)
        if now - self._asked_at < _ASK_AGAIN:
            return OperatorAction(teleop=still)
        self._asked_at = now
        return OperatorAction(request=Request.TAKE_OVER, reason=self._reason, teleop=still)

    def _drive(self, view: SceneView, now: float, dt: float) -> OperatorAction:
        tool = self._tool(view)
        if view.authority is not Authority.HUMAN:
            if self._anchored:
                self._driving = self._anchored = False
                return OperatorAction(teleop=self._release(view))
            return self._ask(view, now)
        if not self._anchored:
            self._anchored = True
            self._hand.anchor(tool)
            self.expert.begin(view, tool, now)
            self._opening = 0.0 if self.expert.holding(view) else None
            if self.demonstrate:
                self._pause_until = now + self._rng.uniform(*self.settings.start_pause)
        if now < self._pause_until:
            return OperatorAction(teleop=self._teleop(view, engaged=True))
        goal = self.expert.goal(view, tool, now)
        if self._done_with(self.expert.take_finished(), now):
            self._driving = self._anchored = False
            return OperatorAction(
                request=Request.POLICY, reason="subgoal reached", teleop=self._release(view)
            )
        self._opening = goal.opening
        paced = Goal(
            position=goal.position,
            turn=goal.turn,
            opening=goal.opening,
            speed=goal.speed * self._pace,
        )
        self._hand.move(paced, tool, dt)
        return OperatorAction(teleop=self._teleop(view, engaged=True))

    def _done_with(self, finished: Finished | None, now: float) -> bool:
        """Tell whether to hand back now that a phase is finished; it may also begin a pause."""
        if finished is None:
            return False
        may = finished.subgoal and not self._keep_on and not self.demonstrate
        if may and self._rng.random() < self.settings.hand_back:
            return True
        if finished.calm and self._rng.random() < self.settings.pause:
            self._pause_until = now + self._rng.uniform(0.3, 1.2)
        return False

    def _tool(self, view: SceneView) -> Array:
        """Return the tool as position [m] and rotation vector against the home orientation [rad],
        (6,).
        """
        turn = quat_to_rotvec(quat_multiply(view.tool[3:], self._home_back))
        return np.concatenate((view.tool[:3], turn))

    def _release(self, view: SceneView) -> Teleop:
        self._opening = None
        return self._teleop(view, engaged=False)

    def _teleop(self, view: SceneView, *, engaged: bool) -> Teleop:
        pose = self._hand.relative() if self._anchored else np.array([0.0] * 6 + [1.0])
        return Teleop(
            stamp=view.stamp,
            device="scripted",
            operator=self.settings.name,
            arm=self._arm.name,
            mode="relative_ee",
            engaged=engaged,
            clutch=self._clutch,
            pose=pose,
            names=(),
            position=np.empty(0),
            gripper=self._opening,
        )
