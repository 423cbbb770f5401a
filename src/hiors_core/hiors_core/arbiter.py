# SPDX-License-Identifier: Apache-2.0
"""Who drives the robot, tick by tick: the policy's chunks, a person's device, or nobody.

Owns the authority, the epoch and the command in force. Knows no ROS, no threads and no clock of
its own: every entry point is given the time. The legal changes of authority are in
``hiors_core.transitions``; wishes come from ``chunk_player`` (the policy), ``robot_teleop`` (a
person) and ``homing``; the one way from a wish to a command is ``hiors_core.motion``.
"""

from collections import Counter

from hiors_core.action_space import ActionMapper
from hiors_core.arbiter_settings import ArbiterSettings
from hiors_core.authority import Authority, Request
from hiors_core.chunk import Chunk
from hiors_core.chunk_player import ChunkPlayer
from hiors_core.clock import to_s
from hiors_core.command import Command, Counters, RequestResult
from hiors_core.errors import InvalidValue, StateError
from hiors_core.feedback import Feedback
from hiors_core.homing import AT_HOME, HomePath
from hiors_core.motion import Array, Motion
from hiors_core.robot import RobotModel
from hiors_core.robot_teleop import RobotTeleop
from hiors_core.standstill import Standstill
from hiors_core.teleop import Teleop
from hiors_core.transitions import EVENT_OF_REQUEST, TRANSITIONS, Event, refusal
from hiors_core.wish import Wish

__all__ = ["Arbiter", "ArbiterSettings", "Command", "Counters", "RequestResult"]

_MOVING = frozenset({Authority.POLICY, Authority.HANDOVER, Authority.HUMAN})
_NEEDS_FEEDBACK = frozenset({Request.POLICY, Request.TAKE_OVER, Request.RESUME, Request.HOME})


