# SPDX-License-Identifier: Apache-2.0
"""The results as pictures, after Fig. 4 to 7 and Table I of the paper. Reads records only."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from hiors_bench import tables
from hiors_bench.arms import ARMS, LEFT_OUT, REFERENCE
from hiors_bench.runs import Record
from hiors_bench.statistics import pooled, wilson

Seeds = Mapping[int, Record]
Counts = tuple[int, int]

_COLORS = {
    REFERENCE: "#d55e00", "bc_initial": "#999999", "bc_human": "#0072b2", "bc_total": "#56b4e9",
    "hil_serl": "#009e73", "qc": "#cc79a7", "qc_fql": "#8a4f7d",
}  # fmt: skip
"""Told apart also by the colour-blind (after Okabe and Ito)."""
_OTHER = "#7f7f7f"
_STYLE = {"axes.spines.top": False, "axes.spines.right": False, "font.size": 9}


def draw(runs: Sequence[Record], folder: Path) -> list[Path]:
    """Draw every picture that the runs have something for, and return their files."""
    made = []
    for task in dict.fromkeys(run["task"] for run in runs):
        found = tables.by_arm(runs, task)
        for name, (has, picture) in _PICTURES.items():
            chosen = {arm: seeds for arm, seeds in found.items() if has(arm, seeds)}
            if chosen and (picture is not ablations or set(chosen) != {REFERENCE}):
                with plt.rc_context(_STYLE):
                    figure = picture(chosen, task)
                path = folder / f"{task}-{name}.png"
                figure.savefig(path, dpi=150, bbox_inches="tight")
                plt.close(figure)
                made.append(path)
    return made


def curves(found: Mapping[str, Seeds], task: str) -> Any:
    """Success over frames of the robot's time; bands are 95 % Wilson intervals (Fig. 4)."""
    figure, axes = plt.subplots(figsize=(6.4, 4.0))
    for name, seeds in found.items():
        points = list(zip(*(run["curve"] for run in seeds.values()), strict=False))
        x = [float(np.mean([p["frames"] for p in same])) for same in points]
        if name == "bc_initial":
            # It is given no frames: shown over the frames of the arm whose steps it does.
            x = _stretched(points, found.get(REFERENCE))
        counts = [pooled([(p["k"], p["n"]) for p in same]) for same in points]
        _band(axes, x, counts, name)
    _percent_axis(axes)
    axes.set_xlabel("frames collected beyond the demonstrations (0.1 s each)")
    axes.set_title(f"{task}: success while learning")
    _legend_beside(axes)
    return figure


def scaling(found: Mapping[str, Seeds], task: str) -> Any:
    """Success over the time that a trial is given (Fig. 5)."""
    figure, axes = plt.subplots(figsize=(6.4, 4.0))
    for name, seeds in found.items():
        seconds = [w["seconds"] for w in next(iter(seeds.values()))["within"]]
        _band(axes, seconds, [pooled(tables.within(seeds, s)) for s in seconds], name)
    _percent_axis(axes)
    axes.set_xlabel("time limit of a trial [s]")
    axes.set_title(f"{task}: test-time scaling")
    _legend_beside(axes)
    return figure


def spatial(found: Mapping[str, Seeds], task: str) -> Any:
    """Success for each start on the grid; a frame marks the demonstrations' zone (Fig. 6)."""
    figure, all_axes = plt.subplots(
        1, len(found), figsize=(0.6 + 2.3 * len(found), 2.8), squeeze=False, sharey=True
    )
    for axes, (name, seeds) in zip(all_axes[0], found.items(), strict=True):
        cells = list(zip(*(run["spatial"] for run in seeds.values()), strict=True))
        xs, ys = (sorted({c[0][key] for c in cells}) for key in ("x", "y"))
        rates = np.full((len(ys), len(xs)), np.nan)
        inside = np.zeros((len(ys), len(xs)), bool)
        for same in cells:
            at = ys.index(same[0]["y"]), xs.index(same[0]["x"])
            k, n = pooled([(c["k"], c["n"]) for c in same])
            rates[at], inside[at] = k / n, same[0]["inside"]
        image = axes.imshow(rates, origin="lower", vmin=0.0, vmax=1.0, cmap="viridis")
        rows, columns = np.nonzero(inside)
        if len(rows):
            corner = (columns.min() - 0.5, rows.min() - 0.5)
            size = (np.ptp(columns) + 1, np.ptp(rows) + 1)
            axes.add_patch(
                plt.Rectangle(corner, *map(float, size), fill=False, color="white", lw=1.5)
            )
        axes.set_title(ARMS[name].title, fontsize=8)
        axes.set_xticks(range(len(xs)), [f"{100 * v:.0f}" for v in xs])
        axes.set_yticks(range(len(ys)), [f"{100 * v:.0f}" for v in ys])
        axes.set_xlabel("x [cm]")
    all_axes[0][0].set_ylabel("y [cm]")
    bar = figure.colorbar(image, ax=all_axes[0], fraction=0.05 / len(found), pad=0.02)
    bar.set_label("success")
    figure.suptitle(f"{task}: starts on a grid; white: zone of the demonstrations", fontsize=9)
    return figure


