# SPDX-License-Identifier: Apache-2.0
"""The robot's end of checkpoints: the newest one, whole, then latest.json. Knows no socket.

A transfer goes on where it stopped. One that has begun is finished even when a newer checkpoint
appears, so that a slow link gets some; the ones in between are never fetched.
"""

import shutil
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from hiors_core.checkpoints import LATEST, MANIFEST, MODEL, make_room
from hiors_core.clock import to_ns
from hiors_core.durable import read_json, sha256_file, write_document
from hiors_core.errors import HiorsError, IntegrityError
from hiors_core.names import check_version
from hiors_link.bundle import Bundle
from hiors_link.messages import Message, make
from hiors_link.pace import WINDOW, Pace
from hiors_link.upload import Send

_RESERVE = 1 << 28
"""Left free on the disk [bytes]."""
AGAIN_AFTER = to_ns(5.0)
"""Before a transfer that went wrong is begun again [ns]."""


@dataclass(slots=True, kw_only=True)
class _Current:
    version: str
    sha256: str
    bundle: Bundle
    folder: Path
    received: int
    asked: int
    broken_off: bool
    under_way: deque[int] = field(default_factory=deque)


@dataclass(slots=True)
class Downloads:
    """Keeps ``checkpoints`` at the learner's newest version, and old ones within ``most`` [bytes],
    0 for no limit.
    """

    checkpoints: Path
    actor: str
    pace: Pace
    most: int = 0
    problem: str = ""
    _current: _Current | None = None
    _have: tuple[str, str] = ("", "")
    _later: int = 0

    def __post_init__(self) -> None:
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        self._have = self._newest_here()

    @property
    def current(self) -> str:
        """Version that is on its way, or ""."""
        return self._current.version if self._current else ""

    @property
    def version(self) -> str:
        """Newest version that is here, whole."""
        return self._have[0]

    def restart(self) -> None:
        """Ask again for what was under way."""
        self._current = None

    def failed(self, reason: str, now: int) -> None:
        """Begin again later with what was under way; ``now`` in [ns]."""
        if self._current:
            self.problem = f"checkpoint {self._current.version} cannot be fetched: {reason}"
            self._current, self._later = None, now + AGAIN_AFTER

    def on_state(self, message: Message, now: int) -> None:
        """Begin with the learner's newest checkpoint when it is another than here."""
        if now < self._later:
            return
        wanted = (message["version"], message["sha256"])
        if not wanted[0] or wanted == self._have or self._current:
            return
        final = self.checkpoints / wanted[0]
        if final.is_dir():
            self._name_latest(final, wanted[1])
            return
        bundle = Bundle(tuple((name, size) for name, size in message["files"]))
        if not {MODEL, MANIFEST} <= bundle.names:
            self.problem = f"checkpoint {wanted[0]} is not whole on the learner's side"
            return
        if bundle.size + _RESERVE > shutil.disk_usage(self.checkpoints).free:
            self.problem = f"checkpoint {wanted[0]} has {bundle.size} bytes: the disk is full"
            return
        folder = self.checkpoints / f".{wanted[0]}.{wanted[1][:12]}.part"
        for other in self.checkpoints.glob(".*.part"):
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
        folder.mkdir(exist_ok=True)
        start = bundle.present(folder)
        self._current = _Current(
            version=wanted[0],
            sha256=wanted[1],
            bundle=bundle,
            folder=folder,
            received=start,
            asked=start,
            broken_off=start > 0,
        )
        self._finish_if_whole(self._current)

    def advance(self, send: Send, now: int) -> None:
        """Ask for what may be asked now; ``now`` in [ns]."""
        one = self._current
        while one and one.asked < one.bundle.size and len(one.under_way) < WINDOW:
            size = min(self.pace.size, one.bundle.size - one.asked)
            header = make(
                "fetch", actor=self.actor, version=one.version, offset=one.asked, size=size
            )
            if not send(header):
                return
            one.asked += size
            one.under_way.append(now)

    def on_chunk(self, message: Message, now: int) -> None:
        """Write bytes that came."""
        one = self._current
        if one is None or one.version != message["version"] or message.data is None:
            return
        if message["offset"] != one.received:
            return
        one.bundle.write(one.folder, one.received, message.data)
        one.received += len(message.data)
        if one.under_way:
            self.pace.answered(now - one.under_way.popleft())
        self._finish_if_whole(one)

    def on_gone(self, message: Message) -> None:
        """Give up a checkpoint that is no longer there; the next state names the newest."""
        if self._current and self._current.version == message["version"]:
            shutil.rmtree(self._current.folder, ignore_errors=True)
            self._current = None

    def _finish_if_whole(self, one: _Current) -> None:
        if one.received < one.bundle.size:
            return
        self._current = None
        # The policy node hashes the very bytes that it loads; here only a patched-up file is.
        if one.broken_off and sha256_file(one.folder / MODEL) != one.sha256:
            shutil.rmtree(one.folder, ignore_errors=True)
            self.problem = f"checkpoint {one.version} arrived damaged; it is fetched again"
            return
        final = self.checkpoints / one.version
        one.folder.rename(final)
        self._name_latest(final, one.sha256)

    def _name_latest(self, final: Path, sha256: str) -> None:
        try:
            if read_json(final / MANIFEST).get("sha256") != sha256:
                raise IntegrityError(
                    f"{final} holds other weights than the learner's {final.name}: this run folder"
                    " belongs to another learner. Start with a new run_dir"
                )
        except (HiorsError, OSError) as error:
            self.problem = str(error)
            return
        content = {"version": final.name, "path": str(final.absolute()), "sha256": sha256}
        write_document(self.checkpoints / LATEST, content, "latest", sync=False)
        self._have, self.problem = (final.name, sha256), ""
        make_room(self.checkpoints, self.most)

    def _newest_here(self) -> tuple[str, str]:
        # A download is not synced: after a power cut the newest may be damaged, and is fetched
        # again.
        try:
            latest = read_json(self.checkpoints / LATEST)
            folder = self.checkpoints / check_version(str(latest["version"]))
            sha256 = str(latest["sha256"])
            if sha256_file(folder / MODEL) == sha256:
                return folder.name, sha256
            shutil.rmtree(folder)
        except (HiorsError, OSError, KeyError):
            pass
        return "", ""