class Arbiter:
    """The control state machine. Not thread-safe: one thread at a time, or a lock around it."""

    def __init__(self, robot: RobotModel, settings: ArbiterSettings | None = None) -> None:
        self.robot = robot
        self.settings = settings or ArbiterSettings()
        self.dt = 1.0 / robot.control_rate_hz
        self._mapper = ActionMapper(robot)
        self._motion = Motion(robot, self.dt, memory=self.settings.chunk.max_age + 0.5)
        self._standstill = Standstill(self._motion.joints)
        self._feedback = Feedback(robot, self.settings)
        self._chunks = ChunkPlayer(self._mapper, self.settings)
        self._teleop = RobotTeleop(self._mapper, self.settings.teleop)
        self._authority, self._epoch, self._reason = Authority.HOLD, 1, "started"
        self._operator, self._since = "", 0
        self._robot_problem = ""
        self._home: HomePath | None = None
        self._problems: tuple[str, ...] = ("feedback: none yet",)
        self._ticks = 0
        self._counts: Counter[str] = Counter()

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
        return self._feedback.known

    @property
    def wants_chunks(self) -> bool:
        """Whether a chunk of this epoch would be taken: in POLICY, or in HOLD when starved."""
        return self._authority is Authority.POLICY or self._chunks.may_resume

    @property
    def policy_version(self) -> str:
        """Version of the newest chunk in force; empty without one."""
        return self._chunks.version

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
        return Counters(
            ticks=self._ticks,
            late_rows=self._chunks.late_rows,
            starvations=self._chunks.starvations,
            **self._counts,
        )

    def on_feedback(self, position: Array, stamp: int) -> str | None:
        """Take in the measured position (N,) of ``stamp`` [ns], or return why it is refused."""
        first = not self._feedback.known
        if (reason := self._feedback.take(position, stamp)) is not None:
            return self._refuse("refused_feedback", reason)
        self._standstill.see(position, stamp)
        if first:
            self._motion.settle(position, stamp, grippers=True)
        return None

    def on_robot(self, problem: str) -> None:
        """Take in why the robot takes no commands, as its drivers say; "" when it does."""
        if problem and self._reason == self._robot_problem:
            # An alarm's text comes a moment after the alarm.
            self._reason = problem
        self._robot_problem = problem

    def on_chunk(self, chunk: Chunk, now: int) -> str | None:
        """Take in a chunk, or return why it is refused, beginning with the field's name."""
        reason = self._judge(chunk, now)
        if reason is not None:
            return self._refuse("rejected_chunks", reason)
        self._chunks.add(chunk, self._motion, now)
        self._counts["accepted_chunks"] += 1
        if self._authority is Authority.HOLD:
            self._change(Event.FRESH, "fresh chunks again", now)
        return None

    def on_teleop(self, teleop: Teleop, now: int) -> str | None:
        """Take in a device's message, or return why it is refused, the field's name first."""
        reason = self._teleop.accept(teleop, now)
        return None if reason is None else self._refuse("rejected_teleops", reason)

    def request(self, request: Request, operator: str, reason: str, now: int) -> RequestResult:
        """Grant or refuse a person's request; STOP is always granted."""
        event = EVENT_OF_REQUEST[request]
        after = TRANSITIONS.get((self._authority, event))
        if after is None:
            return RequestResult(ok=False, message=refusal(request, self._authority))
        if problem := self._obstacle(request, now):
            return RequestResult(ok=False, message=f"{request.name} refused: {problem}")
        self._operator = operator
        self._chunks.forbid_resume()
        if after is self._authority and request is not Request.HOME:
            return RequestResult(ok=True, message=f"already {after.name}")
        if request is Request.TAKE_OVER and not self._person_drives:
            self._counts["interventions"] += 1
        if request is Request.RESUME or self._standstill.ignores(self._motion.at, now):
            self._motion.settle(self._feedback.measured, now)
        self._change(event, reason or event.value, now)
        if request is Request.HOME:
            self._home = HomePath(self._mapper, self.settings.home, self._motion.command)
        return RequestResult(ok=True, message=f"{after.name}: {self._reason}")

    def tick(self, now: int) -> Command:
        """Decide the command of this tick. Call it at the robot's control rate."""
        if not self._feedback.known:
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
        follows = self._authority is Authority.HANDOVER and self._home is None
        return follows or self._authority is Authority.HUMAN

    def _wish(self, now: int) -> Wish | None:
        if self._authority is Authority.POLICY:
            return self._chunks.wish(now, self._motion.command)
        if self._authority is Authority.HANDOVER and self._home is not None:
            return self._home_wish(self._home, now)
        if self._person_drives:
            return self._human_wish(now)
        return None

    def _home_wish(self, home: HomePath, now: int) -> Wish | None:
        wish = home.wish(self._motion.command, self.dt)
        if wish is None:
            self._change(Event.AT_HOME, AT_HOME, now)
        return wish

    def _human_wish(self, now: int) -> Wish | None:
        wish = self._teleop.wish(now, self._motion.command, self._feedback.measured, self.dt)
        approaching = self._teleop.approaching
        if approaching and self._authority is Authority.HUMAN:
            self._change(Event.APPROACH, "going to where the leader arm is", now, keep=True)
        elif not approaching and self._authority is Authority.HANDOVER:
            self._change(Event.CAUGHT_UP, "where the leader arm is", now, keep=True)
        return wish

    def _watch(self, now: int) -> None:
        stale = self._feedback.stale(now)
        strayed = "" if stale else self._feedback.strayed(self._motion.command)
        problem = self._robot_problem or stale or strayed
        if self._robot_problem:
            self._chunks.forbid_resume()
        if problem and self._authority in _MOVING:
            # Sensors come back by themselves; a robot that does not obey needs a person.
            resume = problem == stale and self._authority is Authority.POLICY
            self._change(Event.LOST, problem, now)
            if resume:
                self._chunks.allow_resume(now)
        if self._motion.at_rest and (strayed or (not stale and self._left_behind(now))):
            self._motion.settle(self._feedback.measured, now)
        self._watch_policy(now)
        if late := self._lateness(now):
            self._change(Event.LOST, late, now)
        self._problems = self._collect(problem)

    def _obstacle(self, request: Request, now: int) -> str:
        if request not in _NEEDS_FEEDBACK:
            return ""
        # RESUME moves nothing, and a robot in alarm must come out of STOPPED too.
        robot = "" if request is Request.RESUME else self._robot_problem
        return robot or self._feedback.stale(now)

    def _left_behind(self, now: int) -> bool:
        held = self._authority is Authority.HOLD
        return held and self._standstill.elsewhere(self._motion.command, self._since, now)

    def _watch_policy(self, now: int) -> None:
        self._chunks.expire(now)
        if self._authority is not Authority.POLICY:
            return
        if problem := self._chunks.overdue(now, self._since):
            self._change(Event.STARVED, problem, now)
            self._chunks.allow_resume(now)

    def _lateness(self, now: int) -> str:
        if self._person_drives:
            silent = to_s(now - max(self._since, self._teleop.last_arrival))
            late = silent > self.settings.release_timeout
            return f"no device heard for {silent:.1f} s" if late else ""
        if self._authority is Authority.HANDOVER:
            late = to_s(now - self._since) > self.settings.home.timeout
            return f"home not reached in {self.settings.home.timeout} s" if late else ""
        return ""

    def _collect(self, problem: str) -> tuple[str, ...]:
        found = [problem] if problem else []
        if self._chunks.starved:
            found.append("policy: no fresh chunk")
        if self._person_drives:
            found += [f"teleop: {problem}" for problem in self._teleop.problems]
        return tuple(found)

    def _judge(self, chunk: Chunk, now: int) -> str | None:
        if not self.wants_chunks:
            return f"authority: {self._authority.name} takes no chunks"
        return self._feedback.stale(now) or self._chunks.check(chunk, self._epoch, now)

    def _change(self, event: Event, reason: str, now: int, keep: bool = False) -> None:
        self._authority = TRANSITIONS[(self._authority, event)]
        self._reason, self._since = reason, now
        self._chunks.end_starvation()
        if event is Event.FRESH:
            return
        self._epoch += 1
        self._standstill.forget()
        self._chunks.clear()
        if not keep:
            self._home = None
            self._motion.forget_aim()
            self._teleop.release()

    def _refuse(self, counter: str, reason: str) -> str:
        self._counts[counter] += 1
        return reason
