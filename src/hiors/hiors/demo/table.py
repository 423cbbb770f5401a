# SPDX-License-Identifier: Apache-2.0
"""The live view of the demo in a terminal, and its plain form for logs."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from hiors.demo.records import EpisodeRow, success_count

_MARKS = {"success": "[green]success[/]", "failure": "[red]failure[/]", "none": "[dim]…[/]"}
_AUTHORITIES = ("HOLD", "POLICY", "HANDOVER", "HUMAN", "STOPPED")
_COLOURS = {"POLICY": "cyan", "HUMAN": "yellow", "STOPPED": "red"}
ROWS = 14


@dataclass(slots=True, kw_only=True)
class Status:
    """What runs right now, for the line above the table."""

    stage: str = ""
    authority: int = 0
    reason: str = ""
    policy_version: str = ""
    learner_step: int = 0
    learner_loss: float = float("nan")
    learner_episodes: int = 0
    hot_swaps: int = 0
    rate_hz: float = 0.0


class Display:
    """Draws the run; headless it prints one line an event instead."""

    def __init__(self, episodes: int, *, headless: bool, console: Console | None = None) -> None:
        self.console = console or Console()
        self.headless = headless
        self.status = Status()
        self.rows: Sequence[EpisodeRow] = ()
        self._bars = Progress(
            TextColumn("{task.description:<26}"),
            BarColumn(bar_width=36),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self.console,
        )
        self._episodes = self._bars.add_task("online episodes", total=episodes)
        self._live = Live(
            self, console=self.console, refresh_per_second=2, transient=False, screen=False
        )

    def __enter__(self) -> "Display":
        if not self.headless:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if not self.headless:
            self._live.stop()

    def say(self, text: str) -> None:
        """Print a line above the table."""
        self.console.print(text, highlight=False)

    def stage(self, text: str) -> None:
        """Name what the demo does now."""
        self.status.stage = text
        if self.headless:
            self.say(text)

    def bar(self, name: str, total: int) -> int:
        """Add a progress bar and return its handle."""
        return self._bars.add_task(name, total=total)

    def advance(self, bar: int, done: int) -> None:
        """Set a bar to ``done`` steps."""
        self._bars.update(bar, completed=done)

    def ended(self, done: int) -> None:
        """Note that ``done`` online episodes have ended."""
        self._bars.update(self._episodes, completed=done)

    def decided(self, row: EpisodeRow) -> None:
        """Note that an episode was accepted or rejected."""
        if self.headless:
            self.say(_line(row, self.status))

    def __rich__(self) -> RenderableType:
        return Group(_head(self.status), _table(self.rows), self._bars)


def _line(row: EpisodeRow, status: Status) -> str:
    why = f" ({'; '.join(row.reasons)})" if row.decision == "rejected" and row.reasons else ""
    return (
        f"episode {row.number:3d}  {row.outcome:<8} {row.duration:5.1f} s  "
        f"{row.interventions} interventions  {row.decision or 'open'}{why}  "
        f"policy {','.join(row.policy_versions) or '-'}  learner step {status.learner_step}"
    )


def _head(status: Status) -> RenderableType:
    name = _AUTHORITIES[status.authority]
    text = Text.from_markup(
        f"[bold]{status.stage}[/]\n"
        f"authority [{_COLOURS.get(name, 'white')}]{name}[/] {status.reason}   "
        f"control {status.rate_hz:.1f} Hz   policy [cyan]{status.policy_version or '-'}[/] "
        f"({status.hot_swaps} hot-swaps)   learner step {status.learner_step}, "
        f"loss {status.learner_loss:.3f}, {status.learner_episodes} episodes"
    )
    return Panel(
        text, title="hiors demo: a simulated X-Trainer learns to insert", title_align="left"
    )


def _table(rows: Sequence[EpisodeRow]) -> RenderableType:
    table = Table(expand=True, pad_edge=False)
    for name, justify in (
        ("episode", "right"),
        ("outcome", "left"),
        ("time", "right"),
        ("interventions", "right"),
        ("human", "right"),
        ("decision", "left"),
        ("policy", "left"),
        ("success so far", "right"),
    ):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for row in rows[-ROWS:]:
        so_far = success_count(rows[: row.number])
        table.add_row(
            str(row.number),
            _MARKS.get(row.outcome, row.outcome),
            f"{row.duration:.1f} s",
            str(row.interventions),
            f"{100 * row.human_fraction:.0f} %",
            _decision(row),
            ", ".join(row.policy_versions),
            f"{so_far['k']}/{so_far['n']}" if row.outcome != "none" else "",
        )
    return table


def _decision(row: EpisodeRow) -> str:
    if row.decision == "accepted":
        return "[green]accepted, learned[/]" if row.learned else "[green]accepted[/]"
    if row.decision == "rejected":
        return f"[red]rejected[/] {'; '.join(row.reasons)}"
    return "[dim]open[/]"
