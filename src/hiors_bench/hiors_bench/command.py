# SPDX-License-Identifier: Apache-2.0
"""`hiors bench learning`: Hi-ORS against its baselines and without its parts, in simulation.

Each run goes into one file of --out; the same command goes on where it was stopped. At the end
there are results.json, report.md and pictures.
"""

import argparse
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from hiors_bench import arms as table
from hiors_bench.arms import ARMS
from hiors_bench.crew import Answer, Crew, cores, worker_command
from hiors_bench.lab import EXTERNAL, known, open_world
from hiors_bench.progress import Progress
from hiors_bench.runs import RESULTS, START, BenchFolder, Job
from hiors_bench.settings import SMOKE, BenchSettings
from hiors_bench.tables import report
from hiors_core.durable import write_atomic
from hiors_core.errors import InvalidValue, UnknownName

FIRST_TASK = "insert_moisturizer_ee"
REPORT = "report.md"
FAILED = 1
_MOST_SEEDS = 1000


def main(argv: Sequence[str], config: Path, parser: argparse.ArgumentParser) -> int:
    """Run what the words ask for; 0, or 1 when a run failed.

    Args:
        config: the folder with tasks/, robots/ and learner/. parser: an empty one.
    """
    options = parse(argv, parser)
    settings = design(options)
    chosen = plan(options.tasks, options.arms, options.seeds, known(config))
    for task in dict.fromkeys(job.task for job in chosen):
        open_world(config, task, settings)
    folder = BenchFolder(options.out.absolute())
    folder.create(settings)
    todo = {job: before for job, before in chosen.items() if not folder.done(job)}
    progress = Progress(todo, len(chosen) - len(todo), options.jobs, _say)
    if todo:
        command = worker_command(folder.root, config)
        with Crew(command, min(options.jobs, len(todo)), folder.root / "logs") as crew:
            failed = crew.work(todo, _teller(folder, progress), progress.beat)
    else:
        failed = []
    write_up(folder, [j for j in chosen if j.arm != START], shlex.join(argv))
    _say(f"{folder.root / REPORT} and {RESULTS} say how it went")
    if options.publish is not None:
        publish(folder, options.publish)
        _say(f"copied to {options.publish}")
    return FAILED if failed else 0


