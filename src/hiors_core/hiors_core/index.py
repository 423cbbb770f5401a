# SPDX-License-Identifier: Apache-2.0
"""A table over the sealed episodes, derived from their folders: it may be deleted."""

import contextlib
import math
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from hiors_core.acceptance import Decision, decision_from_json
from hiors_core.durable import read_document
from hiors_core.errors import HiorsError
from hiors_core.folder import DECISION, LABEL, read_manifest
from hiors_core.label import Label, Outcome, label_from_json
from hiors_core.manifest import Manifest

_TIMEOUT = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeRow:
    """One sealed episode at a glance.

    Attributes:
        start: stamp of the first control tick [ns]. duration: [s]. size: [bytes].
        episode_return: NaN until there is one. accepted: None until decided. threshold: NaN until
            decided.
    """

    episode_id: str
    task: str
    start: int
    duration: float
    ticks: int
    transitions: int
    interventions: int
    human_fraction: float
    aborted: bool
    size: int
    outcome: int
    episode_return: float
    accepted: bool | None
    threshold: float


_COLUMNS = tuple(f.name for f in fields(EpisodeRow))
_CREATE = (
    "CREATE TABLE IF NOT EXISTS episodes (episode_id TEXT PRIMARY KEY, "
    f"{', '.join(_COLUMNS[1:])}, changed INTEGER)"
)
_MARKS = ", ".join("?" * (len(_COLUMNS) + 1))
_INSERT = f"REPLACE INTO episodes VALUES ({_MARKS})"  # noqa: S608 - only question marks


class StoreIndex:
    """The index of one store, in SQLite.

    A folder is read again only when its modification time has changed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def rows(self, episodes: Path, task: str | None = None) -> list[EpisodeRow]:
        """Bring the index up to date and return its rows by id, of all tasks or of one."""
        try:
            return self._rows(episodes, task)
        except sqlite3.DatabaseError:
            self._path.unlink(missing_ok=True)
            return self._rows(episodes, task)

    def _rows(self, episodes: Path, task: str | None) -> list[EpisodeRow]:
        with contextlib.closing(_open(self._path)) as database:
            with database:
                _refresh(database, episodes)
            found = database.execute("SELECT * FROM episodes ORDER BY episode_id")
            rows = [_row(values[:-1]) for values in found]
        return [row for row in rows if task in (None, row.task)]


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=_TIMEOUT)
    database.execute(_CREATE)
    return database


def _refresh(database: sqlite3.Connection, episodes: Path) -> None:
    known = dict(database.execute("SELECT episode_id, changed FROM episodes"))
    present = dict(_folders(episodes))
    gone = [(name,) for name in known if name not in present]
    database.executemany("DELETE FROM episodes WHERE episode_id = ?", gone)
    for name, changed in present.items():
        if known.get(name) != changed and (row := _read(episodes / name)) is not None:
            database.execute(_INSERT, (*astuple(row), changed))


def _folders(episodes: Path) -> Iterator[tuple[str, int]]:
    with os.scandir(episodes) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                if entry.is_dir():
                    yield entry.name, entry.stat().st_mtime_ns


def _read(folder: Path) -> EpisodeRow | None:
    try:
        return make_row(read_manifest(folder), _label(folder), _decision(folder))
    except (HiorsError, OSError):
        return None


def make_row(manifest: Manifest, label: Label, decision: Decision | None) -> EpisodeRow:
    """Make the row of an episode."""
    return EpisodeRow(
        episode_id=manifest.episode_id,
        task=manifest.task,
        start=manifest.start,
        duration=manifest.duration,
        ticks=manifest.ticks,
        transitions=manifest.transitions,
        interventions=manifest.interventions,
        human_fraction=manifest.human_fraction,
        aborted=manifest.aborted,
        size=manifest.size,
        outcome=int(label.outcome),
        episode_return=label.episode_return,
        accepted=decision.accepted if decision else None,
        threshold=decision.threshold if decision else math.nan,
    )


def _label(folder: Path) -> Label:
    try:
        labels = read_document(folder / LABEL)["labels"]
    except FileNotFoundError:
        return Label()
    return label_from_json(labels[-1]) if labels else Label()


def _decision(folder: Path) -> Decision | None:
    try:
        return decision_from_json(read_document(folder / DECISION))
    except FileNotFoundError:
        return None


def _row(values: tuple[object, ...]) -> EpisodeRow:
    found = dict(zip(_COLUMNS, values, strict=True))
    for name in ("episode_return", "threshold"):
        # SQLite keeps NaN as NULL.
        found[name] = math.nan if found[name] is None else found[name]
    found["aborted"] = bool(found["aborted"])
    found["accepted"] = None if found["accepted"] is None else bool(found["accepted"])
    found["outcome"] = Outcome(int(str(found["outcome"])))
    return EpisodeRow(**found)  # type: ignore[arg-type]
