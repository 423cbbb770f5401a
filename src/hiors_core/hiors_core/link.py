# SPDX-License-Identifier: Apache-2.0
"""The bridge's end of the files between it and the learner: notices, ledger, status.

Delivery is at least once by file name and exactly once by the ledger. Knows no ROS, no training.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hiors_core.durable import read_json, write_atomic
from hiors_core.errors import HiorsError
from hiors_core.names import check_episode_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """An accepted episode that the learner is to take in; ``sha256`` is that of manifest.json."""

    episode_id: str
    path: str
    sha256: str
    task: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """An episode that is in the training set, durably."""

    episode_id: str
    sha256: str
    kind: str
    transitions: int


class Link:
    """The folder link/ of a run."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self.inbox = self.root / "inbox"
        self.inbox.mkdir(parents=True, exist_ok=True)
        self._ledger = self.root / "ledger.jsonl"
        self._status = self.root / "status.json"
        self._read = 0

    def send(self, notice: Notice) -> None:
        """Leave a notice for the learner; the same one again replaces it."""
        name = f"{check_episode_id(notice.episode_id)}.json"
        write_atomic(self.inbox / name, json.dumps(asdict(notice)).encode(), "notice")

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
        )
    except (ValueError, KeyError, TypeError, HiorsError):
        return None
