# SPDX-License-Identifier: Apache-2.0
"""The report of an offline evaluation: report.md with its pictures, and metrics.json.

All but the latencies is the same, byte for byte, for the same checkpoints and episodes.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hiors_core.durable import write_atomic
from hiors_core.errors import InvalidValue
from hiors_data.offline.episodes import JudgedEpisode
from hiors_data.offline.errors import SEGMENTS
from hiors_data.offline.evaluation import Ranked, grip_summary, mean_error, overall, segment_rows
from hiors_data.offline.pictures import Comparison, draw_all, draw_success
from hiors_data.offline.statistics import spearman
from hiors_data.staging import checked_folder

Array = NDArray[np.float64]

REPORT, METRICS, LATENCY = "report.md", "metrics.json", "latency.json"
MM, DEG, MS = 1e3, 180.0 / math.pi, 1e3
SURE = 0.95
_CAPTIONS = {
    "ranking": "Score of each checkpoint, with the interval that 95 % of resampled episodes give.",
    "horizon": "Error of the tool point along the chunk.",
    "joints": "Error of every joint along the chunk.",
    "gripper": "When the gripper opens and closes, against the recording.",
    "chunks": "What the best and the worst checkpoint would have done in one episode.",
}


def check_target(folder: Path) -> Path:
    """Return the folder when a report may be written there, or raise InvalidValue."""
    checked_folder(folder, "report folder")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / METRICS).is_file():
        raise InvalidValue(f"{folder} holds other files. Name an empty or a new folder.")
    return folder


def read_success(path: Path) -> dict[str, tuple[int, int]]:
    """Read measured success: a JSON file with {"version": {"k": successes, "n": episodes}}."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        found = {str(v): (int(row["k"]), int(row["n"])) for v, row in data.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidValue(
            f'{path} must hold {{"version": {{"k": successes, "n": episodes}}}}: {error!r}'
        ) from error
    if bad := [v for v, (k, n) in found.items() if not 0 <= k <= n or n < 1]:
        raise InvalidValue(f"{path}: {bad[0]} must have 0 <= k <= n and n >= 1")
    return found


def write_report(
    ranked: Sequence[Ranked],
    judged: Sequence[JudgedEpisode],
    folder: Path,
    success: Mapping[str, tuple[int, int]] | None = None,
) -> Path:
    """Write report.md, metrics.json, latency.json and the pictures; return the report."""
    check_target(folder).mkdir(parents=True, exist_ok=True)
    comparison = Comparison(tuple(ranked), tuple(judged))
    metrics = measured(comparison)
    latency = {_name(r): _latency(r) for r in ranked}
    names = draw_all(comparison, folder)
    known = {n: s for n, s in (success or {}).items() if n in metrics["checkpoints"]}
    parts = [_head(comparison), _ranking(ranked, metrics, latency), _sure(ranked)]
    parts.append(_seen(comparison))
    if len(known) > 1:
        metrics["success"] = _success(ranked, known, folder)
        parts.append(_success_text(metrics["success"]))
    parts += [_segments(comparison), _joints(comparison), _grips(comparison)]
    parts += [f"![{_CAPTIONS[n]}]({n}.png)\n\n*{_CAPTIONS[n]}*" for n in names]
    parts.append(_reading())
    _write_json(folder / METRICS, metrics)
    _write_json(folder / LATENCY, latency)
    target = folder / REPORT
    write_atomic(target, ("\n\n".join(p for p in parts if p) + "\n").encode())
    return target


def _seen(comparison: Comparison) -> str:
    ids = {j.episode.episode_id for j in comparison.judged}
    found = {
        _name(r): len(ids.intersection(r.evaluated.candidate.manifest.data_ids))
        for r in comparison.ranked
    }
    known = [f"{name} ({count} of {len(ids)})" for name, count in found.items() if count]
    if not known:
        return ""
    return f"Trained on these very episodes, which flatters the score: {', '.join(known)}."


