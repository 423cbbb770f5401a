# SPDX-License-Identifier: Apache-2.0
"""The crew with workers that are real processes, but do nothing that takes long."""

import os
import sys
from pathlib import Path

import pytest

from hiors_bench.crew import Answer, Crew
from hiors_bench.progress import Progress
from hiors_bench.runs import START, Job

WORKER = """
import json, os, sys
done = sys.argv[1]
for line in sys.stdin:
    job = json.loads(line)
    if job["arm"] == "dies":
        os._exit(3)
    open(f"{done}/{job['arm']}", "a").write(f"{os.getpid()} {os.environ['OMP_NUM_THREADS']}\\n")
    error = "told you so" if job["arm"] == "fails" else ""
    print(json.dumps({"error": error}), flush=True)
"""


def crew(folder: Path, count: int = 2) -> Crew:
    return Crew([sys.executable, "-c", WORKER, str(folder)], count, folder)


def work(folder: Path, needs: dict[str, list[str]], count: int = 2) -> tuple[list, list]:
    jobs = {Job("t", name, 0): [Job("t", b, 0) for b in before] for name, before in needs.items()}
    told: list[Answer] = []
    with crew(folder, count) as workers:
        failed = workers.work(jobs, told.append, lambda _: None)
    return [a.job.arm for a in told], failed


@pytest.mark.parametrize("count", [1, 3])
def test_jobs_are_done_after_those_they_need(tmp_path: Path, count: int) -> None:
    told, failed = work(tmp_path, {"c": ["a", "b"], "b": ["a"], "a": []}, count)
    assert told == ["a", "b", "c"]
    assert failed == []


def test_what_is_finished_before_counts_as_done(tmp_path: Path) -> None:
    assert work(tmp_path, {"b": ["a"]}) == (["b"], [])


def test_a_failed_job_takes_along_only_those_that_need_it(tmp_path: Path) -> None:
    told, failed = work(tmp_path, {"fails": [], "x": ["fails"], "y": ["x"], "z": []}, 1)
    assert told == ["fails", "z"]
    assert [(a.job.arm, a.error) for a in failed] == [
        ("fails", "told you so"),
        ("x", "needs t--fails--0000, which failed"),
        ("y", "needs t--fails--0000, which failed"),
    ]


def test_a_worker_that_dies_fails_its_job_and_is_replaced(tmp_path: Path) -> None:
    told, failed = work(tmp_path, {"dies": [], "a": [], "b": []}, 1)
    assert told == ["dies", "a", "b"]
    assert "died with code 3" in failed[0].error


def test_workers_have_one_thread_and_are_gone_afterwards(tmp_path: Path) -> None:
    work(tmp_path, {"a": []}, 1)
    pid, threads = (tmp_path / "a").read_text().split()
    assert threads == "1"
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)


def test_progress_says_what_is_done_and_what_is_left() -> None:
    said: list[str] = []
    now = [0.0]
    arms = (START, "hi_ors", "qc", "bc_total")
    jobs = [Job("t", arm, seed) for seed in (0, 1) for arm in arms]
    progress = Progress(jobs, 2, 2, said.append, lambda: now[0])
    progress.finished(Answer(job=jobs[0]), {"k": 3, "n": 5, "wall_s": 20.0})
    run = {"success": {"k": 4, "n": 5}, "wall_s": 61.2, "status": "finished"}
    progress.finished(Answer(job=jobs[1]), run)
    progress.finished(Answer(job=jobs[2]), {**run, "wall_s": 600.0})
    progress.finished(Answer(job=jobs[3], error="no"), {})
    now[0] = 120.0
    progress.beat(jobs[4:6])
    # Left: a start of 20 s, 61 s, 600 s, and an arm not run yet that counts as their mean.
    assert said == [
        "10 jobs on 2 processes, 2 of them finished before",
        "[3/10] t start seed 0: 3/5 before learning online",
        "[4/10] t hi_ors seed 0: 4/5, 61 s | about 3 min left",
        "[5/10] t qc seed 0: 4/5, 600 s | about 11 min left",
        "[6/10] t bc_total seed 0: FAILED: no | about 8 min left",
        "[6/10] at work on start seed 1, hi_ors seed 1 | about 6 min left",
    ]
