# SPDX-License-Identifier: Apache-2.0
"""The results as Markdown: comparison, ablations, time limits, probes. Reads records only."""

from collections.abc import Mapping, Sequence

from hiors_bench.arms import ABLATION, ARMS, EXPERIMENT, LEFT_OUT, REFERENCE
from hiors_bench.runs import Record
from hiors_bench.statistics import (
    Counts,
    Interval,
    difference_interval,
    pooled,
    seed_interval,
    wilson,
)

By = Mapping[str, Mapping[int, Record]]
"""Runs of one task: arm -> seed -> record."""


def report(runs: Sequence[Record], command: str, missing: Sequence[str] = ()) -> str:
    """Return the whole report; ``missing`` names the runs that are not finished."""
    made = sorted({run.get("commit") or "unknown" for run in runs})
    parts = [
        "# Learning benchmark",
        f"Command: `{command}`. Commit of the sources: {', '.join(made) or 'none'}.",
        _LEGEND,
    ]
    if missing:
        parts.append(
            f"**Partial**: {len(missing)} of {len(runs) + len(missing)} runs are missing, and"
            " intervals are over fewer seeds where they are. The same command goes on. Missing:"
            f" {', '.join(missing)}."
        )
    for task in dict.fromkeys(run["task"] for run in runs):
        parts.append(f"## {task}")
        parts += task_report(by_arm(runs, task))
    if shared := [run for run in runs if run.get("beside")]:
        parts += ["## Two tasks in one policy", two_tasks(runs, shared)]
    return "\n\n".join(parts) + "\n"


def task_report(found: By) -> list[str]:
    """Return the tables of one task, each with its heading."""
    parts = []
    compared = [n for n in found if ARMS[n].group not in LEFT_OUT]
    if compared:
        parts += ["### Comparison", comparison(found, compared)]
        parts += ["### Success within a time limit", limits(found, compared)]
    if probed := [n for n in compared if any(r.get("recovery") for r in found[n].values())]:
        parts += ["### After mishaps", recovery(found, probed)]
    if gridded := [n for n in compared if any(r.get("spatial") for r in found[n].values())]:
        parts += ["### Starts on a grid", spatial(found, gridded)]
    for group, heading in ((ABLATION, "Ablations"), (EXPERIMENT, "Beyond the paper")):
        if names := [n for n in found if ARMS[n].group == group]:
            parts += [f"### {heading}", ablations(found, names)]
    odd = [
        f"- {name}, seed {seed}: {run['status']}"
        for name, seeds in found.items()
        for seed, run in seeds.items()
        if run["status"] != "finished"
    ]
    return [*parts, "### Remarks", "\n".join(odd)] if odd else parts


def by_arm(runs: Sequence[Record], task: str) -> dict[str, dict[int, Record]]:
    """Return the runs of a task by arm and seed, arms in the order of their table."""
    found: dict[str, dict[int, Record]] = {}
    for name in ARMS:
        mine = {r["seed"]: r for r in runs if r["task"] == task and r["arm"] == name}
        if mine:
            found[name] = dict(sorted(mine.items()))
    return found


def comparison(found: By, names: Sequence[str]) -> str:
    """Return success of each arm with its price."""
    head = (
        "arm", "success", "Wilson 95 %", "over seeds 95 %", "Hi-ORS minus it", "person [frames]",
        "all [frames]", "steps", "CPU [s]",
    )  # fmt: skip
    return _table(head, [_comparison_row(found, name) for name in names])


def limits(found: By, names: Sequence[str]) -> str:
    """Return success at each time limit, and what the longest adds to the shortest (Fig. 5)."""
    seconds = sorted({w["seconds"] for n in names for r in found[n].values() for w in r["within"]})
    head = ("arm", *(f"{s:g} s" for s in seconds), "last minus first")
    rows = []
    for name in names:
        counts = [within(found[name], s) for s in seconds]
        gain = _points(_rate(counts[-1]) - _rate(counts[0])) if all(counts) else ""
        rows.append((title(name), *(_percent(c) if c else "" for c in counts), gain))
    return _table(head, rows)


def recovery(found: By, names: Sequence[str]) -> str:
    """Return success after each mishap (Fig. 7)."""
    probes = list(
        dict.fromkeys(
            p["probe"] for n in names for r in found[n].values() for p in r.get("recovery", ())
        )
    )
    rows = [
        (title(name), *(_cell(recovery_counts(found[name], probe)) for probe in probes))
        for name in names
    ]
    return _table(("arm", *probes), rows)


def spatial(found: By, names: Sequence[str]) -> str:
    """Return success on the grid inside and outside of the zone of the demonstrations (Fig. 6)."""
    rows = [
        (title(n), *(_cell(spatial_counts(found[n], inside=inside)) for inside in (True, False)))
        for n in names
    ]
    return _table(("arm", "inside the zone", "outside"), rows)


