# SPDX-License-Identifier: Apache-2.0
"""The pictures of the report. One look: white ground, few lines, the same colour for a checkpoint
everywhere.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hiors_core.action_space import ActionMapper
from hiors_core.authority import Authority
from hiors_data.offline.episodes import JudgedEpisode
from hiors_data.offline.evaluation import (
    Evaluated,
    Ranked,
    example_of,
    grip_summary,
    mean_error,
    segment_rows,
)
from hiors_data.offline.prediction import Predicted

Array = NDArray[np.float64]

COLOURS = ("#2563eb", "#e11d48", "#059669", "#d97706", "#7c3aed", "#0891b2", "#be185d", "#65a30d")
INK, SOFT, HUMAN = "#1f2933", "#9aa5b1", "#fde68a"
MM, DEG = 1e3, 180.0 / np.pi
FEW = 6
"""Curves in one picture at most: the best ones and the worst."""

STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e7eb",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "savefig.dpi": 150,
    # No date and no version: the same numbers give the same file.
    "svg.hashsalt": "hiors",
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Checkpoints from the best to the worst, and the episodes that they were measured on."""

    ranked: tuple[Ranked, ...]
    judged: tuple[JudgedEpisode, ...]

    @property
    def few(self) -> tuple[Ranked, ...]:
        """The best checkpoints and the worst, FEW at most."""
        if len(self.ranked) <= FEW:
            return self.ranked
        return (*self.ranked[: FEW - 1], self.ranked[-1])

    def colour(self, row: Ranked) -> str:
        """Return the colour of a checkpoint: the same in every picture."""
        return COLOURS[self.ranked.index(row) % len(COLOURS)]


def draw_all(comparison: Comparison, folder: Path) -> list[str]:
    """Write the pictures into the folder and return their names in the order of the report."""
    names = []
    with _drawing():
        for name, make in MAKERS.items():
            figure = make(comparison)
            if figure is None:
                continue
            figure.savefig(folder / f"{name}.png", metadata={"Software": None})
            names.append(name)
    return names


def draw_success(
    names: Sequence[str],
    scores: Sequence[float],
    counts: Sequence[tuple[int, int]],
    text: str,
    path: Path,
) -> None:
    """Draw score against measured success (k of n each), with one standard error."""
    with _drawing():
        figure, axes = _figure(1, 1, (7.2, 4.2))
        for name, score, (k, n) in zip(names, scores, counts, strict=True):
            rate, x = 100.0 * k / n, score * MM
            # Of (k + 1) / (n + 2): not 0 where none or all succeeded.
            p = (k + 1) / (n + 2)
            spread = 100.0 * np.sqrt(p * (1.0 - p) / n)
            axes.errorbar(x, rate, spread, fmt="o", color=COLOURS[0], ms=7, capsize=3, lw=1)
            axes.annotate(name, (x, rate), (6, 5), textcoords="offset points", fontsize=7)
        axes.set(title=text, xlabel="open-loop score [mm]", ylabel="measured success [%]")
        axes.set_ylim(bottom=-3)
        figure.savefig(path, metadata={"Software": None})


def ranking(comparison: Comparison) -> Any:
    """Draw scores with their intervals, the best on top."""
    ranked = comparison.ranked
    figure, axes = _figure(1, 1, (7.2, 1.3 + 0.42 * len(ranked)))
    for place, row in enumerate(ranked):
        colour = comparison.colour(row)
        axes.plot(
            [row.low * MM, row.high * MM], [place, place], color=colour, lw=6, alpha=0.28,
            solid_capstyle="round",
        )  # fmt: skip
        axes.plot(row.score * MM, place, "o", color=colour, ms=8)
    axes.set_yticks(range(len(ranked)), [_name(r) for r in ranked])
    axes.set(
        title="Success-weighted score, 95 % interval",
        xlabel="distance from what was executed [mm], less is better",
    )
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.grid(axis="y", visible=False)
    return figure


