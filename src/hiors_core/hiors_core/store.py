# SPDX-License-Identifier: Apache-2.0
"""Episodes on the disk: begun, sealed by fsync and rename, labelled, decided, verified, recovered.

The one place that knows the folders of a store. Knows no robot, no acceptance rule and no ROS.
"""

import fcntl
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hiors_core.acceptance import Decision, decision_from_json, decision_to_json
from hiors_core.bag import BagReader, BagWriteError, free_space
from hiors_core.durable import (
    crash_point,
    fsync_all,
    fsync_path,
    read_document,
    sha256_file,
    write_atomic,
    write_document,
)
from hiors_core.errors import IntegrityError, StateError, UnknownName
from hiors_core.folder import (
    DECISION,
    LABEL,
    MANIFEST,
    clear_scaffold,
    read_manifest,
    remove_folder,
    verify_folder,
)
from hiors_core.hold import Hold
from hiors_core.index import EpisodeRow, StoreIndex
from hiors_core.label import Label, LabelRules, label_from_json, label_to_json
from hiors_core.manifest import EpisodeMeta, Manifest
from hiors_core.names import check_episode_id
from hiors_core.owner import Claim, read_owner
from hiors_core.recovery import Recovered, recover_folder
from hiors_core.writer import Ending, EpisodeWriter

__all__ = ["EpisodeMeta", "EpisodeStore", "EpisodeWriter", "Recovered"]


