# SPDX-License-Identifier: Apache-2.0
"""Who drives the robot, tick by tick: the policy's chunks, a person's device, or nobody.

Owns the authority, the epoch and the command in force. Knows no ROS, no threads and no clock of
its own: every entry point is given the time. The legal changes of authority are in
``hiors_core.transitions``, the one way from a wish to a command is ``hiors_core.limiter``.
"""

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiors_core.action_space import EE_COLUMNS, ActionMapper, action_space
from hiors_core.arbiter_settings import ArbiterSettings
from hiors_core.authority import Authority, Request
from hiors_core.chunk import Chunk, ChunkBuffer, Sample
from hiors_core.clock import to_ns, to_s
from hiors_core.command import Command, Counters, RequestResult
from hiors_core.errors import InvalidValue, StateError
from hiors_core.homing import HomePath
from hiors_core.motion import Mask, Motion
from hiors_core.robot import RobotModel
from hiors_core.standstill import Standstill
from hiors_core.teleop import ArmTeleop, Phase, Teleop
from hiors_core.transitions import EVENT_OF_REQUEST, TRANSITIONS, Event, legal_requests

Array = NDArray[np.float64]

__all__ = ["Arbiter", "ArbiterSettings", "Command", "Counters", "RequestResult"]

_CLOCK_SLACK = 0.05
_MOVING = frozenset({Authority.POLICY, Authority.HANDOVER, Authority.HUMAN})
_NEEDS_FEEDBACK = frozenset({Request.POLICY, Request.TAKE_OVER, Request.RESUME, Request.HOME})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """Where somebody wants the robot (N,), and which columns (N,) nobody moves."""

    position: Array
    held: Mask
    notes: tuple[str, ...] = ()
    sample: Sample | None = None


