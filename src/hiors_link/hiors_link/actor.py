# SPDX-License-Identifier: Apache-2.0
"""The robot's socket: sends what waits in link/inbox, keeps ledger, status and checkpoints alike.

The robot's other parts see the same files as beside a learner on this machine. A thread of its
own; whatever happens to the connection, it goes on trying.
"""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hiors_core.clock import Clock, to_ns, to_s
from hiors_core.durable import read_document, write_document
from hiors_core.errors import HiorsError, StateError
from hiors_core.link import LedgerEntry, Link
from hiors_link.address import check_address, check_open
from hiors_link.download import Downloads
from hiors_link.keys import LEARNER, check_name, read_identity, read_public
from hiors_link.line import Line
from hiors_link.messages import FORMAT, FROM_LEARNER, Message, make, read
from hiors_link.pace import Pace
from hiors_link.upload import Uploads

REMOTE = "learner.json"
"""Which run of which learner this run folder belongs to."""
_LOOK = 0.02
"""Between two looks at the inbox [s]: one call of stat when nothing is new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorSettings:
    """Attributes:
    address: of the learner, tcp://HOST:PORT. actor: name of this robot, and of its keys.
    keys: folder of keys; without, the learner must be on this machine.
    period: between two questions what is new [s].
    silence: without an answer for so long, the connection is made anew [s].
    checkpoint_limit: size above which the oldest checkpoints go [bytes]; 0: never.
    """

    address: str
    actor: str = "robot"
    keys: Path | None = None
    period: float = 0.1
    silence: float = 5.0
    checkpoint_limit: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How the link is. silent: since the learner was last heard [s]."""

    connected: bool
    text: str
    silent: float
    stored: int
    troubles: Mapping[str, str]
    upload: str
    download: str


