# SPDX-License-Identifier: Apache-2.0
"""The learner's end of an upload: parts into a folder aside, checked, renamed, synced, announced.

An episode is stored exactly once, by id and hash of its manifest. Knows no socket.
"""

import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hiors_core.durable import crash_point, fsync_all, sha256_file
from hiors_core.errors import HiorsError, IntegrityError
from hiors_core.folder import (
    DECISION,
    LABEL,
    MANIFEST,
    METADATA,
    bag_file,
    read_manifest,
    verify_folder,
)
from hiors_core.link import Link, Notice
from hiors_core.store import EpisodeStore
from hiors_link.bundle import Bundle
from hiors_link.messages import Message

Answer = tuple[str, Mapping[str, Any]]
ROBOTS = "robots"
"""Folder of a run with one episode store for each robot."""
_GIB = 1 << 30
_PARTIAL = 4

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """max_episode: of one episode [bytes]. reserve: left free on the disk [bytes]."""

    max_episode: int = 8 * _GIB
    reserve: int = 1 * _GIB


@dataclass(slots=True, kw_only=True)
class _Arrival:
    """An episode that is arriving. broken_off: an earlier connection or server began it."""

    actor: str
    episode_id: str
    sha256: str
    task: str
    bundle: Bundle
    folder: Path
    offset: int
    broken_off: bool