class Arbiter:
    """The control state machine. Not thread-safe: one thread at a time, or a lock around it."""

    def __init__(self, robot: RobotModel, settings: ArbiterSettings | None = None) -> None:
        self.robot = robot
        self.settings = settings or ArbiterSettings()
        self.dt = 1.0 / robot.control_rate_hz
        n = len(robot.names)
        self._mapper = ActionMapper(robot)
        self._motion = Motion(robot, self.dt, memory=self.settings.chunk.max_age + 0.5)
        self._standstill = Standstill(self._motion.joints)
        spaces = tuple(action_space(robot, kind) for kind in self.settings.action_spaces)
        self._buffer = ChunkBuffer(spaces, self.settings.chunk)
        self._columns = tuple(robot.columns(arm) for arm in robot.arms)
        self._teleops = {
            arm.name: ArmTeleop(arm, kinematics, self.settings.teleop)
            for arm, kinematics in zip(robot.arms, self._mapper.arms, strict=True)
        }
        self._authority, self._epoch, self._reason = Authority.HOLD, 1, "started"
        self._operator, self._since = "", 0
        self._measured, self._feedback_stamp = np.zeros(n), 0
        self._has_feedback = False
        self._starving: int | None = None
        self._resume_until: int | None = None
        self._home: HomePath | None = None
        self._problems: tuple[str, ...] = ("feedback: none yet",)
        self._ticks = 0
        self._counts: Counter[str] = Counter()
        self._everything: Mask = np.ones(n, dtype=np.bool_)
        self._nothing: Mask = np.zeros(n, dtype=np.bool_)

    @property
    def authority(self) -> Authority:
        """Who drives."""
        return self._authority

    @property
    def epoch(self) -> int:
        """Grows at every change of authority but one: fresh chunks that end a starvation.

        Those were computed in the epoch of the HOLD that the starvation led to, and nothing else
        has driven since: to void them would starve a slow policy for ever.
        """
        return self._epoch

    @property
    def reason(self) -> str:
        """Why the authority is what it is."""
        return self._reason

    @property
    def operator(self) -> str:
        """The person who made the last request."""
        return self._operator

    @property
    def has_feedback(self) -> bool:
        """Whether the robot's position is known; ``tick`` needs it."""
        return self._has_feedback

    @property
    def wants_chunks(self) -> bool:
        """Whether a chunk of this epoch would be taken: in POLICY, or in HOLD when starved."""
        return self._authority is Authority.POLICY or self._resume_until is not None

    @property
    def policy_version(self) -> str:
        """Version of the newest chunk in force; empty without one."""
        newest = self._buffer.newest
        return newest.policy_version if newest is not None else ""

    @property
    def command(self) -> Array:
        """(N,) the command in force, read-only."""
        return self._motion.command

    @property
    def at_rest(self) -> bool:
        """Whether the last command was the one before."""
        return self._motion.at_rest

    @property
    def problems(self) -> tuple[str, ...]:
        """What is not fresh or not well as of the last tick, one sentence each."""
        return self._problems

    @property
    def counters(self) -> Counters:
        """Counts since the arbiter was made."""
        return Counters(ticks=self._ticks, late_rows=self._buffer.late_rows, **self._counts)

    def on_feedback(self, position: Array, stamp: int) -> str | None:
        """Take in the measured position (N,) of ``stamp`` [ns], or return why it is refused."""
        if position.shape != self._measured.shape:
            return self._refuse("refused_feedback", f"position: shape {position.shape}")
        if not math.isfinite(position.sum()):
            return self._refuse("refused_feedback", "position: must be finite")
        if 0 < self._feedback_stamp - stamp < to_ns(1.0):
            return self._refuse("refused_feedback", "stamp: before the last one")
        self._measured, self._feedback_stamp = position, stamp
        self._standstill.see(position, stamp)
        if not self._has_feedback:
            self._has_feedback = True
            self._motion.settle(position, stamp, grippers=True)
        return None

    def on_chunk(self, chunk: Chunk, now: int) -> str | None:
        """Take in a chunk, or return why it is refused, beginning with the field's name."""
        reason = self._judge(chunk, now)
        if reason is not None:
            return self._refuse("rejected_chunks", reason)
        before, current = self._motion.at(chunk.obs_stamp), self._motion.command
        if chunk.kind == "ee":
            before, current = self._mapper.joint_to_ee(before), self._mapper.joint_to_ee(current)
        self._buffer.add(chunk, now, before, current)
        self._counts["accepted_chunks"] += 1
        if self._authority is Authority.HOLD:
            self._change(Event.FRESH, "fresh chunks again", now)
        return None

    def on_teleop(self, teleop: Teleop, now: int) -> str | None:
        """Take in a device's message, or return why it is refused, the field's name first."""
        target = self._teleops.get(teleop.arm)
        if target is None:
            known = ", ".join(self._teleops)
            return self._refuse("rejected_teleops", f"arm: '{teleop.arm}' is not one of {known}")
        reason = target.accept(teleop, now)
        return None if reason is None else self._refuse("rejected_teleops", reason)

    def request(self, request: Request, operator: str, reason: str, now: int) -> RequestResult:
        """Grant or refuse a person's request; STOP is always granted."""
        event = EVENT_OF_REQUEST[request]
        after = TRANSITIONS.get((self._authority, event))
        if after is None:
            legal = ", ".join(r.name for r in legal_requests(self._authority))
            return RequestResult(
                ok=False,
                message=f"{request.name} is not legal in {self._authority.name}; legal: {legal}",
            )
        if request in _NEEDS_FEEDBACK and (problem := self._feedback_problem(now)):
            return RequestResult(ok=False, message=f"{request.name} refused: {problem}")
        self._operator = operator
        self._resume_until = None
        if after is self._authority and request is not Request.HOME:
            return RequestResult(ok=True, message=f"already {after.name}")
        if request is Request.TAKE_OVER and not self._person_drives:
            self._counts["interventions"] += 1
        if request is Request.RESUME or self._standstill.ignores(self._motion.command, now):
            self._motion.settle(self._measured, now)
        self._change(event, reason or event.value, now)
        if request is Request.HOME:
            self._home = HomePath(self._mapper, self.settings.home, self._motion.command)
        return RequestResult(ok=True, message=f"{after.name}: {self._reason}")

    def tick(self, now: int) -> Command:
        """Decide the command of this tick. Call it at the robot's control rate."""
        if not self._has_feedback:
            raise StateError("tick needs the robot's position: call on_feedback first")
        self._watch(now)
        wish = self._wish(now)
        limited: tuple[str, ...] = ()
        if wish is not None:
            try:
                limited = (*wish.notes, *self._motion.move(wish.position, wish.held))
            except InvalidValue as error:
                self._change(Event.LOST, f"command: {error}", now)
                wish = None
        if wish is None:
            self._motion.brake()
        self._counts["limited_ticks"] += bool(limited)
        self._motion.record(now)
        sample = wish.sample if wish is not None else None
        command = Command(
            stamp=now,
            tick=self._ticks,
            epoch=self._epoch,
            authority=self._authority,
            position=self._motion.command,
            policy_version=sample.chunk.policy_version if sample else "",
            chunk_sequence=sample.chunk.sequence if sample else 0,
            chunk_time=sample.row if sample else -1.0,
            limited=limited,
        )
        self._ticks += 1
        return command

    @property
    def _person_drives(self) -> bool:
        if self._authority is Authority.HANDOVER:
            return self._home is None
        return self._authority is Authority.HUMAN

    def _wish(self, now: int) -> _Wish | None:
        if self._authority is Authority.POLICY:
            return self._policy_wish(now)
        if self._authority is Authority.HANDOVER and self._home is not None:
            return self._home_wish(self._home, now)
        if self._person_drives:
            return self._human_wish(now)
        return None

    def _policy_wish(self, now: int) -> _Wish | None:
        sample = self._buffer.sample(now)
        if sample is None:
            if self._starving is None and self._buffer.newest is not None:
                self._starving = now
                self._counts["starvations"] += 1
            return None
        self._starving = None
        if sample.chunk.kind == "joint":
            return _Wish(position=sample.action, held=self._nothing, sample=sample)
        action, notes = self._into_workspace(sample.action)
        solution = self._mapper.solve(action, self._motion.command)
        return _Wish(
            position=solution.position,
            held=self._nothing,
            notes=(*notes, *solution.notes),
            sample=sample,
        )

    def _into_workspace(self, action: Array) -> tuple[Array, list[str]]:
        inside, notes = action.copy(), []
        for i, arm in enumerate(self.robot.arms):
            point = inside[EE_COLUMNS * i : EE_COLUMNS * i + 3]
            wished = point.copy()
            np.maximum(point, arm.limits.workspace_lower, out=point)
            np.minimum(point, arm.limits.workspace_upper, out=point)
            if (outside := float(np.abs(wished - point).max())) > 1e-6:
                notes.append(f"{arm.name}: pose {outside * 1e3:.0f} mm outside the workspace")
        return inside, notes

    def _home_wish(self, home: HomePath, now: int) -> _Wish | None:
        command = self._motion.command
        if home.done(command):
            self._change(Event.AT_HOME, "at home", now)
            return None
        return _Wish(position=home.target(command, self.dt), held=self._nothing)

    def _human_wish(self, now: int) -> _Wish | None:
        command = self._motion.command
        position, held = command.copy(), self._everything.copy()
        notes: list[str] = []
        for teleop, columns in zip(self._teleops.values(), self._columns, strict=True):
            target = teleop.target(now, command[columns], self._measured[columns], self.dt)
            if target is not None:
                position[columns], held[columns] = target.position, False
                notes += target.notes
        approaching = any(t.phase is Phase.APPROACHING for t in self._teleops.values())
        if approaching and self._authority is Authority.HUMAN:
            self._change(Event.APPROACH, "going to where the leader arm is", now, keep=True)
        elif not approaching and self._authority is Authority.HANDOVER:
            self._change(Event.CAUGHT_UP, "where the leader arm is", now, keep=True)
        if held.all():
            return None
        return _Wish(position=position, held=held, notes=tuple(notes))

    def _watch(self, now: int) -> None:
        stale = self._feedback_problem(now)
        strayed = "" if stale else self._follow_problem()
        problem = stale or strayed
        if problem and self._authority in _MOVING:
            # Sensors come back by themselves; a robot that does not obey needs a person.
            resume = bool(stale) and self._authority is Authority.POLICY
            self._change(Event.LOST, problem, now)
            if resume:
                self._resume_until = now + to_ns(self.settings.resume_window)
        if self._motion.at_rest and (strayed or (not stale and self._left_behind(now))):
            self._motion.settle(self._measured, now)
        self._watch_policy(now)
        self._watch_home(now)
        self._watch_person(now)
        self._problems = self._collect(problem)

    def _feedback_problem(self, now: int) -> str:
        if not self._has_feedback:
            return "feedback: none yet"
        age = to_s(now - self._feedback_stamp)
        if age > self.settings.feedback_timeout:
            return f"feedback: {age:.2f} s old, may be {self.settings.feedback_timeout} s at most"
        if age < -_CLOCK_SLACK:
            return f"feedback: stamp {-age:.2f} s in the future; are the clocks in step?"
        return ""

    def _follow_problem(self) -> str:
        away = np.abs(self._motion.command - self._measured) * self._motion.joints
        worst = int(away.argmax())
        if away[worst] <= self.settings.follow_tolerance:
            return ""
        return f"follow: {self.robot.names[worst]} is {away[worst]:.2f} rad from its command"

    def _left_behind(self, now: int) -> bool:
        held = self._authority is Authority.HOLD
        return held and self._standstill.elsewhere(self._motion.command, self._since, now)

    def _watch_policy(self, now: int) -> None:
        settings = self.settings
        if self._resume_until is not None and now > self._resume_until:
            self._resume_until = None
        if self._authority is not Authority.POLICY:
            return
        if self._starving is not None:
            late, grace = to_s(now - self._starving), settings.starvation_grace
        elif self._buffer.newest is None:
            late, grace = to_s(now - self._since), settings.first_chunk_timeout
        else:
            return
        if late >= grace:
            self._change(Event.STARVED, f"policy: no fresh chunk for {late:.2f} s", now)
            self._resume_until = now + to_ns(settings.resume_window)

    def _watch_home(self, now: int) -> None:
        if self._home is None or self._authority is not Authority.HANDOVER:
            return
        if to_s(now - self._since) > self.settings.home.timeout:
            self._change(Event.LOST, f"home not reached in {self.settings.home.timeout} s", now)

    def _watch_person(self, now: int) -> None:
        if not self._person_drives:
            return
        heard = max(self._since, *(t.last_arrival for t in self._teleops.values()))
        if to_s(now - heard) > self.settings.release_timeout:
            self._change(Event.LOST, f"no device heard for {to_s(now - heard):.1f} s", now)

    def _collect(self, problem: str) -> tuple[str, ...]:
        found = [problem] if problem else []
        if self._starving is not None or self._resume_until is not None:
            found.append("policy: no fresh chunk")
        if self._person_drives:
            found += [f"teleop: {t.problem}" for t in self._teleops.values() if t.problem]
        return tuple(found)

    def _judge(self, chunk: Chunk, now: int) -> str | None:
        if not self.wants_chunks:
            return f"authority: {self._authority.name} takes no chunks"
        if problem := self._feedback_problem(now):
            return problem
        return self._buffer.check(chunk, self._epoch, now)

    def _change(self, event: Event, reason: str, now: int, keep: bool = False) -> None:
        self._authority = TRANSITIONS[(self._authority, event)]
        self._reason, self._since = reason, now
        self._starving, self._resume_until = None, None
        if event is Event.FRESH:
            return
        self._epoch += 1
        self._standstill.forget()
        self._buffer.clear()
        if not keep:
            self._home = None
            self._motion.forget_aim()
            for teleop in self._teleops.values():
                teleop.release()

    def _refuse(self, counter: str, reason: str) -> str:
        self._counts[counter] += 1
        return reason