def ablations(found: By, names: Sequence[str]) -> str:
    """Return each ablation beside the arm that it differs from in one thing (Table I)."""
    head = ("arm", "success", "Wilson 95 %", "compared with", "difference [points]", "95 %")
    rows = []
    first = [REFERENCE] if REFERENCE in found else []
    for name in [*first, *names]:
        counts, against = success(found[name]), ARMS[name].against
        pair = _paired(found, name, against) if name != REFERENCE else None
        beside, points, interval = "", "", ""
        if pair is not None:
            beside = title(against)
            points = _points(_mean(pair[0]) - _mean(pair[1]))
            interval = _interval(difference_interval(*pair), sign=True)
        rows.append(
            (title(name), _cell(counts), _interval(wilson(*pooled(counts))), beside, points,
             interval)
        )  # fmt: skip
    return _table(head, rows)


def two_tasks(runs: Sequence[Record], shared: Sequence[Record]) -> str:
    """Return success at each task of a shared policy, beside that of a policy of its own."""
    counts: dict[str, list[tuple[int, int]]] = {}
    for run in shared:
        own = {"task": run["task"], **run["success"]}
        for part in (own, *run["beside"]):
            counts.setdefault(part["task"], []).append((part["k"], part["n"]))
    seeds = {run["seed"] for run in shared}
    rows = []
    for task, found in counts.items():
        alone = {s: r for s, r in by_arm(runs, task).get(REFERENCE, {}).items() if s in seeds}
        rows.append((task, _cell(found), _cell(success(alone))))
    return _table(("task", "one policy for both", "a policy of its own"), rows)


def title(name: str) -> str:
    """Return how an arm is called."""
    return ARMS[name].title


def success(seeds: Mapping[int, Record]) -> list[tuple[int, int]]:
    """Return (k, n) of each seed within the task's time limit."""
    return [(r["success"]["k"], r["success"]["n"]) for r in seeds.values()]


def within(seeds: Mapping[int, Record], seconds: float) -> list[tuple[int, int]]:
    """Return (k, n) of each seed within a time limit, empty where it was not measured."""
    return [
        (w["k"], w["n"]) for r in seeds.values() for w in r["within"] if w["seconds"] == seconds
    ]


def recovery_counts(seeds: Mapping[int, Record], probe: str) -> list[tuple[int, int]]:
    """Return (k, n) of each seed after a mishap."""
    return [
        (p["k"], p["n"])
        for r in seeds.values()
        for p in r.get("recovery", ())
        if p["probe"] == probe
    ]


def spatial_counts(seeds: Mapping[int, Record], *, inside: bool) -> list[tuple[int, int]]:
    """Return (k, n) of each seed on the grid, inside or outside of the zone."""
    return [
        pooled([(c["k"], c["n"]) for c in r.get("spatial", ()) if c["inside"] is inside])
        for r in seeds.values()
    ]


_LEGEND = (
    "A frame is 0.1 s of the robot's time. Success: within the task's time limit unless said"
    " otherwise. Wilson: interval over all episodes. Over seeds: bootstrap that draws seeds and,"
    " within them, episodes; differences draw the seeds of both arms together."
)


def _comparison_row(found: By, name: str) -> tuple[str, ...]:
    seeds = found[name]
    counts = success(seeds)
    pair = _paired(found, REFERENCE, name) if name != REFERENCE else None
    ahead = ""
    if pair is not None:
        ahead = f"{_points(_mean(pair[0]) - _mean(pair[1]))} "
        ahead += _interval(difference_interval(*pair), sign=True)
    means = [
        f"{sum(r[key] for r in seeds.values()) / len(seeds):.0f}"
        for key in ("human_frames", "frames", "steps", "cpu_s")
    ]
    return (
        title(name),
        _cell(counts),
        _interval(wilson(*pooled(counts))),
        _interval(seed_interval(counts)),
        ahead,
        *means,
    )


def _paired(found: By, name: str, other: str) -> tuple[Counts, Counts] | None:
    """Return the counts of two arms on the seeds that both have."""
    if name not in found or other not in found:
        return None
    shared = [s for s in found[name] if s in found[other]]
    if not shared:
        return None
    mine, theirs = ({s: found[n][s] for s in shared} for n in (name, other))
    return success(mine), success(theirs)


def _mean(counts: Counts) -> float:
    rates = [k / n for k, n in counts if n]
    return sum(rates) / len(rates) if rates else 0.0


def _rate(counts: Counts) -> float:
    k, n = pooled(counts)
    return k / n if n else 0.0


def _percent(counts: Counts) -> str:
    return f"{100 * _rate(counts):.0f} %"


def _cell(counts: Counts) -> str:
    k, n = pooled(counts)
    return f"{k}/{n} {_percent(counts)}" if n else "–"


def _points(value: float) -> str:
    return f"{100 * value:+.0f}"


def _interval(interval: Interval, *, sign: bool = False) -> str:
    low, high = (100 * v for v in interval)
    return f"[{low:+.0f}, {high:+.0f}]" if sign else f"[{low:.0f}, {high:.0f}]"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