def parse(argv: Sequence[str], parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Return the options; what is not there is None."""
    parser.description, parser.formatter_class = __doc__, argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add(
        "--tasks", nargs="+", metavar="TASK",
        help=f"of config/tasks ({FIRST_TASK}), all of them, or {', '.join(EXTERNAL)}",
    )  # fmt: skip
    add(
        "--arms", nargs="+", metavar="ARM",
        help=f"{', '.join(ARMS)}; {', '.join(table.GROUPS)}, all"
        " (comparison on every task, ablation on the first)",
    )  # fmt: skip
    add("--seeds", nargs="+", metavar="SEED", help="such as 0-4 or 0 2 7 (0-4)")
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--frames", type=int, help="collected online, 0.1 s each (3000)")
    budget.add_argument("--episodes", type=int, help="collected online instead")
    add("--demonstrations", type=int, help="that every arm starts from (5)")
    add("--start-steps", type=int, help="gradient steps on the demonstrations alone (1500)")
    add("--utd", type=float, help="gradient steps for each frame collected (1)")
    add("--evaluations", type=int, help="episodes of the last evaluation (100)")
    add("--smoke", action="store_true", help="one tiny run of each arm, about two minutes")
    add("--jobs", type=int, default=cores(), help=f"processes at a time ({cores()}, the cores)")
    add("--out", type=Path, help="folder (runs/bench-learning, or runs/bench-smoke)")
    add("--publish", type=Path, help="folder to copy report, results and pictures to")
    options = parser.parse_args(list(argv))
    if options.jobs < 1:
        raise InvalidValue(f"--jobs must be at least 1, got {options.jobs}")
    options.seeds = seeds(options.seeds or (["0"] if options.smoke else ["0-4"]))
    options.tasks = options.tasks or [FIRST_TASK]
    options.arms = options.arms or (["all"] if options.smoke else None)
    options.out = options.out or Path("runs", f"bench-{'smoke' if options.smoke else 'learning'}")
    return options


def design(options: argparse.Namespace) -> BenchSettings:
    """Return the design with what the options change."""
    base = SMOKE if options.smoke else BenchSettings()
    changes = {
        name: value
        for name in ("demonstrations", "start_steps", "frames", "episodes", "evaluations", "utd")
        if (value := getattr(options, name)) is not None
    }
    for name, value in changes.items():
        if name != "utd" and value < 1:
            option = name.replace("_", "-")
            raise InvalidValue(f"--{option} must be at least 1, got {value}")
    if "episodes" in changes:
        changes["frames"] = 0
    elif "frames" in changes:
        changes["episodes"] = 0
    return replace(base, **changes)


def seeds(words: Sequence[str]) -> list[int]:
    """Return the seeds that words such as "3" or "0-4" name."""
    found: set[int] = set()
    for word in words:
        low, dash, high = word.partition("-")
        if not low.isdecimal() or (dash and not high.isdecimal()):
            raise InvalidValue(f"--seeds takes whole numbers and ranges such as 0-4, got {word!r}")
        span = range(int(low), int(high if dash else low) + 1)
        if not span or span[-1] >= _MOST_SEEDS:
            raise InvalidValue(f"--seeds must rise and be below {_MOST_SEEDS}, got {word!r}")
        found |= set(span)
    return sorted(found)


def plan(
    named: Sequence[str], arms: Sequence[str] | None, wanted: Sequence[int], there: Sequence[str]
) -> dict[Job, list[Job]]:
    """Return all jobs with those that each needs, in the order in which to begin them."""
    own = sorted((t for t in there if t not in EXTERNAL), key=lambda task: task != FIRST_TASK)
    chosen = list(dict.fromkeys(t for word in named for t in (own if word == "all" else [word])))
    for task in chosen:
        if task not in there:
            raise UnknownName("task", task, [*there, "all"])
    jobs: dict[Job, list[Job]] = {}
    for seed in wanted:
        for task in chosen:
            usual = [table.COMPARISON, *([table.ABLATION] if task == chosen[0] else [])]
            names = table.choose(arms or usual)
            anywhere = [name for name in names if not ARMS[name].task]
            _add(jobs, task, anywhere, seed)
            for name in (n for n in names if n not in anywhere):
                for task_of_arm in filter(None, (ARMS[name].task, ARMS[name].beside)):
                    if task_of_arm not in there:
                        raise UnknownName("task", task_of_arm, there, f"Arm {name} needs it.")
                _add(jobs, ARMS[name].task, [name], seed)
    return dict(sorted(jobs.items(), key=lambda item: _turn(item[0], chosen[0])))


def _turn(job: Job, first: str) -> int:
    """Return when a job's turn is: the comparison on the first task, then its ablations, then the
    rest; what a job needs has the same turn or an earlier one.
    """
    if job.task != first:
        return 2
    return int(job.arm != START and ARMS[job.arm].group in table.LEFT_OUT)


def _add(jobs: dict[Job, list[Job]], task: str, names: Sequence[str], seed: int) -> None:
    """Add the jobs of some arms, after those that they need."""
    start = Job(task, START, seed)
    for name in table.needed(names):
        jobs.setdefault(start, [])
        jobs[Job(task, name, seed)] = [start]
        if beside := ARMS[name].beside:
            # Its own policy there is what the second task is compared with.
            _add(jobs, beside, [table.REFERENCE], seed)
            jobs[Job(task, name, seed)].append(Job(beside, START, seed))
        if not ARMS[name].online:
            jobs[Job(task, name, seed)].append(Job(task, table.REFERENCE, seed))


def write_up(folder: BenchFolder, jobs: Sequence[Job], command: str) -> None:
    """Write results.json, the report and the pictures of the runs that are finished."""
    runs = folder.write_results(jobs)
    missing = [f"{j.task} {j.arm} {j.seed}" for j in jobs if not folder.done(j)]
    text = report(runs, f"hiors bench learning {command}".strip(), missing)
    if runs:
        from hiors_bench.pictures import draw

        names = [path.name for path in draw(runs, folder.root)]
        text += "\n## Pictures\n\n" + "\n".join(f"![{n}]({n})" for n in names) + "\n"
    write_atomic(folder.root / REPORT, text.encode())


def publish(folder: BenchFolder, place: Path) -> None:
    """Copy what is written at the end into a folder to keep; the report becomes its README.md."""
    if place.exists() and not place.is_dir():
        raise InvalidValue(f"--publish {place} is no folder")
    place.mkdir(parents=True, exist_ok=True)
    for path in (folder.root / RESULTS, *sorted(folder.root.glob("*.png"))):
        write_atomic(place / path.name, path.read_bytes())
    write_atomic(place / "README.md", (folder.root / REPORT).read_bytes())


def _teller(folder: BenchFolder, progress: Progress) -> Callable[[Answer], None]:
    def told(answer: Answer) -> None:
        record = {} if answer.error else folder.load(answer.job)
        progress.finished(answer, record)

    return told


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)
