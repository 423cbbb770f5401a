# SPDX-License-Identifier: Apache-2.0
"""What a person reads while the benchmark runs: what is finished, and how long the rest takes."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean

from hiors_bench.crew import Answer
from hiors_bench.runs import START, Job, Record


class Progress:
    """Counts jobs, and guesses the end from how long each arm took.

    Args:
        todo: jobs that are to be done. before: how many were finished earlier.
    """

    def __init__(
        self,
        todo: Iterable[Job],
        before: int,
        workers: int,
        say: Callable[[str], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._todo = set(todo)
        self._total, self._done, self._workers = len(self._todo) + before, before, workers
        self._say, self._now = say, now
        self._heard = now()
        self._took: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
        kept = f", {before} of them finished before" if before else ""
        say(f"{self._total} jobs on {workers} processes{kept}")

    def finished(self, answer: Answer, record: Record) -> None:
        """Say what became of a job."""
        job = answer.job
        self._done += 1
        self._todo.discard(job)
        self._heard = self._now()
        if not answer.error:
            self._took[job.task, job.arm].append(record["wall_s"])
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
        runs = [fmean(took) for (_, arm), took in self._took.items() if arm != START]
        if not runs or not self._todo:
            return ""
        # An arm that has not been run yet counts as those that have.
        usual = fmean(runs)
        work = sum(fmean(self._took.get((job.task, job.arm), [usual])) for job in self._todo)
        seconds = work / self._workers - (self._now() - self._heard)
        return f" | about {max(1, round(seconds / 60.0))} min left"
