# SPDX-License-Identifier: Apache-2.0
"""What a person reads while the benchmark runs: what is finished, and how long the rest takes."""

import time
from collections.abc import Callable, Sequence

from hiors_bench.crew import Answer
from hiors_bench.runs import START, Job, Record


class Progress:
    """Counts jobs and guesses the end from the time of those that are finished."""

    def __init__(
        self,
        total: int,
        before: int,
        workers: int,
        say: Callable[[str], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total, self._done, self._workers = total, before, workers
        self._say, self._now = say, now
        self._begun, self._fresh = now(), 0
        kept = f", {before} of them finished before" if before else ""
        say(f"{total} jobs on {workers} processes{kept}")

    def finished(self, answer: Answer, record: Record) -> None:
        """Say what became of a job."""
        self._done += 1
        self._fresh += 1
        job = answer.job
        said = answer.error and f"FAILED: {answer.error}"
        if not said and job.arm == START:
            said = f"{record['k']}/{record['n']} before learning online"
        elif not said:
            found = record["success"]
            said = f"{found['k']}/{found['n']}, {record['wall_s']:.0f} s"
            if record["status"] != "finished":
                said += f" ({record['status']})"
        self._say(f"[{self._done}/{self._total}] {job.task} {job.arm} seed {job.seed}: {said}"
                  f"{self._left()}")  # fmt: skip

    def beat(self, busy: Sequence[Job]) -> None:
        """Say that something is still under way."""
        names = ", ".join(f"{job.arm} seed {job.seed}" for job in busy)
        self._say(f"[{self._done}/{self._total}] at work on {names}{self._left()}")

    def _left(self) -> str:
        if not self._fresh or self._done >= self._total:
            return ""
        took = self._now() - self._begun
        minutes = took / self._fresh * (self._total - self._done) / 60.0
        return f" | about {max(1, round(minutes))} min left"