def by_horizon(comparison: Comparison) -> Any:
    """Draw tool error over the horizon, one panel for each kind of driver."""
    ranked, judged = comparison.few, comparison.judged
    wanted = [
        (segment, title)
        for segment, title in (("policy", "Policy was driving"), ("human", "Person was driving"))
        if any(segment_rows(r.evaluated, judged, segment) for r in ranked)
    ]
    if not wanted:
        return None
    figure, panels = _figure(1, len(wanted), (7.2 if len(wanted) == 1 else 10.0, 3.8), share=True)
    for axes, (segment, title) in zip(np.atleast_1d(panels), wanted, strict=True):
        for row in ranked:
            shift = mean_error(row.evaluated, judged, "shift", segment) * MM
            axes.plot(
                _times(row.evaluated), shift, color=comparison.colour(row), lw=2, label=_name(row)
            )
        axes.set(title=title, xlabel="time in the chunk [s]")
        axes.set_ylim(bottom=0)
    first = np.atleast_1d(panels)[0]
    first.set_ylabel("tool error [mm]")
    first.legend(fontsize=8)
    return figure


def by_joint(comparison: Comparison) -> Any:
    """Draw a heat map of joint errors over the horizon for each checkpoint, one scale for all."""
    ranked, judged = comparison.few, comparison.judged
    from matplotlib.colors import LinearSegmentedColormap

    warm = LinearSegmentedColormap.from_list("warm", ["#ffffff", "#fde68a", "#f97316", "#7f1d1d"])
    robot = ranked[0].evaluated.candidate.robot
    joints = [i for i, unit in enumerate(robot.units) if unit == "rad"]
    maps = [mean_error(r.evaluated, judged, "joints")[:, joints].T * DEG for r in ranked]
    top = max(float(np.nanmax(m)) for m in maps)
    across = 2 if len(ranked) == 4 else min(3, len(ranked))
    down = -(-len(ranked) // across)
    size = (1.6 + 3.2 * across, 0.9 + (0.7 + 0.27 * len(joints)) * down)
    figure, panels = _figure(down, across, size, share=True)
    flat = np.atleast_1d(panels).ravel()
    image = None
    for axes, row, values in zip(flat, ranked, maps, strict=False):
        times = _times(row.evaluated)
        image = axes.imshow(
            values, aspect="auto", cmap=warm, vmin=0.0, vmax=top, interpolation="nearest",
            extent=(0.0, times[-1], len(joints) - 0.5, -0.5),
        )  # fmt: skip
        axes.set(title=_name(row))
        axes.set_yticks(range(len(joints)), [robot.names[j] for j in joints], fontsize=8)
        axes.grid(visible=False)
    for axes in flat[len(ranked) :]:
        axes.axis("off")
    figure.supxlabel("time in the chunk [s]", fontsize=10)
    figure.colorbar(image, ax=flat.tolist(), label="joint error [°]", shrink=0.9)
    return figure


def gripper(comparison: Comparison) -> Any:
    """Draw how early or late the gripper acts, and how often it does not or should not."""
    ranked = comparison.few
    rows = [(r, *grip_summary(r.evaluated, comparison.judged)) for r in ranked]
    if not any(len(late) + missed for _, late, missed, _, _ in rows):
        return None
    figure, (left, right) = _figure(1, 2, (10.0, 3.8))
    chunk = max(float(_times(r.evaluated)[-1]) for r in ranked)
    bins = np.linspace(-chunk, chunk, 41)
    for row, late, _, _, _ in rows:
        if len(late):
            left.hist(
                late, bins, weights=np.full(len(late), 100.0 / len(late)), histtype="step",
                lw=1.8, color=comparison.colour(row), label=_name(row),
            )  # fmt: skip
    left.axvline(0.0, color=SOFT, lw=1)
    left.set(title="Opening and closing", xlabel="early < 0 < late [s]", ylabel="events [%]")
    left.legend(fontsize=8)
    places = np.arange(len(rows))
    missed = [100.0 * m / max(1, m + len(late)) for _, late, m, _, _ in rows]
    false = [100.0 * f / max(1, f + quiet) for _, _, _, f, quiet in rows]
    colours = [comparison.colour(row[0]) for row in rows]
    right.bar(places - 0.2, missed, 0.38, color=colours, label="missed, of executed events")
    right.bar(
        places + 0.2, false, 0.38, color=colours, alpha=0.4, hatch="///", edgecolor="white",
        label="false, of chunks without event",
    )  # fmt: skip
    right.set_xticks(places, [_name(row[0]) for row in rows], rotation=25, ha="right", fontsize=8)
    right.set(title="Missed and false", ylabel="[%]")
    right.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, 1.0))
    right.set_ylim(top=1.25 * max(1.0, *missed, *false))
    right.grid(axis="x", visible=False)
    return figure


