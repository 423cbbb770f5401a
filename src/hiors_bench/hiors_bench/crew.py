# SPDX-License-Identifier: Apache-2.0
"""Processes that do the jobs, one a core. Knows nothing of what a job is but its name and needs.

Each worker reads one JSON line a job and answers with one; it ends when its input does.
"""

import json
import os
import selectors
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from hiors_bench.runs import Job
from hiors_core.errors import HiorsError

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_BEAT = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of a job: ``error`` is empty when it is finished."""

    job: Job
    error: str = ""


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


class Crew:
    """A fixed number of workers; they are ended with the block."""

    def __init__(self, command: Sequence[str], count: int, logs: Path) -> None:
        self._command, self._count, self._logs = list(command), count, logs
        self._workers: list[_Worker] = []
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.end()
        self._selector.close()

    def work(
        self,
        needs: Mapping[Job, Sequence[Job]],
        told: Callable[[Answer], None],
        beat: Callable[[Sequence[Job]], None],
    ) -> list[Answer]:
        """Do all jobs, each after those it needs, and return the ones that failed.

        Args:
            needs: jobs that must be finished before a job, of those that are to be done.
            told: called with each answer. beat: called every 30 s with the jobs under way.
        """
        waiting = {job: set(before) & set(needs) for job, before in needs.items()}
        failed: list[Answer] = []
        while waiting or self._busy():
            for worker in self._idle():
                job = next((j for j, before in waiting.items() if not before), None)
                if job is None:
                    break
                del waiting[job]
                worker.begin(job)
            for answer in self._listen(lambda: beat([w.job for w in self._busy() if w.job])):
                told(answer)
                if answer.error:
                    failed.append(answer)
                    failed += _give_up(waiting, answer)
                for before in waiting.values():
                    before.discard(answer.job)
        return failed

    def _busy(self) -> "list[_Worker]":
        return [w for w in self._workers if w.job is not None]

    def _idle(self) -> "list[_Worker]":
        while len(self._workers) < self._count:
            worker = _Worker(self._command, self._logs / f"worker{len(self._workers)}.log")
            self._workers.append(worker)
            self._selector.register(worker.output, selectors.EVENT_READ, worker)
        return [w for w in self._workers if w.job is None]

    def _listen(self, beat: Callable[[], None]) -> list[Answer]:
        events = self._selector.select(_BEAT)
        if not events:
            beat()
        answers = []
        for key, _ in events:
            worker = cast(_Worker, key.data)
            answer = worker.answer()
            if worker.gone:
                self._selector.unregister(worker.output)
                self._workers.remove(worker)
            if answer is not None:
                answers.append(answer)
        return answers


def _give_up(waiting: dict[Job, set[Job]], lost: Answer) -> list[Answer]:
    """Take out the jobs that cannot be done without the lost one."""
    out: list[Answer] = []
    gone = {lost.job}
    while found := [job for job, before in waiting.items() if before & gone]:
        for job in found:
            del waiting[job]
            gone.add(job)
            out.append(Answer(job=job, error=f"needs {lost.job.name}, which failed"))
    return out


class _Worker:
    def __init__(self, command: Sequence[str], log: Path) -> None:
        self.job: Job | None = None
        self.gone = False
        self._log = log
        with log.open("ab") as errors:
            # One thread each: more would only fight for the same cores.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, **dict.fromkeys(_THREADS, "1")},
                # Ctrl-C is for the parent, which ends its workers.
                start_new_session=True,
            )
        self._input = cast(IO[bytes], self._process.stdin)
        self.output = cast(IO[bytes], self._process.stdout)

    def begin(self, job: Job) -> None:
        self.job = job
        line: dict[str, Any] = {"task": job.task, "arm": job.arm, "seed": job.seed}
        try:
            self._input.write(json.dumps(line).encode() + b"\n")
            self._input.flush()
        except BrokenPipeError as error:
            raise HiorsError(f"A worker does not start; see {self._log}") from error

    def answer(self) -> Answer | None:
        """Return the answer to the present job; a worker that died has failed it."""
        line, job = self.output.readline(), self.job
        self.job = None
        if line:
            error = str(json.loads(line)["error"])
        else:
            self.gone = True
            code = self._process.wait()
            error = f"its process died with code {code}; see {self._log}"
        return Answer(job=job, error=error) if job is not None else None

    def end(self) -> None:
        """End the process; what it is at is redone next time."""
        self._process.kill()
        self._process.wait()
        self._input.close()
        self.output.close()


def worker_command(root: Path, config: Path) -> list[str]:
    """Return the command line of a worker."""
    return [sys.executable, "-P", "-m", "hiors_bench.worker", str(root), str(config)]
