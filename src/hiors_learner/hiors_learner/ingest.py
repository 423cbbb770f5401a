# SPDX-License-Identifier: Apache-2.0
"""Accepted episodes into the training set, exactly once: notice, hashes, samples, ledger line,
notice gone.

The ledger is the truth about what was taken in; a crash at any point leaves either the notice or
the line, or both.
"""

import json
import logging
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from hiors_core.clock import Clock
from hiors_core.durable import crash_point, fsync_path, read_json, sha256_file, write_document
from hiors_core.errors import HiorsError, IntegrityError, InvalidValue
from hiors_core.folder import MANIFEST, read_manifest, verify_folder
from hiors_core.label import Outcome
from hiors_core.names import check_episode_id
from hiors_core.store import EpisodeStore
from hiors_learner.data import SampleReader, Samples
from hiors_learner.training_set import DEMONSTRATION, ONLINE

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the ledger. sha256: of the manifest.json. stamp: when taken in [ns].

    actor: the robot that sent it from another machine.
    """

    episode_id: str
    sha256: str
    kind: str
    transitions: int
    path: str
    task: str
    stamp: int
    actor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """An episode that is now in the training set."""

    entry: Entry
    samples: Samples


class Ledger:
    """link/ledger.jsonl: one line an episode, on the disk before the notice goes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.entries: dict[str, Entry] = {}
        for entry in self._read():
            self.entries[entry.episode_id] = entry

    def append(self, entry: Entry) -> None:
        """Add a line and sync it."""
        line = json.dumps(asdict(entry), ensure_ascii=False) + "\n"
        new = not self._path.exists()
        with self._path.open("ab") as file:
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
        if new:
            fsync_path(self._path.parent)
        self.entries[entry.episode_id] = entry

    def _read(self) -> Iterator[Entry]:
        if not self._path.exists():
            return
        data = self._path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if whole != data:
            # The process died in the middle of a line; its notice is still there.
            os.truncate(self._path, len(whole))
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                entry = Entry(**json.loads(line))
                check_episode_id(entry.episode_id)
            except (TypeError, ValueError, HiorsError) as error:
                raise IntegrityError(f"{self._path}, line {number}: {error}") from error
            yield entry


class Ingest:
    """Takes episodes in. One process at a time."""

    def __init__(self, link: Path, reader: SampleReader, clock: Clock) -> None:
        self._inbox, self._refused_folder = link / "inbox", link / "refused"
        for folder in (self._inbox, self._refused_folder):
            folder.mkdir(parents=True, exist_ok=True)
        self.ledger = Ledger(link / "ledger.jsonl")
        self._reader, self._clock = reader, clock
        self.refused = 0

    def restore(self) -> Iterator[Taken]:
        """Read again what the ledger says was taken in; what is damaged by now is left out and
        logged.
        """
        for entry in self.ledger.entries.values():
            try:
                samples = self._load(Path(entry.path), entry.episode_id, entry.sha256)
            except (HiorsError, OSError) as error:
                self.refused += 1
                log.error("episode %s is lost to training: %s", entry.episode_id, error)
                continue
            yield Taken(entry=entry, samples=samples)

    def demonstrations(self, root: Path) -> Iterator[Taken]:
        """Take in the demonstrations of a store that are labelled a success and not yet in the
        ledger.
        """
        store = EpisodeStore(root)
        for episode_id in successes(store):
            if episode_id in self.ledger.entries:
                continue
            try:
                sha256 = store.manifest_sha256(episode_id)
                yield self._take(store.path(episode_id), episode_id, sha256, DEMONSTRATION)
            except (HiorsError, OSError) as error:
                self._refuse(episode_id, str(error))

    def notices(self) -> Iterator[Taken]:
        """Take in what link/inbox announces, oldest first; a bad notice is put aside with the
        reason.
        """
        for path in sorted(self._inbox.glob("*.json"), key=_age):
            try:
                taken = self._answer(path)
            except (HiorsError, OSError) as error:
                self._refuse(path.stem, str(error))
                path.unlink(missing_ok=True)
                continue
            if taken is not None:
                yield taken

    def _answer(self, path: Path) -> Taken | None:
        notice = read_json(path)
        for key in ("episode_id", "path", "sha256", "actor"):
            if not isinstance(notice.get(key, "" if key == "actor" else None), str):
                raise InvalidValue(f"notice {path.name}: '{key}' must be a string")
        episode_id = check_episode_id(notice["episode_id"])
        if path.stem != episode_id:
            raise InvalidValue(f"notice {path.name} is about another episode, {episode_id}")
        known = self.ledger.entries.get(episode_id)
        if known is not None:
            if known.sha256 != notice["sha256"]:
                raise InvalidValue(
                    f"episode {episode_id} was taken in with manifest {known.sha256[:12]}, not"
                    f" with {notice['sha256'][:12]}: episodes never change"
                )
            path.unlink(missing_ok=True)
            return None
        actor = notice.get("actor", "")
        taken = self._take(Path(notice["path"]), episode_id, notice["sha256"], ONLINE, actor)
        path.unlink(missing_ok=True)
        crash_point("ingest:notice")
        return taken

    def _take(
        self, folder: Path, episode_id: str, sha256: str, kind: str, actor: str = ""
    ) -> Taken:
        samples = self._load(folder, episode_id, sha256)
        crash_point("ingest:loaded")
        entry = Entry(
            episode_id=episode_id,
            sha256=sha256,
            kind=kind,
            transitions=len(samples),
            path=str(folder.absolute()),
            task=read_manifest(folder).task,
            stamp=self._clock.now(),
            actor=actor,
        )
        self.ledger.append(entry)
        crash_point("ingest:ledger")
        return Taken(entry=entry, samples=samples)

    def _load(self, folder: Path, episode_id: str, sha256: str) -> Samples:
        if folder.name != episode_id:
            raise InvalidValue(f"{folder} is not the folder of episode {episode_id}")
        found = sha256_file(folder / MANIFEST)
        if found != sha256:
            raise IntegrityError(
                f"{folder / MANIFEST} has SHA-256 {found[:12]}, announced was {sha256[:12]}"
            )
        verify_folder(folder)
        return self._reader.read(folder)

    def _refuse(self, name: str, reason: str) -> None:
        self.refused += 1
        log.error("episode %s refused: %s", name, reason)
        try:
            name = check_episode_id(name)
        except InvalidValue:
            name = f"unnamed-{self._clock.now()}"
        content = {"episode_id": name, "reason": reason, "stamp_ns": self._clock.now()}
        write_document(self._refused_folder / f"{name}.json", content, "refuse")


def successes(store: EpisodeStore) -> list[str]:
    """Return the ids of the episodes of a store that are labelled a success."""
    return [i for i in store.ids() if store.label(i).outcome == Outcome.SUCCESS]


def _age(path: Path) -> tuple[int, str]:
    try:
        return path.stat().st_mtime_ns, path.name
    except FileNotFoundError:
        return 0, path.name