def chunks(comparison: Comparison) -> Any:
    """Draw an episode's tool and gripper with the chunks of the best and the worst over them."""
    ranked, judged = comparison.ranked, comparison.judged
    one = judged[example_of(judged)]
    shown = [ranked[0]] if len(ranked) == 1 else [ranked[0], ranked[-1]]
    if any(r.evaluated.example is None for r in shown):
        return None
    mapper = ActionMapper(ranked[0].evaluated.candidate.robot)
    executed = mapper.convert(one.episode.executed, "ee")
    ticks = (one.episode.stamps - one.episode.stamps[0]) * 1e-9
    rows = ("x [mm]", "y [mm]", "z [mm]", "gripper")
    figure, panels = _figure(len(rows), len(shown), (5.2 * len(shown), 7.6), share=True)
    panels = panels.reshape(len(rows), len(shown))
    for column, row in enumerate(shown):
        example = row.evaluated.example
        if example is None:
            continue
        panels[0, column].set_title(_name(row))
        colour = comparison.colour(row)
        for k, name in enumerate(rows):
            axes = panels[k, column]
            part = 6 if k == 3 else k
            scale = 1.0 if part == 6 else MM
            axes.plot(ticks, executed[:, part] * scale, color=INK, lw=1.8, zorder=2)
            _one_trace(axes, example, row.evaluated.spec.dt, part, colour, one)
            if column == 0:
                axes.set_ylabel(name)
    for axes in panels[-1]:
        axes.set_xlabel("time in the episode [s]")
    figure.suptitle(
        f"Episode {one.episode.episode_id}: executed (black), predicted chunks (colour),"
        " person driving (yellow)",
        fontsize=10, x=0.02, ha="left",
    )  # fmt: skip
    return figure


def _one_trace(
    axes: Any, example: Predicted, dt: float, part: int, colour: str, one: JudgedEpisode
) -> None:
    origin = int(one.episode.stamps[0])
    scale = 1.0 if part == 6 else MM
    times = (example.stamps - origin) * 1e-9
    horizon = example.mask.shape[1]
    ahead = dt * np.arange(1, horizon + 1)
    for segment in one.episode.manifest.segments:
        if segment.authority == Authority.HUMAN:
            span = [(s - origin) * 1e-9 for s in (segment.start, segment.end)]
            axes.axvspan(*span, color=HUMAN, alpha=0.45, lw=0)
    step = max(1, len(times) // 30)
    for m in range(0, len(times), step):
        valid = example.mask[m]
        axes.plot(
            times[m] + ahead[valid], example.tools[0, m, valid, part] * scale, color=colour,
            lw=1.1, alpha=0.75, zorder=3,
        )  # fmt: skip


@contextmanager
def _drawing() -> Iterator[None]:
    import matplotlib as mpl

    mpl.use("Agg")
    with mpl.rc_context(STYLE):
        yield
    from matplotlib import pyplot

    pyplot.close("all")


def _figure(rows: int, columns: int, size: tuple[float, float], share: bool = False) -> Any:
    from matplotlib import pyplot

    row = "row" if rows > 1 else share
    return pyplot.subplots(
        rows, columns, figsize=size, layout="constrained", sharey=row if share else False,
        sharex=share,
    )  # fmt: skip


def _times(evaluated: Evaluated) -> Array:
    rows = np.arange(1, evaluated.spec.horizon + 1, dtype=np.float64)
    return rows * evaluated.spec.dt


def _name(row: Ranked) -> str:
    return row.evaluated.candidate.name


MAKERS: dict[str, Callable[[Comparison], Any]] = {
    "ranking": ranking,
    "horizon": by_horizon,
    "joints": by_joint,
    "gripper": gripper,
    "chunks": chunks,
}
"""The pictures in the order of the report."""