class Actor:
    """Talks to one learner for the run folder of one robot."""

    def __init__(
        self, link: Link, checkpoints: Path, settings: ActorSettings, clock: Clock
    ) -> None:
        check_address(settings.address)
        check_open(settings.address, keys=settings.keys is not None)
        check_name(settings.actor)
        self._link, self._settings, self._clock = link, settings, clock
        self._curve = _curve(settings)
        self._uploads = Uploads(link, settings.actor, Pace())
        self._downloads = Downloads(checkpoints, settings.actor, Pace(), settings.checkpoint_limit)
        self._known = {entry.episode_id for entry in link.ledger()}
        self._ledger = 0
        self._run = self._instance = ""
        self._problem = ""
        self._began = self._heard = self._asked = 0
        self._waiting = False
        self._silence = settings.silence
        self._line: Line | None = None
        self._handlers: Mapping[str, Callable[[Message, int], None]] = {
            "state": self._on_state,
            "resume": lambda message, _: self._uploads.on_resume(message),
            "got": self._uploads.on_got,
            "stored": lambda message, _: self._uploads.on_stored(message),
            "refused": self._uploads.on_refused,
            "chunk": self._downloads.on_chunk,
            "gone": lambda message, _: self._downloads.on_gone(message),
            "error": self._on_error,
        }

    def run(self, stop: threading.Event) -> None:
        """Talk until told to stop."""
        try:
            while not stop.is_set():
                self.step(_LOOK)
        finally:
            self.close()

    def step(self, timeout: float) -> None:
        """Send and receive what there is, waiting for at most ``timeout`` [s]."""
        now = self._clock.now()
        if self._line is None:
            self._connect(now)
        elif now - self._heard > to_ns(self._silence):
            self._reconnect(now)
        line = self._line
        if line is None:
            return
        self._poll(line, now)
        if self._instance and not self._problem:
            try:
                self._uploads.advance(line.send, now)
                self._downloads.advance(line.send, now)
            except OSError as error:
                self._problem = f"files of the run cannot be used: {error}"
        for frames in line.receive(timeout):
            self._take(frames, self._clock.now())

    def close(self) -> None:
        """Close the connection; what was under way is offered again by the next one."""
        if self._line:
            self._line.close()
            self._line = None

    @property
    def health(self) -> Health:
        """How the link is; may be read by another thread."""
        line, uploads, downloads = self._line, self._uploads, self._downloads
        silent = to_s(self._clock.now() - (self._heard or self._began))
        connected = bool(line and line.connected and silent < self._settings.silence + 1.0)
        where = self._settings.address
        if connected:
            text = self._problem or downloads.problem or f"learner at {where}"
        else:
            why = line.reason if line else ""
            text = f"no answer from the learner at {where} for {silent:.0f} s: {why}"
        return Health(
            connected=connected,
            text=text,
            silent=silent,
            stored=uploads.stored,
            troubles=dict(uploads.troubles),
            upload=uploads.current,
            download=downloads.current,
        )

    def _connect(self, now: int) -> None:
        self._line = Line(self._settings.address, self._curve)
        self._began = self._began or now
        self._heard, self._waiting = now, False
        # Nothing is sent before it is known who listens there.
        self._run = self._instance = ""

    def _reconnect(self, now: int) -> None:
        if self._line and self._line.connected:
            # The link is there but slow: smaller parts, and more time for an answer.
            self._silence = min(2.0 * self._silence, 60.0)
        if self._line and self._line.cut:
            self._downloads.failed(self._line.reason, now)
        self._uploads.pace.lost()
        self._downloads.pace.lost()
        self._restart()
        self.close()
        self._connect(now)

    def _restart(self) -> None:
        self._uploads.restart()
        self._downloads.restart()

    def _poll(self, line: Line, now: int) -> None:
        since = now - self._asked
        if since < to_ns(self._settings.period) or (self._waiting and since < to_ns(1.0)):
            return
        header = make("poll", format=FORMAT, actor=self._settings.actor, ledger=self._ledger)
        self._waiting = line.send(header)
        self._asked = now

    def _take(self, frames: list[Any], now: int) -> None:
        self._heard = now
        kind = ""
        try:
            message = read([frame.buffer for frame in frames], FROM_LEARNER)
            kind = message.kind
            self._handlers[kind](message, now)
        except Exception as error:  # noqa: BLE001 no answer may end the thread; the reason is told
            known = isinstance(error, HiorsError | OSError)
            self._problem = str(error) if known else f"{type(error).__name__}: {error}"
            if kind in ("", "chunk"):
                # Only the bytes of a checkpoint are asked for once: they will not come again.
                self._downloads.failed(self._problem, now)

    def _on_error(self, message: Message, now: int) -> None:
        del now
        self._problem = f"the learner refused a message: {message['reason']}"

    def _on_state(self, message: Message, now: int) -> None:
        self._waiting, self._problem = False, ""
        self._same_run(message["run"])
        if message["instance"] != self._instance:
            self._instance, self._ledger = message["instance"], 0
            self._restart()
            return
        self._enter(message)
        for episode_id, reason in message["refused"]:
            if self._link.refusal(episode_id) != reason:
                self._link.refuse(episode_id, reason, now)
        if message["status"]:
            status = json.loads(message["status"])
            stamp = now - message["age_ms"] * 1_000_000
            self._link.set_status({**status, "stamp_ns": stamp})
        self._downloads.on_state(message, now)

    def _enter(self, message: Message) -> None:
        actor = self._settings.actor
        new = [
            LedgerEntry(
                episode_id=episode_id,
                sha256=sha256,
                kind="online",
                transitions=transitions,
                actor=actor,
            )
            for episode_id, sha256, transitions in message["entries"]
            if episode_id not in self._known
        ]
        if new:
            self._link.enter(new)
            self._known |= {entry.episode_id for entry in new}
        self._ledger = message["ledger"]

    def _same_run(self, run: str) -> None:
        if run == self._run:
            return
        path = self._link.root / REMOTE
        try:
            before = str(read_document(path).get("run"))
        except FileNotFoundError:
            write_document(path, {"run": run})
            before = run
        if before != run:
            raise StateError(
                f"The learner at {self._settings.address} is on another run than before: episodes"
                " that the other one has would be missing here. Start with a new run_dir, or"
                f" delete {path} and {self._link.root / 'ledger.jsonl'} to send all again"
            )
        self._run = run


def _curve(settings: ActorSettings) -> "tuple[bytes, bytes, bytes] | None":
    if settings.keys is None:
        return None
    own = read_identity(settings.keys, settings.actor)
    return own.public, own.secret, read_public(settings.keys, LEARNER)
