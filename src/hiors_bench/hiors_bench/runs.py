# SPDX-License-Identifier: Apache-2.0
"""The folder of a benchmark: its design, one file for each finished run, what is written at the
end. A run that is finished is not done again.
"""

import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hiors_bench.settings import BenchSettings, from_json, to_json
from hiors_core.durable import read_document, write_atomic, write_document
from hiors_core.errors import IntegrityError, InvalidValue

FORMAT = 1
DESIGN = "bench.json"
RESULTS = "results.json"
START = "start"
"""In the place of an arm: the demonstrations of a seed and the policy trained on them."""

Record = dict[str, Any]


@dataclass(frozen=True, slots=True, order=True)
class Job:
    """One piece of work: a run of an arm, or the start that the arms of a seed share."""

    task: str
    arm: str
    seed: int

    @property
    def name(self) -> str:
        """Name of its file."""
        return f"{self.task}--{self.arm}--{self.seed:04d}"


class BenchFolder:
    """Where a benchmark keeps everything."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def create(self, settings: BenchSettings) -> None:
        """Begin, or go on with what is there; refuse a folder with something else in it."""
        if (self.root / DESIGN).is_file():
            self._compare(settings)
        elif self.root.exists() and (not self.root.is_dir() or any(self.root.iterdir())):
            raise InvalidValue(
                f"--out {self.root} holds something else than a benchmark: choose a new or an"
                " empty folder, or one that `hiors bench learning` made"
            )
        for name in ("runs", "starts", "work", "logs"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        write_document(self.root / DESIGN, {"format": FORMAT, "settings": to_json(settings)})

    def settings(self) -> BenchSettings:
        """Return the design of this folder's runs, or raise IntegrityError."""
        data = read_document(self.root / DESIGN)
        if data.get("format") != FORMAT:
            raise IntegrityError(f"{self.root / DESIGN} is of format {data.get('format')}")
        return from_json(data["settings"])

    def start(self, task: str, seed: int) -> Path:
        """Return the folder of a start."""
        return self.root / "starts" / Job(task, START, seed).name

    def done(self, job: Job) -> bool:
        """Tell whether a job is finished."""
        return self._file(job).is_file()

    def save(self, job: Job, record: Record) -> None:
        """Write what a job found."""
        write_document(self._file(job), record)

    def load(self, job: Job) -> Record:
        """Return what a finished job found, or raise IntegrityError."""
        path = self._file(job)
        try:
            return read_document(path)
        except IntegrityError as error:
            raise IntegrityError(
                f"{error}. Delete it and start again: the run is redone"
            ) from error

    def workspace(self, job: Job) -> Path:
        """Return an empty folder for the episodes of a job."""
        folder = self.root / "work" / job.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def write_results(self, jobs: Iterable[Job]) -> list[Record]:
        """Write results.json with the runs that are finished, and return them."""
        runs = [self.load(job) for job in jobs if self.done(job)]
        text = json.dumps({"runs": runs}, indent=1, allow_nan=False)
        write_atomic(self.root / RESULTS, f"{text}\n".encode())
        return runs

    def finished(self) -> list[Job]:
        """Return all finished runs of the folder, by name."""
        found = []
        for path in sorted((self.root / "runs").glob("*--*--*.json")):
            task, arm, seed = path.stem.rsplit("--", 2)
            found.append(Job(task, arm, int(seed)))
        return found

    def _file(self, job: Job) -> Path:
        if job.arm == START:
            return self.start(job.task, job.seed) / "start.json"
        return self.root / "runs" / f"{job.name}.json"

    def _compare(self, settings: BenchSettings) -> None:
        mine, theirs = to_json(settings), to_json(self.settings())
        differ = [f"{k} {theirs[k]} there, {mine[k]} now" for k in mine if mine[k] != theirs[k]]
        if differ:
            raise InvalidValue(
                f"--out {self.root} has runs of another design ({'; '.join(differ)}): choose"
                " another folder, or give the same options"
            )
