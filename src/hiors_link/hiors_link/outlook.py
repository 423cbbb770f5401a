# SPDX-License-Identifier: Apache-2.0
"""What a robot may know of the learner's run: status, its own episodes, the newest checkpoint.

Read from the files of the run at most ten times a second, however many robots ask.
"""

import json
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hiors_core.checkpoints import LATEST, MANIFEST, MODEL
from hiors_core.clock import Clock, to_ns
from hiors_core.durable import read_document, write_document
from hiors_core.errors import HiorsError, IntegrityError, UnknownName
from hiors_core.link import LedgerEntry, Link
from hiors_core.names import check_version
from hiors_link.bundle import Bundle, bundle_of
from hiors_link.incoming import ROBOTS
from hiors_link.messages import FORMAT, MAX_ENTRIES, MAX_FILES

RUN = "run.json"
_RECENT = 4
"""Checkpoints that may still be fetched: a transfer is not broken off by the next one."""
_PERIOD = to_ns(0.1)
_MAX_STATUS = 32 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """A published checkpoint; sha256 is that of its weights."""

    version: str
    sha256: str
    folder: Path
    bundle: Bundle


@dataclass(slots=True)
class Outlook:
    """The run as robots see it."""

    run: Path
    link: Link
    clock: Clock
    learned: dict[str, str] = field(default_factory=dict)
    """SHA-256 of the manifest of each episode in the ledger."""
    instance: str = field(default_factory=lambda: uuid.uuid4().hex)
    newest: Newest | None = None
    problem: str = ""
    _recent: dict[str, Newest] = field(default_factory=dict)
    _identity: str = ""
    _entries: dict[str, list[LedgerEntry]] = field(default_factory=dict)
    _refused: dict[str, list[list[str]]] = field(default_factory=dict)
    _status: str = ""
    _stamp: int = 0
    _next: int = 0
    _marks: dict[Path, int] = field(default_factory=dict)

    def refresh(self, *, at_once: bool = False) -> None:
        """Read what has changed, if it is time to or ``at_once``."""
        now = self.clock.now()
        if now < self._next and not at_once:
            return
        self._next = now + _PERIOD
        for entry in self.link.new_entries():
            self.learned[entry.episode_id] = entry.sha256
            if entry.actor:
                self._entries.setdefault(entry.actor, []).append(entry)
        if self._changed(self.link.refused):
            self._read_refusals()
        if self._changed(self.run / "checkpoints" / LATEST):
            self._read_newest()
        self._read_status()

    def state(self, actor: str, since: int) -> dict[str, Any]:
        """Return the fields of 'state' for a robot that knows ``since`` of its entries."""
        mine = self._entries.get(actor, [])
        since = since if since <= len(mine) else 0
        new, top = mine[since : since + MAX_ENTRIES], self.newest
        return {
            "format": FORMAT,
            "instance": self.instance,
            "run": self.identity,
            "status": self._status,
            "age_ms": max(0, self.clock.now() - self._stamp) // 1_000_000,
            "ledger": since + len(new),
            "entries": [[e.episode_id, e.sha256, e.transitions] for e in new],
            "refused": self._refused.get(actor, [])[-MAX_ENTRIES:],
            "version": top.version if top else "",
            "sha256": top.sha256 if top else "",
            "files": top.bundle.rows() if top else [],
        }

    def published(self, version: str) -> Newest:
        """Return a checkpoint that is, or was lately, the newest, or raise UnknownName."""
        try:
            return self._recent[version]
        except KeyError:
            raise UnknownName("checkpoint", version, self._recent) from None

    @property
    def identity(self) -> str:
        """What tells this run from others, written once into link/run.json."""
        if not self._identity:
            path = self.link.root / RUN
            try:
                self._identity = str(read_document(path)["run"])
            except (FileNotFoundError, KeyError):
                self._identity = uuid.uuid4().hex
                write_document(path, {"run": self._identity})
        return self._identity

    def _changed(self, path: Path) -> bool:
        try:
            mark = path.stat().st_mtime_ns
        except FileNotFoundError:
            return False
        changed = self._marks.get(path) != mark
        self._marks[path] = mark
        return changed

    def _read_refusals(self) -> None:
        self._refused = {}
        for path in sorted(self.link.refused.glob("*.json"), key=lambda p: p.name):
            found = next(self.run.glob(f"{ROBOTS}/*/episodes/{path.stem}"), None)
            if found and path.stem not in self.learned:
                reason = self.link.refusal(path.stem)[:400]
                actor = found.parents[1].name
                self._refused.setdefault(actor, []).append([path.stem, reason])

    def _read_newest(self) -> None:
        checkpoints = self.run / "checkpoints"
        try:
            latest = read_document(checkpoints / LATEST)
            folder = checkpoints / check_version(str(latest["version"]))
            self.newest = Newest(
                version=folder.name,
                sha256=str(latest["sha256"]),
                folder=folder,
                bundle=bundle_of(folder, _files(folder)),
            )
            self._recent[folder.name] = self.newest
            while len(self._recent) > _RECENT:
                self._recent.pop(next(iter(self._recent)))
            self.problem = ""
        except (HiorsError, OSError, KeyError) as error:
            self.problem = f"{checkpoints / LATEST}: {error}"

    def _read_status(self) -> None:
        try:
            found = self.link.status()
            text = json.dumps(found) if found else ""
            stamp = int(found["stamp_ns"]) if found else 0
        except (HiorsError, OSError, KeyError, TypeError, ValueError):
            return
        if len(text) <= _MAX_STATUS:
            self._status, self._stamp = text, stamp


def _files(folder: Path) -> list[str]:
    names = sorted(p.name for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    if MODEL not in names or MANIFEST not in names or len(names) > MAX_FILES:
        raise IntegrityError(f"{folder} is no checkpoint: it holds {', '.join(names[:20])}")
    return names
