# SPDX-License-Identifier: Apache-2.0
"""The robot's end of uploads: which accepted episode goes next, and how far it is.

A notice leaves the inbox only when the learner says that the episode is on its disk. Knows no
socket.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from hiors_core.clock import to_ns
from hiors_core.errors import HiorsError
from hiors_core.folder import DECISION, LABEL, MANIFEST, METADATA, bag_file
from hiors_core.link import Link, Notice
from hiors_link.bundle import Bundle, bundle_of
from hiors_link.messages import Message, make
from hiors_link.pace import WINDOW, Pace

Send = Callable[..., bool]
"""Sends a header and perhaps data; False when nothing can be sent now."""
AGAIN_AFTER = to_ns(10.0)
"""Before an episode that was refused for now is offered again [ns]."""
_SCAN = to_ns(0.25)
"""Between two looks at an inbox that seems not to have changed [ns]."""


@dataclass(slots=True, kw_only=True)
class _Current:
    notice: Notice
    bundle: Bundle
    offered: bool = False
    accepted: bool = False
    sent: int = 0
    acknowledged: int = 0
    under_way: deque[int] = field(default_factory=deque)


@dataclass(slots=True)
class Uploads:
    """Sends the episodes of link/inbox, oldest first, one at a time."""

    link: Link
    actor: str
    pace: Pace
    troubles: dict[str, str] = field(default_factory=dict)
    """Episodes that the learner does not take now, with the reason."""
    stored: int = 0
    _current: _Current | None = None
    _later: dict[str, int] = field(default_factory=dict)
    _next_scan: int = 0
    _scanned: int = -1

    @property
    def current(self) -> str:
        """Id of the episode that is on its way, or ""."""
        return self._current.notice.episode_id if self._current else ""

    def restart(self) -> None:
        """Offer the present episode again: the connection or the learner is a new one."""
        self._current = None
        self._next_scan = 0

    def advance(self, send: Send, now: int) -> None:
        """Send what may be sent now; ``now`` in [ns]."""
        if self._current is None and (now >= self._next_scan or self.link.mark != self._scanned):
            self._next_scan, self._scanned = now + _SCAN, self.link.mark
            self._current = self._choose(now)
        one = self._current
        if one is None:
            return
        if not one.offered:
            one.offered = send(self._offer(one))
        elif one.accepted:
            self._send_parts(one, send, now)

    def on_resume(self, message: Message) -> None:
        """Go on where the learner says."""
        one = self._mine(message)
        if one is None:
            return
        if one.accepted or message["offset"] >= one.bundle.size:
            # The learner lost its place, or has more than there is: settle it by a new offer.
            one.offered = one.accepted = False
            one.under_way.clear()
            return
        one.accepted = True
        one.sent = one.acknowledged = message["offset"]

    def on_got(self, message: Message, now: int) -> None:
        """Take the acknowledgement of a part."""
        one = self._mine(message)
        if one and one.under_way:
            one.acknowledged = message["offset"]
            self.pace.answered(now - one.under_way.popleft())

    def on_stored(self, message: Message) -> None:
        """The episode is on the learner's disk: the notice has done its work."""
        one = self._mine(message)
        if one and one.notice.sha256 == message["sha256"]:
            self.link.settle(one.notice.episode_id)
            self.troubles.pop(one.notice.episode_id, None)
            self.stored += 1
            self.restart()

    def on_refused(self, message: Message, now: int) -> None:
        """Keep the episode and say why it is not taken; an offer for ever refused waits long."""
        one = self._mine(message)
        if one:
            episode_id = one.notice.episode_id
            self.troubles[episode_id] = message["reason"]
            self._later[episode_id] = now + AGAIN_AFTER * (1 if message["again"] else 60)
            self.restart()

    def _choose(self, now: int) -> _Current | None:
        for episode_id in self.link.waiting():
            if now < self._later.get(episode_id, 0):
                continue
            notice = self.link.notice(episode_id)
            if notice is None:
                continue
            try:
                folder = Path(notice.path)
                names = [MANIFEST, METADATA, LABEL, DECISION, bag_file(folder).name]
                there = [name for name in names if (folder / name).exists()]
                return _Current(notice=notice, bundle=bundle_of(folder, there))
            except (HiorsError, OSError) as error:
                self.troubles[episode_id] = f"cannot be read: {error}"
                self._later[episode_id] = now + AGAIN_AFTER
        return None

    def _offer(self, one: _Current) -> bytes:
        return make(
            "offer",
            actor=self.actor,
            episode_id=one.notice.episode_id,
            sha256=one.notice.sha256,
            task=one.notice.task,
            files=one.bundle.rows(),
        )

    def _send_parts(self, one: _Current, send: Send, now: int) -> None:
        folder = Path(one.notice.path)
        while one.sent < one.bundle.size and len(one.under_way) < WINDOW:
            data = one.bundle.read(folder, one.sent, self.pace.size)
            header = make(
                "part", actor=self.actor, episode_id=one.notice.episode_id, offset=one.sent
            )
            if not data or not send(header, data):
                return
            one.sent += len(data)
            one.under_way.append(now)

    def _mine(self, message: Message) -> _Current | None:
        one = self._current
        return one if one and one.notice.episode_id == message["episode_id"] else None
