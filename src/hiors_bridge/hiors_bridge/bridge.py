# SPDX-License-Identifier: Apache-2.0
"""From the store to the learner: decide on labelled episodes, hand on the accepted ones.

Everything is derived from files, so a restart loses nothing and sends nothing twice. Knows no ROS.
"""

import math
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from hiors_core.acceptance import AcceptanceRules, Decision, accept
from hiors_core.clock import to_ns
from hiors_core.episode import load_episode
from hiors_core.errors import HiorsError, IntegrityError, StateError
from hiors_core.filters import NO_OP_THRESHOLD
from hiors_core.index import EpisodeRow
from hiors_core.label import Label, Outcome
from hiors_core.link import Link, Notice
from hiors_core.manifest import Manifest
from hiors_core.robot import RobotModel
from hiors_core.similar import Start
from hiors_core.store import EpisodeStore
from hiors_core.summary import start_of, summarize


class Change(Enum):
    """What happened to an episode."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    DISCARDED = "discarded"
    QUARANTINED = "quarantined"
    LEARNED = "learned"


_NOTHING = Label()
_AGAIN = to_ns(0.5)
"""After which an episode is looked at again even if nothing seems to have changed [ns]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One change, with what is known of the episode."""

    change: Change
    episode_id: str
    manifest: Manifest | None = None
    label: Label = _NOTHING
    decision: Decision | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Look:
    """State of a folder when it was looked at, and when that is due again [ns]."""

    mark: int | None
    due: int


_NEVER = _Look(None, -1)


class Bridge:
    """Scans the store and the ledger; each call of ``step`` does what has become due.

    Args:
        label_grace: time after the last label in which it may still be changed [s].
        no_op_threshold: of the no-op filter [m].
    """

    def __init__(
        self,
        store: EpisodeStore,
        link: Link,
        rules: AcceptanceRules,
        robot: RobotModel,
        *,
        label_grace: float = 1.0,
        no_op_threshold: float = NO_OP_THRESHOLD,
    ) -> None:
        self._store = store
        self._link = link
        self._rules = rules
        self._robot = robot
        self._grace = to_ns(label_grace)
        self._no_op_threshold = no_op_threshold
        self._settled: set[str] = set()
        self._looks: dict[str, _Look] = {}
        self._scanned = _NEVER
        self._starts: dict[str, Start] = {}
        self._learned = {entry.episode_id for entry in link.ledger()}
        self.troubled: dict[str, str] = {}

    def step(self, now: int) -> list[Event]:
        """Decide what is due at ``now`` [ns], send what is accepted, and return what changed."""
        events = self._learnt()
        self._scan(now)
        for episode_id, look in list(self._looks.items()):
            mark = _mark(self._store.episodes / episode_id)
            if mark is None or (mark == look.mark and now < look.due):
                continue
            # What follows may change the folder again: then it is looked at again.
            self._looks[episode_id] = _Look(mark, now + _AGAIN)
            try:
                event = self._look(episode_id, now)
            except (HiorsError, OSError) as error:
                self.troubled[episode_id] = str(error)
                continue
            self.troubled.pop(episode_id, None)
            if event is not None:
                events.append(event)
        return events

    def _scan(self, now: int) -> None:
        """Find new episodes. A folder's mark is as coarse as the kernel's clock, so it is read now
        and then in any case.
        """
        mark = _mark(self._store.episodes)
        if mark == self._scanned.mark and now < self._scanned.due:
            return
        self._scanned = _Look(mark, now + _AGAIN)
        there = set(self._store.ids()) - self._settled
        self._looks = {name: self._looks.get(name, _NEVER) for name in sorted(there)}

    def _look(self, episode_id: str, now: int) -> Event | None:
        decision = self._store.decision(episode_id)
        if decision is not None:
            self._settle(episode_id, decision)
            return None
        label = self._store.label(episode_id)
        if label.outcome == Outcome.NONE:
            return None
        due = label.stamp + self._grace
        if now < due:
            look = self._looks[episode_id]
            self._looks[episode_id] = _Look(look.mark, min(look.due, due))
            return None
        return self._judge(episode_id, label, now)

    def _judge(self, episode_id: str, label: Label, now: int) -> Event | None:
        try:
            manifest = self._store.verify(episode_id)
            summary = summarize(
                self._store.path(episode_id), label, self._robot, self._no_op_threshold
            )
        except IntegrityError as error:
            self._store.quarantine(episode_id, str(error))
            return Event(
                change=Change.QUARANTINED,
                episode_id=episode_id,
                label=label,
                reasons=(str(error),),
            )
        rows = [r for r in self._store.rows(manifest.task) if r.accepted is not None]
        returns = [r.episode_return for r in rows]
        k = sum(r.accepted is True for r in rows)
        rule = self._rules.rule(manifest.task)
        self._starts[episode_id] = summary.start
        similar: tuple[float, ...] = ()
        if rule.schedule == "lower_bound":
            similar = rule.similar(
                summary.start, [(self._start(r), r.episode_return) for r in rows]
            )
        verdict = accept(summary, rule, k, returns, similar)
        try:
            decision = self._store.decide(episode_id, replace(verdict, stamp=now))
        except StateError:
            # The label changed in between: the next step judges the new one.
            return None
        self._settle(episode_id, decision)
        return Event(
            change=_change(decision),
            episode_id=episode_id,
            manifest=manifest,
            label=label,
            decision=decision,
        )

    def _start(self, row: EpisodeRow) -> Start:
        """Return where a decided episode began; what is gone or damaged by now was nowhere."""
        if row.episode_id not in self._starts:
            try:
                episode = load_episode(self._store.path(row.episode_id))
                self._starts[row.episode_id] = start_of(episode)
            except (HiorsError, OSError):
                self._starts[row.episode_id] = (math.inf,)
        return self._starts[row.episode_id]

    def _settle(self, episode_id: str, decision: Decision) -> None:
        if decision.accepted and episode_id not in self._learned:
            self._link.send(
                Notice(
                    episode_id=episode_id,
                    path=str(self._store.path(episode_id).absolute()),
                    sha256=self._store.manifest_sha256(episode_id),
                    task=self._store.manifest(episode_id).task,
                )
            )
        self._settled.add(episode_id)
        self._looks.pop(episode_id, None)

    def _learnt(self) -> list[Event]:
        events = []
        for entry in self._link.new_entries():
            new = entry.episode_id not in self._learned
            self._learned.add(entry.episode_id)
            if new and entry.kind == "online":
                events.append(self._learned_event(entry.episode_id))
        return events

    def _learned_event(self, episode_id: str) -> Event:
        try:
            return Event(
                change=Change.LEARNED,
                episode_id=episode_id,
                manifest=self._store.manifest(episode_id),
                label=self._store.label(episode_id),
                decision=self._store.decision(episode_id),
            )
        except HiorsError:
            return Event(change=Change.LEARNED, episode_id=episode_id)


def _mark(folder: Path) -> int | None:
    try:
        return folder.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def _change(decision: Decision) -> Change:
    if decision.accepted:
        return Change.ACCEPTED
    return Change.DISCARDED if decision.discarded else Change.REJECTED