def recovery(found: Mapping[str, Seeds], task: str) -> Any:
    """Success after each mishap (Fig. 7)."""
    probes = [p["probe"] for p in next(iter(next(iter(found.values())).values()))["recovery"]]
    figure, axes = plt.subplots(figsize=(6.4, 3.2))
    width = 0.8 / len(found)
    for i, (name, seeds) in enumerate(found.items()):
        counts = [pooled(tables.recovery_counts(seeds, probe)) for probe in probes]
        places = np.arange(len(probes)) + (i - (len(found) - 1) / 2) * width
        _bars(axes, list(places), counts, width, _color(name), ARMS[name].title)
    axes.set_xticks(range(len(probes)), probes)
    _percent_axis(axes)
    axes.set_title(f"{task}: success after a mishap")
    _legend_beside(axes)
    return figure


def ablations(found: Mapping[str, Seeds], task: str) -> Any:
    """Success of each ablation (Table I)."""
    names = list(found)
    figure, axes = plt.subplots(figsize=(6.4, 0.7 + 0.32 * len(names)))
    for i, name in enumerate(names):
        k, n = pooled(tables.success(found[name]))
        low, high = wilson(k, n)
        rate = k / n if n else 0.0
        axes.barh(i, 100 * rate, color=_color(name), height=0.7)
        _whisker(axes.errorbar, 100 * rate, i, xerr=_errors(rate, low, high))
        axes.text(102, i, f"{k}/{n}", va="center", fontsize=8)
    axes.set_yticks(range(len(names)), [ARMS[n].title for n in names])
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("success [%]")
    axes.set_title(f"{task}: ablations", pad=10)
    return figure


def _has_several_points(arm: str, seeds: Seeds) -> bool:
    return ARMS[arm].group not in LEFT_OUT and all(len(r["curve"]) > 1 for r in seeds.values())


def _has_long_limits(arm: str, seeds: Seeds) -> bool:
    return ARMS[arm].probes and bool(seeds)


def _has_grid(arm: str, seeds: Seeds) -> bool:
    return all(run.get("spatial") for run in seeds.values())


def _has_probes(arm: str, seeds: Seeds) -> bool:
    return all(run.get("recovery") for run in seeds.values())


def _is_ablation(arm: str, seeds: Seeds) -> bool:
    return bool(seeds) and (ARMS[arm].group in LEFT_OUT or arm == REFERENCE)


Picture = tuple[Callable[[str, Seeds], bool], Callable[[Mapping[str, Seeds], str], Any]]
_PICTURES: dict[str, Picture] = {
    "curves": (_has_several_points, curves),
    "scaling": (_has_long_limits, scaling),
    "spatial": (_has_grid, spatial),
    "recovery": (_has_probes, recovery),
    "ablations": (_is_ablation, ablations),
}


def _stretched(points: Sequence[Sequence[Record]], reference: Seeds | None) -> list[float]:
    if reference is None:
        return [float(p[0]["steps"]) for p in points]
    end = float(np.mean([run["frames"] for run in reference.values()]))
    return [end * i / (len(points) - 1) for i in range(len(points))]


def _band(axes: Axes, x: Sequence[float], counts: Sequence[Counts], name: str) -> None:
    rates = [100 * k / n if n else 0.0 for k, n in counts]
    low, high = np.array([wilson(k, n) for k, n in counts]).T * 100
    color = _color(name)
    axes.plot(
        x, rates, color=color, marker="o", ms=3, lw=2.4 if name == REFERENCE else 1.4,
        label=ARMS[name].title,
    )  # fmt: skip
    axes.fill_between(x, low, high, color=color, alpha=0.12, lw=0)


def _bars(
    axes: Axes,
    places: Sequence[float],
    counts: Sequence[Counts],
    width: float,
    color: str,
    label: str,
) -> None:
    rates = [k / n if n else 0.0 for k, n in counts]
    axes.bar(places, [100 * r for r in rates], width, color=color, label=label)
    errors = [_errors(r, *wilson(k, n)) for r, (k, n) in zip(rates, counts, strict=True)]
    _whisker(axes.errorbar, places, [100 * r for r in rates], yerr=np.hstack(errors))


def _errors(rate: float, low: float, high: float) -> Any:
    return 100 * np.array([[max(0.0, rate - low)], [max(0.0, high - rate)]])


def _whisker(errorbar: Callable[..., Any], x: Any, y: Any, **errors: Any) -> None:
    errorbar(x, y, fmt="none", ecolor="#333333", elinewidth=0.8, capsize=2, **errors)


def _color(name: str) -> str:
    return _COLORS.get(name, _OTHER)


def _percent_axis(axes: Axes) -> None:
    axes.set_ylim(-3, 103)
    axes.set_ylabel("success [%]")
    axes.grid(axis="y", alpha=0.25)


def _legend_beside(axes: Axes) -> None:
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize=8)
