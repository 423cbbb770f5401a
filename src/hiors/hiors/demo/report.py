# SPDX-License-Identifier: Apache-2.0
"""Picture, intervals and last words of a finished demo."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hiors.demo.records import EpisodeRow
from hiors_bench import statistics


def draw_curve(
    path: Path,
    rows: Sequence[EpisodeRow],
    start: Mapping[str, int],
    final: Mapping[str, int],
    window: int = 10,
) -> None:
    """Draw success over the online episodes, the share of human control, and both evaluations."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8.0, 4.5), layout="constrained")
    numbers = np.arange(1, len(rows) + 1)
    if rows:
        success = np.array([float(row.success) for row in rows])
        human = np.array([row.human_fraction for row in rows])
        lines = (("success", success, "#1f6feb", "-"), ("human share", human, "#d29922", "--"))
        for name, values, color, style in lines:
            shown = 100 * _rolling(values, window)
            axes.plot(numbers, shown, style, color=color, lw=2.0, label=name)
        axes.legend(frameon=False)
    beside = {"start": (-8, "right"), "final": (8, "left")}
    for x, counts, name in ((0, start, "start"), (len(rows) + 1, final, "final")):
        if counts.get("n"):
            rate, low, high = wilson(counts["k"], counts["n"])
            axes.errorbar(
                [x],
                [100 * rate],
                yerr=[[100 * (rate - low)], [100 * (high - rate)]],
                fmt="o",
                color="#1a7f37",
                capsize=4,
            )
            axes.annotate(
                f"{name}\n{counts['k']}/{counts['n']}", (x, 100 * rate), (beside[name][0], -4),
                textcoords="offset points", ha=beside[name][1], color="#1a7f37", fontsize=9,
            )  # fmt: skip
    axes.set(
        xlabel=f"online episode (lines: mean of the last {window})",
        ylabel="%",
        ylim=(-3, 103),
        title="Insert-moisturizer on the simulated X-Trainer: success while it learns",
    )
    axes.set_xlim(-0.1 * len(rows) - 1, len(rows) + 9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.3)
    figure.savefig(path, dpi=140)
    plt.close(figure)


def _rolling(values: "np.ndarray[Any, Any]", window: int) -> "np.ndarray[Any, Any]":
    sums = np.cumsum(np.concatenate([[0.0], values]))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - window)
    return np.asarray((sums[ends] - sums[starts]) / (ends - starts))


def wilson(k: int, n: int) -> tuple[float, float, float]:
    """Return the rate k/n with its 95 % Wilson interval; nan for no episode."""
    if n <= 0:
        return float("nan"), float("nan"), float("nan")
    return k / n, *statistics.wilson(k, n)


def of(counts: Mapping[str, int]) -> str:
    """Return k of n in words, with its rate and interval."""
    rate, low, high = wilson(counts["k"], counts["n"])
    return (
        f"{counts['k']}/{counts['n']} = {100 * rate:.0f} % "
        f"(95 % interval {100 * low:.0f} .. {100 * high:.0f})"
    )


def closing(summary: Mapping[str, Any], out: Path) -> list[str]:
    """Return the last lines of the demo, of what summary.json holds."""
    period = summary["control_period_ms"]
    figures = " ".join(f"{name} {period.get(name)}" for name in ("p50", "p99", "max"))
    taken = (
        f"{len(summary['accepted_ids'])} accepted, {len(summary['rejected'])} rejected, "
        f"{len(summary['learner_ids'])} learned, {summary['hot_swaps']} hot-swaps"
    )
    return [
        f"alone: start {of(summary['start_success'])}, final {of(summary['final_success'])}",
        f"online: first 20 {of(summary['first20'])}, last 20 {of(summary['last20'])}",
        taken,
        f"control period {figures} ms",
        f"{summary['wall_s']:.0f} s; everything is in {out}",
    ]