def measured(comparison: Comparison) -> dict[str, Any]:
    """Return every number of the report but the latencies, as JSON values."""
    judged = comparison.judged
    checkpoints: dict[str, Any] = {}
    for row in comparison.ranked:
        evaluated = row.evaluated
        late, missed, false, quiet = grip_summary(evaluated, judged)
        checkpoints[_name(row)] = {
            "score_m": _plain(row.score),
            "interval_m": [_plain(row.low), _plain(row.high)],
            "better_than_next": _plain(row.beaten),
            "tool_m": _plain(overall(evaluated, judged, "shift")),
            "turn_rad": _plain(overall(evaluated, judged, "turn")),
            "tool_by_row_m": _plain(mean_error(evaluated, judged, "shift")),
            "joints_by_row": _plain(mean_error(evaluated, judged, "joints")),
            "segments": {
                name: {
                    "tool_m": _plain(overall(evaluated, judged, "shift", name)),
                    "tool_by_row_m": _plain(mean_error(evaluated, judged, "shift", name)),
                }
                for name in SEGMENTS
                if segment_rows(evaluated, judged, name)
            },
            "gripper": {
                "late_s": _plain(late),
                "missed": missed,
                "false": false,
                "quiet": quiet,
            },
            "episodes_m": _plain(evaluated.per_episode),
            "sha256": evaluated.candidate.manifest.sha256,
        }
    return {
        "checkpoints": checkpoints,
        "episodes": {
            j.episode.episode_id: {
                "outcome": j.label.outcome.name,
                "weight": j.weight,
                "transitions": len(j.episode.marks),
                "human_share": round(j.episode.manifest.human_fraction, 4),
            }
            for j in judged
        },
    }


def _head(comparison: Comparison) -> str:
    judged = comparison.judged
    tasks = sorted({j.episode.task for j in judged})
    marks = sum(len(j.episode.marks) for j in judged)
    outcomes = [j.success for j in judged]
    human = sum(j.episode.manifest.human_fraction for j in judged) / len(judged)
    return (
        "# Offline evaluation\n\n"
        f"{_count(len(comparison.ranked), 'checkpoint')} on {_count(len(judged), 'episode')} of"
        f" {', '.join(tasks)}: {outcomes.count(True)} successes, {outcomes.count(False)} failures,"
        f" {outcomes.count(None)} without a label; {_count(marks, 'transition')},"
        f" {100 * human:.0f} % of the time a person was driving."
    )


def _ranking(
    ranked: Sequence[Ranked], metrics: Mapping[str, Any], latency: Mapping[str, Any]
) -> str:
    rows = []
    for place, row in enumerate(ranked, 1):
        data = metrics["checkpoints"][_name(row)]
        late = np.abs(np.array(data["gripper"]["late_s"], np.float64))
        rows.append(
            [
                str(place),
                f"**{_name(row)}**" if place == 1 else _name(row),
                f"{row.score * MM:.1f} ({row.low * MM:.1f} .. {row.high * MM:.1f})",
                f"{data['tool_m'] * MM:.1f}",
                f"{data['turn_rad'] * DEG:.1f}",
                f"{late.mean() * MS:.0f}" if len(late) else "–",
                f"{latency[_name(row)]['median_ms']:.1f} / {latency[_name(row)]['p95_ms']:.1f}",
            ]
        )
    head = [
        "", "checkpoint", "score [mm] (95 %)", "tool [mm]", "turn [°]", "gripper off by [ms]",
        "latency median / p95 [ms]",
    ]  # fmt: skip
    return "## Ranking\n\n" + _table(head, rows, "rlrrrrr")


def _sure(ranked: Sequence[Ranked]) -> str:
    if len(ranked) < 2:
        return ""
    near = [
        f"{_name(a)} and {_name(b)} ({100 * a.beaten:.0f} %)"
        for a, b in pairwise(ranked)
        if not a.beaten >= SURE
    ]
    if not near:
        return "Every place is sure: each checkpoint is better than the next in 95 % of resamples."
    return (
        "Too close to tell apart on these episodes (in brackets: share of resamples in which the"
        f" first is better): {'; '.join(near)}."
    )


def _success(
    ranked: Sequence[Ranked], known: Mapping[str, tuple[int, int]], folder: Path
) -> dict[str, Any]:
    rows = [r for r in ranked if _name(r) in known]
    names = [_name(r) for r in rows]
    scores = [r.score for r in rows]
    rates = [known[n][0] / known[n][1] for n in names]
    rho = spearman([-s for s in scores], rates)
    title = f"Spearman's ρ = {rho:.2f}, {len(rows)} checkpoints"
    draw_success(names, scores, [known[n] for n in names], title, folder / "success.png")
    return {
        "spearman": _plain(rho),
        "rates": {n: {"k": known[n][0], "n": known[n][1]} for n in names},
    }


