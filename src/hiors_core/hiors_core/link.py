# SPDX-License-Identifier: Apache-2.0
"""The files between the robot's side and the learner: notices, ledger, refusals, status.

Delivery is at least once by file name and exactly once by the ledger. When the learner is on
another host, each side has these files and hiors_link keeps them alike. Knows no ROS, no training,
no network.
"""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hiors_core.durable import read_document, read_json, write_atomic, write_document
from hiors_core.errors import HiorsError
from hiors_core.names import check_episode_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """An accepted episode that the learner is to take in.

    Attributes:
        episode_id: its id. path: its folder. task: name of the task.
        sha256: of its manifest.json. actor: robot that sent it from another host, or "".
    """

    episode_id: str
    path: str
    sha256: str
    task: str
    actor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """An episode that is in the training set, durably.

    Attributes:
        episode_id: its id. sha256: of its manifest.json. kind: "online" or "demonstration".
        transitions: that it gave. actor: robot that sent it from another host, or "".
    """

    episode_id: str
    sha256: str
    kind: str
    transitions: int
    actor: str = ""


class Link:
    """The folder link/ of a run."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self.inbox = self.root / "inbox"
        self.inbox.mkdir(parents=True, exist_ok=True)
        self.refused = self.root / "refused"
        self._ledger = self.root / "ledger.jsonl"
        self._status = self.root / "status.json"
        self._read = 0

    def send(self, notice: Notice, *, sync: bool = True) -> None:
        """Leave a notice for the learner; the same one again replaces it.

        ``sync`` brings it to the disk.
        """
        name = f"{check_episode_id(notice.episode_id)}.json"
        data = json.dumps(asdict(notice)).encode()
        write_atomic(self.inbox / name, data, "notice", sync=sync)

    @property
    def mark(self) -> int:
        """What changes with the inbox; two changes within the kernel's tick may give the same."""
        return self.inbox.stat().st_mtime_ns

    def waiting(self) -> list[str]:
        """Return the ids of the episodes that wait, oldest first."""
        found = []
        for path in self.inbox.glob("*.json"):
            with suppress(FileNotFoundError):
                found.append((path.stat().st_mtime_ns, path.stem))
        return [episode_id for _, episode_id in sorted(found)]

    def notice(self, episode_id: str) -> Notice | None:
        """Return the notice of an episode that waits, or None when it is none."""
        with suppress(OSError, HiorsError, TypeError):
            notice = Notice(**read_json(self.inbox / f"{check_episode_id(episode_id)}.json"))
            return notice if notice.episode_id == episode_id else None
        return None

    def settle(self, episode_id: str) -> None:
        """Take a notice away: the episode is with the learner."""
        (self.inbox / f"{check_episode_id(episode_id)}.json").unlink(missing_ok=True)

    def enter(self, entries: Sequence[LedgerEntry]) -> None:
        """Copy entries of a learner on another host into this side's ledger, synced."""
        lines = [json.dumps(asdict(entry), ensure_ascii=False) + "\n" for entry in entries]
        with self._ledger.open("ab") as file:
            file.write("".join(lines).encode())
            file.flush()
            os.fsync(file.fileno())

    def refuse(self, episode_id: str, reason: str, stamp: int) -> None:
        """Note why the learner did not take an episode in; stamp in [ns]."""
        self.refused.mkdir(exist_ok=True)
        name = f"{check_episode_id(episode_id)}.json"
        content = {"episode_id": episode_id, "reason": reason, "stamp_ns": stamp}
        write_document(self.refused / name, content, "refuse")

    def refusal(self, episode_id: str) -> str:
        """Return why the learner did not take an episode in, or ""."""
        try:
            path = self.refused / f"{check_episode_id(episode_id)}.json"
            return str(read_document(path)["reason"])
        except (OSError, KeyError, HiorsError):
            return ""

    def set_status(self, content: Mapping[str, Any]) -> None:
        """Copy what a learner on another host says of itself."""
        write_atomic(self._status, json.dumps(content).encode(), "status", sync=False)

    def ledger(self) -> list[LedgerEntry]:
        """Return all entries; a torn line is skipped."""
        self._read = 0
        return self.new_entries()

    def new_entries(self) -> list[LedgerEntry]:
        """Return the entries since the last call of this method or of ledger()."""
        try:
            with self._ledger.open("rb") as file:
                file.seek(self._read)
                data = file.read()
        except FileNotFoundError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        return [entry for line in whole.splitlines() if (entry := _entry(line)) is not None]

    def status(self) -> Mapping[str, Any] | None:
        """Return what the learner says of itself, or None when it never spoke."""
        try:
            return read_json(self._status)
        except FileNotFoundError:
            return None


def _entry(line: bytes) -> LedgerEntry | None:
    try:
        data = json.loads(line)
        return LedgerEntry(
            episode_id=check_episode_id(data["episode_id"]),
            sha256=str(data["sha256"]),
            kind=str(data["kind"]),
            transitions=int(data["transitions"]),
            actor=str(data.get("actor", "")),
        )
    except (ValueError, KeyError, TypeError, HiorsError):
        return None