class EpisodeStore:
    """A store of episodes under ``root``; the folders are made on first use.

    Any number of processes may read, label and decide; one at a time records.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self.recording = self.root / "recording"
        self.episodes = self.root / "episodes"
        self.quarantined = self.root / "quarantine"
        for folder in (self.recording, self.episodes, self.quarantined):
            folder.mkdir(parents=True, exist_ok=True)
        self.hold = Hold(self.root)
        self._claim = Claim(self.root / "recorder.lock")
        self._index = StoreIndex(self.root / "index.sqlite")

    def claim(self) -> None:
        """Become the one recorder until close(), or raise StateError naming the other's pid."""
        self._claim.take()

    def close(self) -> None:
        """Give the claim back."""
        self._claim.release()

    def begin(self, meta: EpisodeMeta) -> EpisodeWriter:
        """Start an episode under recording/.

        Raises StateError when another process records, the id exists, or the store is on hold.
        """
        check_episode_id(meta.episode_id)
        if reason := self.hold.reason:
            raise StateError(f"No episode may begin: {reason}")
        self._claim.take()
        try:
            ending = Ending(
                publish=self.publish, put_aside=self.put_aside, release=self._claim.release
            )
            folder = self._make_folder(meta)
            try:
                return EpisodeWriter(folder, meta, ending)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
        except BaseException:
            self._claim.release()
            raise

    def ids(self) -> list[str]:
        """Return the ids of the sealed episodes, in order."""
        with os.scandir(self.episodes) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir())

    def recording_ids(self) -> list[str]:
        """Return the ids under recording/: the running one, or what a dead recorder left."""
        return sorted(p.name for p in self.recording.iterdir() if p.is_dir())

    def path(self, episode_id: str) -> Path:
        """Return the folder of a sealed episode, or raise UnknownName."""
        folder = self.episodes / check_episode_id(episode_id)
        if not folder.is_dir():
            hint = "It is still being recorded." if self._is_recording(episode_id) else ""
            raise UnknownName("sealed episode", episode_id, self.ids()[-5:], hint)
        return folder

    def manifest(self, episode_id: str) -> Manifest:
        """Return the manifest of a sealed episode."""
        return read_manifest(self.path(episode_id))

    def manifest_sha256(self, episode_id: str) -> str:
        """Return the SHA-256 of manifest.json: the identity of the episode's content."""
        return sha256_file(self.path(episode_id) / MANIFEST)

    def reader(self, episode_id: str) -> BagReader:
        """Return a reader of the episode's bag."""
        return BagReader(self.path(episode_id))

    def label(self, episode_id: str) -> Label:
        """Return the label in force; outcome NONE when there is none."""
        return self._rules(self._labelled(episode_id)).label

    def set_label(self, episode_id: str, label: Label) -> Label:
        """Put a label in force, recording or sealed, and return it.

        StateError after consumption.
        """
        with self._locked():
            folder = self._labelled(episode_id)
            return self._save_label(folder, self._rules(folder), self._rules(folder).set(label))

    def undo_label(self, episode_id: str) -> Label:
        """Go back to the label before this one and return it; StateError after consumption."""
        with self._locked():
            folder = self._labelled(episode_id)
            return self._save_label(folder, self._rules(folder), self._rules(folder).undo())

    def decide(self, episode_id: str, decision: Decision) -> Decision:
        """Write the decision, once: from here on the label stands.

        The same decision again is a no-op; StateError when it differs, or when the label changed
        since it was judged.
        """
        folder = self.path(episode_id)
        with self._locked():
            known = self.decision(episode_id)
            if known is not None:
                _check_same(episode_id, known, decision)
                return known
            revision = self._rules(folder).label.revision
            if decision.revision != revision:
                raise StateError(
                    f"The label of {episode_id} is at revision {revision}, the decision judged"
                    f" revision {decision.revision}: judge it again"
                )
            write_document(folder / DECISION, decision_to_json(decision), "decision")
            return decision

    def decision(self, episode_id: str) -> Decision | None:
        """Return the decision on a sealed episode, or None."""
        try:
            return decision_from_json(read_document(self.path(episode_id) / DECISION))
        except FileNotFoundError:
            return None

    def verify(self, episode_id: str) -> Manifest:
        """Compare every file with the manifest; IntegrityError names the first that differs."""
        return verify_folder(self.path(episode_id))

    def quarantine(self, episode_id: str, reason: str) -> Path:
        """Put an episode aside with the reason beside it, and return its new place."""
        with self._locked():
            return self.put_aside(self.path(episode_id), reason)

    def recover(self) -> tuple[Recovered, ...]:
        """Deal with what dead recorders left: seal it as aborted, or quarantine it.

        Raises StateError while another process records into this store.
        """
        self._claim.take()
        try:
            found = []
            for folder in sorted(p for p in self.recording.iterdir() if p.is_dir()):
                owner = read_owner(folder)
                if owner is None or not owner.alive():
                    found.append(recover_folder(folder, owner, self.publish, self.put_aside))
            return tuple(found)
        finally:
            self._claim.release()

    def rows(self, task: str | None = None) -> list[EpisodeRow]:
        """Return the index, brought up to date, by id: of all tasks or of one."""
        return self._index.rows(self.episodes, task)

    def prune(self, max_bytes: int) -> tuple[str, ...]:
        """Delete the oldest rejected episodes until the sealed ones fit, and return their ids.

        Accepted and undecided episodes are never deleted, so the store may stay above
        ``max_bytes``.
        """
        rows = self.rows()
        total = sum(row.size for row in rows)
        gone = []
        for row in rows:
            if total > max_bytes and row.accepted is False:
                remove_folder(self.path(row.episode_id))
                total -= row.size
                gone.append(row.episode_id)
        return tuple(gone)

    def put_aside(self, folder: Path, reason: str) -> Path:
        """Move a folder to quarantine/ and write reason.txt into it."""
        target = self.quarantined / folder.name
        number = 1
        while target.exists():
            number += 1
            target = self.quarantined / f"{folder.name}.{number}"
        os.rename(folder, target)
        # A full disk may refuse the text; the folder is aside all the same, and the caller knows
        # the reason.
        with suppress(OSError):
            write_atomic(target / "reason.txt", f"{reason}\n".encode())
            fsync_path(self.quarantined)
        return target

    def publish(self, folder: Path, unsynced: Collection[str] = ()) -> Path:
        """Move a complete folder from recording/ to episodes/ and bring it to the disk.

        Args:
            unsynced: its files that are not on the disk yet; they get there in the same go. A
                power cut before the end of this call may leave them torn under the final name.
        """
        target = self.episodes / folder.name
        with self._locked():
            if target.exists():
                raise StateError(f"Episode {folder.name} is sealed already")
            clear_scaffold(folder)
            crash_point("seal:cleared")
            os.rename(folder, target)
        crash_point("seal:renamed")
        fsync_all([*(target / n for n in unsynced), target, self.episodes, folder.parent])
        return target

    @contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self.root / "store.lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _make_folder(self, meta: EpisodeMeta) -> Path:
        folder = self.recording / meta.episode_id
        for place in (self.episodes, self.quarantined):
            if (place / meta.episode_id).exists():
                raise StateError(f"Episode {meta.episode_id} exists already under {place}")
        try:
            folder.mkdir()
        except FileExistsError as error:
            owner = read_owner(folder)
            by = f"by process {owner.pid}" if owner else "by a process that died"
            raise StateError(f"Episode {meta.episode_id} is being recorded {by}") from error
        except OSError as error:
            raise BagWriteError(
                f"Cannot begin an episode: {error}. {free_space(self.root)}"
            ) from error
        return folder

    def _is_recording(self, episode_id: str) -> bool:
        return (self.recording / episode_id).is_dir()

    def _labelled(self, episode_id: str) -> Path:
        check_episode_id(episode_id)
        if self._is_recording(episode_id):
            return self.recording / episode_id
        folder = self.episodes / episode_id
        if folder.is_dir():
            return folder
        raise UnknownName("episode", episode_id, [*self.ids()[-5:], *self.recording_ids()])

    def _rules(self, folder: Path) -> LabelRules:
        consumed = (folder / DECISION).exists()
        try:
            data = read_document(folder / LABEL)
        except FileNotFoundError:
            return LabelRules(consumed=consumed)
        try:
            labels = tuple(label_from_json(entry) for entry in data["labels"])
            return LabelRules(labels=labels, revision=int(data["revision"]), consumed=consumed)
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError(f"{folder / LABEL} is not a label file: {error!r}") from error

    def _save_label(self, folder: Path, before: LabelRules, after: LabelRules) -> Label:
        if after is not before and after != before:
            content = {
                "labels": [label_to_json(label) for label in after.labels],
                "revision": after.revision,
            }
            write_document(folder / LABEL, content, "label")
        return after.label


def _check_same(episode_id: str, known: Decision, new: Decision) -> None:
    if (known.accepted, known.revision) != (new.accepted, new.revision):
        raise StateError(
            f"Episode {episode_id} was {'accepted' if known.accepted else 'rejected'} already, for"
            f" label revision {known.revision}; a decision is written once"
        )