def _success_text(success: Mapping[str, Any]) -> str:
    rates = success["rates"]
    rho = success["spearman"]
    value = "undefined (all the same)" if rho is None else f"{rho:.2f}"
    rows = [
        [n, f"{r['k']} of {r['n']}", f"{100 * r['k'] / r['n']:.0f} %"] for n, r in rates.items()
    ]
    return (
        "## Against measured success\n\n"
        f"Rank correlation of score and success (Spearman's ρ, 1 is perfect): **{value}** over"
        f" {len(rates)} checkpoints, best score first.\n\n"
        + _table(["checkpoint", "successes", "rate"], rows, "lrr")
        + "\n\n![Score against measured success](success.png)"
    )


def _segments(comparison: Comparison) -> str:
    rows = []
    for row in comparison.ranked:
        means = [overall(row.evaluated, comparison.judged, "shift", name) for name in SEGMENTS]
        cells = [f"{m * MM:.1f}" if math.isfinite(m) else "–" for m in means]
        rows.append([_name(row), *cells])
    head = ["tool error [mm]", "policy was driving", "person was driving"]
    return "## By who drove\n\n" + _table(head, rows, "lrr")


def _joints(comparison: Comparison) -> str:
    robot = comparison.ranked[0].evaluated.candidate.robot
    chosen = [i for i, unit in enumerate(robot.units) if unit == "rad"]
    rows = []
    for row in comparison.ranked:
        errors = np.nanmean(mean_error(row.evaluated, comparison.judged, "joints"), axis=0)
        rows.append([_name(row), *(f"{errors[i] * DEG:.2f}" for i in chosen)])
    head = ["joint error [°]", *(robot.names[i] for i in chosen)]
    return "## By joint\n\n" + _table(head, rows, "l" + "r" * len(chosen))


def _grips(comparison: Comparison) -> str:
    rows = []
    for row in comparison.ranked:
        late, missed, false, quiet = grip_summary(row.evaluated, comparison.judged)
        rows.append(
            [
                _name(row),
                str(len(late) + missed),
                f"{late.mean() * MS:+.0f}" if len(late) else "–",
                f"{np.abs(late).mean() * MS:.0f}" if len(late) else "–",
                f"{100 * missed / max(1, missed + len(late)):.0f} %",
                f"{100 * false / max(1, false + quiet):.0f} %",
            ]
        )
    head = ["gripper", "events", "late by [ms]", "off by [ms]", "missed", "false"]
    return "## Gripper timing\n\n" + _table(head, rows, "lrrrrr")


def _reading() -> str:
    return (
        "## How to read this\n\n"
        "At every logged transition that moves the checkpoint predicts a chunk; the error is its"
        " distance from what was executed next, whoever drove. The score is the norm of tool"
        " shift, 0.1 m/rad of turn and 10 mm per gripper stroke, averaged over draws of the noise,"
        " a chunk's rows, an episode's transitions, then over episodes weighted by their return:"
        " a failure weighs nothing. Open loop, no error ever grows, and another good way of doing"
        " the task counts as an error: a score ranks checkpoints of one kind, and does not predict"
        " a success rate. A gripper event is missed or false when the other side has none in the"
        " whole chunk and it lies in the chunk's first half."
    )


def _latency(row: Ranked) -> dict[str, float]:
    times = row.evaluated.latency * MS
    if not len(times):
        return {"median_ms": float("nan"), "p95_ms": float("nan"), "calls": 0}
    low, high = np.quantile(times, [0.5, 0.95])
    return {"median_ms": float(low), "p95_ms": float(high), "calls": len(times)}


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], sides: str) -> str:
    rule = ["---:" if side == "r" else ":---" for side in sides]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *rows])


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _plain(value: Any) -> Any:
    """Return numbers as JSON has them, rounded beyond what matters; NaN is null."""
    if isinstance(value, np.ndarray):
        return [_plain(v) for v in value]
    return round(float(value), 9) if math.isfinite(value) else None


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    write_atomic(path, (json.dumps(content, indent=1, sort_keys=True) + "\n").encode())


def _name(row: Ranked) -> str:
    return row.evaluated.candidate.name