@dataclass(slots=True)
class Incoming:
    """Receives episodes of all robots into ``run``; every method returns the answer to send."""

    run: Path
    link: Link
    limits: Limits = field(default_factory=Limits)
    _arrivals: dict[str, dict[str, _Arrival]] = field(default_factory=dict)
    learned: dict[str, str] = field(default_factory=dict)
    """Episodes of the ledger with the SHA-256 of their manifest."""
    stored: dict[str, int] = field(default_factory=dict)
    """Episodes that were stored since the start, by robot."""
    _sure: set[str] = field(default_factory=set)

    def announce_missing(self) -> None:
        """Announce stored episodes that the learner has neither taken in nor refused."""
        for folder in self.run.glob(f"{ROBOTS}/*/episodes/*"):
            name = folder.name
            if name in self.learned or self.link.notice(name) or self._refused_before(name):
                continue
            try:
                if gone := self._gone(folder):
                    log.warning("%s is put aside, its robot sends it again: %s", folder, gone)
                    continue
                self._announce(folder, sha256_file(folder / MANIFEST), read_manifest(folder).task)
            except (HiorsError, OSError) as error:
                log.error("%s cannot be announced: %s", folder, error)

    def offer(self, message: Message) -> Answer:
        """Say where to go on with an episode, or that it is here, or why not."""
        actor, episode_id = message["actor"], message["episode_id"]
        known = self._known(actor, episode_id, message["sha256"], message["task"])
        if known:
            return known
        bundle = Bundle(tuple((name, size) for name, size in message["files"]))
        if reason := self._unfit(episode_id, bundle):
            return _refuse(episode_id, reason)
        free = shutil.disk_usage(self.run).free
        if bundle.size + self.limits.reserve > free:
            reason = f"the learner's disk is full: {free / _GIB:.1f} GiB free on {self.run}"
            return _refuse(episode_id, reason, again=True)
        arrival = self._begin(message, bundle)
        self._arrivals.setdefault(actor, {})[episode_id] = arrival
        while len(self._arrivals[actor]) > _PARTIAL:
            self._arrivals[actor].pop(next(iter(self._arrivals[actor])))
        if arrival.offset == bundle.size:
            return self._complete(arrival)
        return "resume", {"episode_id": episode_id, "offset": arrival.offset}

    def part(self, message: Message) -> Answer:
        """Take bytes of an episode in."""
        episode_id, data = message["episode_id"], message.data
        arrival = self._arrivals.get(message["actor"], {}).get(episode_id)
        if arrival is None or data is None or message["offset"] != arrival.offset:
            return "resume", {"episode_id": episode_id, "offset": arrival.offset if arrival else 0}
        arrival.bundle.write(arrival.folder, arrival.offset, data)
        arrival.offset += len(data)
        crash_point("incoming:part")
        if arrival.offset == arrival.bundle.size:
            return self._complete(arrival)
        return "got", {"episode_id": episode_id, "offset": arrival.offset}

    def _known(self, actor: str, episode_id: str, sha256: str, task: str) -> Answer | None:
        learned = self.learned.get(episode_id)
        folder = self._find(actor, episode_id) if learned is None else None
        found = sha256_file(folder / MANIFEST) if folder else learned
        if found is None:
            return None
        if found != sha256:
            reason = (
                f"another episode with this id was stored before (manifest {found[:12]}, not"
                f" {sha256[:12]}): episodes never change"
            )
            return _refuse(episode_id, reason)
        if folder is not None:
            if gone := self._gone(folder):
                log.warning("%s sends %s again: %s", actor, episode_id, gone)
                return None
            self._announce(folder, sha256, task)
        return "stored", {"episode_id": episode_id, "sha256": sha256}

    def _find(self, actor: str, episode_id: str) -> Path | None:
        folders = [self.run / ROBOTS / actor / "episodes" / episode_id]
        folders += (self.run / ROBOTS).glob(f"*/episodes/{episode_id}")
        return next((f for f in folders if (f / MANIFEST).is_file()), None)

    def _refused_before(self, episode_id: str) -> bool:
        return bool(self.link.refusal(episode_id))

    def _gone(self, folder: Path) -> str:
        """Say why a stored episode is no longer whole, or "" once it is so on the disk."""
        if folder.name in self._sure and not self._refused_before(folder.name):
            return ""
        try:
            verify_folder(folder)
        except IntegrityError as error:
            EpisodeStore(folder.parents[1]).quarantine(folder.name, str(error))
            return str(error)
        # A server that died may have renamed it without having brought it to the disk.
        fsync_all([*folder.iterdir(), folder, folder.parent])
        self._sure.add(folder.name)
        return ""

    def _unfit(self, episode_id: str, bundle: Bundle) -> str:
        bag = bag_file(Path(episode_id)).name
        needed, allowed = {MANIFEST, METADATA, bag}, {MANIFEST, METADATA, bag, LABEL, DECISION}
        if not needed <= bundle.names <= allowed:
            return f"an episode has the files {', '.join(sorted(allowed))}, not {bundle.files}"
        if bundle.size > self.limits.max_episode:
            return f"{bundle.size} bytes are more than the {self.limits.max_episode} allowed"
        return ""

    def _begin(self, message: Message, bundle: Bundle) -> _Arrival:
        actor, episode_id, sha256 = message["actor"], message["episode_id"], message["sha256"]
        parent = self.link.root / "incoming" / actor
        folder = parent / sha256[:16] / episode_id
        folder.mkdir(parents=True, exist_ok=True)
        self._forget_oldest(parent)
        offset = bundle.present(folder)
        return _Arrival(
            actor=actor,
            episode_id=episode_id,
            sha256=sha256,
            task=message["task"],
            bundle=bundle,
            folder=folder,
            offset=offset,
            broken_off=offset > 0,
        )

    def _forget_oldest(self, parent: Path) -> None:
        partial = sorted(parent.iterdir(), key=lambda p: p.stat().st_mtime_ns)
        for old in partial[:-_PARTIAL]:
            shutil.rmtree(old, ignore_errors=True)

    def _complete(self, arrival: _Arrival) -> Answer:
        self._arrivals[arrival.actor].pop(arrival.episode_id, None)
        sha256, task = arrival.sha256, arrival.task
        if known := self._known(arrival.actor, arrival.episode_id, sha256, task):
            # It came from another connection in the meantime.
            return known
        try:
            self._check(arrival)
        except HiorsError as error:
            shutil.rmtree(arrival.folder.parent, ignore_errors=True)
            return _refuse(arrival.episode_id, str(error), again=True)
        crash_point("incoming:checked")
        store = EpisodeStore(self.run / ROBOTS / arrival.actor)
        folder = store.publish(arrival.folder, arrival.bundle.names)
        self._sure.add(arrival.episode_id)
        shutil.rmtree(arrival.folder.parent, ignore_errors=True)
        crash_point("incoming:published")
        self._announce(folder, sha256, task)
        crash_point("incoming:announced")
        self.stored[arrival.actor] = self.stored.get(arrival.actor, 0) + 1
        return "stored", {"episode_id": arrival.episode_id, "sha256": arrival.sha256}

    def _check(self, arrival: _Arrival) -> None:
        """Compare with the manifest. The bag's hash is left to the one who reads it, unless the
        transfer was broken off: each byte is hashed once on the learner's side.
        """
        folder = arrival.folder
        if sha256_file(folder / MANIFEST) != arrival.sha256:
            raise IntegrityError(f"manifest.json of {arrival.episode_id} is not the one offered")
        manifest = verify_folder(folder) if arrival.broken_off else read_manifest(folder)
        sizes = dict(arrival.bundle.files)
        if any(sizes.get(f.name) != f.size for f in manifest.files):
            raise IntegrityError(f"{arrival.episode_id}: sizes are not those of its manifest")
        if manifest.task != arrival.task:
            raise IntegrityError(f"{arrival.episode_id} is of task {manifest.task}")

    def _announce(self, folder: Path, sha256: str, task: str) -> None:
        actor = folder.parents[1].name
        notice = Notice(
            episode_id=folder.name,
            path=str(folder.absolute()),
            sha256=sha256,
            task=task,
            actor=actor,
        )
        # Should a power cut take it, announce_missing makes it anew.
        self.link.send(notice, sync=False)


def _refuse(episode_id: str, reason: str, *, again: bool = False) -> Answer:
    return "refused", {"episode_id": episode_id, "reason": reason[:1000], "again": again}
