# SPDX-License-Identifier: Apache-2.0
"""The table of `hiors top`, as rich draws it, from the seat's values. Knows no ROS."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from hiors_core.authority import COLOURS, Authority
from hiors_seat.traffic import Flow

_MARKS = {"ok": "green", "warn": "yellow", "error": "red", "stale": "bright_black"}
_SILENT = 2.0
"""A stream without a message for this long is told as silent [s]."""
_EVENTS = ("control/state", "episode/", "learner/", "policy/checkpoint")
"""Topics that speak when there is something to say: silence of theirs is no trouble."""


def board(
    state: Mapping[str, Any], flows: Sequence[Flow], robot: str, episodes: Sequence[Any] = ()
) -> RenderableType:
    """Return everything: who drives, streams, learner, nodes.

    Args:
        state: of a Seat. flows: one a topic. episodes: of a Seat's view, newest first.
    """
    lower = Table.grid(expand=True, padding=(0, 1))
    lower.add_column(ratio=1)
    lower.add_column(ratio=1)
    lower.add_row(_learning(state, episodes), _devices(state["devices"]))
    return Group(_control(state, robot), _streams(flows), lower)


def _control(state: Mapping[str, Any], robot: str) -> Panel:
    control, latency, limiter = state["control"], state["latency"], state["limiter"]
    name = control["authority"]
    colour = COLOURS[Authority[name]] if name else "bright_black"
    line = Text.assemble((f" {name or 'NO NEWS'} ", f"bold white on {colour}"), "  ")
    for word in (control.get("operator"), control.get("reason")):
        if word:
            line.append(f"{word}  ")
    facts = (
        ("control", _unit(control.get("rate"), "Hz")),
        ("period p50/p99", _pair(control.get("period_p50_ms"), control.get("period_p99_ms"))),
        ("missed ticks", _count(control.get("missed_ticks"))),
        ("starved", _count(control.get("starvations"))),
        ("chunks refused", _count(control.get("rejected_chunks"))),
        ("chunk delay p50/max", _pair(latency["chunk_p50_ms"], latency["chunk_max_ms"])),
        ("limiter", "quiet" if not limiter["share"] else f"{limiter['share']:.0%}"),
    )
    words = Text("   ").join(Text.assemble((f"{n} ", "dim"), v) for n, v in facts)
    rows: list[RenderableType] = [line, words]
    rows += [Text(f"! {problem}", style="yellow") for problem in control["problems"]]
    return Panel(Group(*rows), title=f"hiors top · {robot}", border_style=colour)


def _streams(flows: Sequence[Flow]) -> Table:
    table = Table(expand=True, header_style="dim", border_style="bright_black")
    table.add_column("topic", ratio=1, no_wrap=True)
    for name in ("rate [Hz]", "age p50 [ms]", "age max [ms]", "lost", "publishers", "last"):
        table.add_column(name, justify="right")
    for flow in flows:
        event = flow.topic.startswith(_EVENTS)
        silent = flow.silence is None or flow.silence > _SILENT
        style = "dim" if event or not flow.publishers else "yellow" if silent else ""
        table.add_row(
            flow.topic,
            "–" if event else f"{flow.rate:.1f}",
            _milliseconds(flow.age_p50),
            _milliseconds(flow.age_max),
            Text(str(flow.lost), style="red" if flow.lost else ""),
            str(flow.publishers),
            "never" if flow.silence is None else f"{flow.silence:.1f} s",
            style=style,
        )
    return table


def _learning(state: Mapping[str, Any], episodes: Sequence[Any]) -> Panel:
    learner, checkpoint = state["learner"], state["checkpoint"]
    rows = Table.grid(padding=(0, 2))
    if learner:
        rows.add_row("learner", Text(f"{learner['state']}  {learner['message']}"))
        loss = learner["loss"]
        rows.add_row("step", f"{learner['step']}" + ("" if loss is None else f"  loss {loss:.4f}"))
        rows.add_row("data", f"{learner['episodes']} online + {learner['demonstrations']} demos")
        rows.add_row("speed", _unit(learner["samples_per_s"], "samples/s"))
    active, published = checkpoint["active"], checkpoint["published"]
    rows.add_row("acts", active["version"] if active else "–")
    rows.add_row("published", published["version"] if published else "–")
    waiting = len(state["label_pending"])
    rows.add_row("labels", Text(f"{waiting} waiting", style="yellow" if waiting else ""))
    for episode in episodes[:3]:
        words = (episode["state"], episode["outcome"], *episode["reasons"][:1])
        rows.add_row(Text(episode["id"], style="dim"), Text(" · ".join(words)))
    return Panel(rows, title="learning", border_style="bright_black", title_align="left")


def _devices(devices: Sequence[Mapping[str, Any]]) -> Panel:
    rows = Table.grid(padding=(0, 1))
    rows.add_column(width=1)
    rows.add_column(no_wrap=True)
    rows.add_column(overflow="ellipsis")
    for device in devices:
        style = _MARKS[device["level"]]
        rows.add_row(Text("●", style=style), Text(device["name"]), Text(device["message"], "dim"))
    if not devices:
        rows.add_row("", Text("nothing on /diagnostics", style="dim"))
    return Panel(rows, title="nodes and devices", border_style="bright_black", title_align="left")


def _milliseconds(value: float | None) -> str:
    return "–" if value is None else f"{1e3 * value:.1f}"


def _pair(one: float | None, other: float | None) -> str:
    return "–" if one is None or other is None else f"{one:.1f}/{other:.1f} ms"


def _unit(value: float | None, unit: str) -> str:
    return "–" if value is None else f"{value:.1f} {unit}"


def _count(value: int | None) -> str:
    return "–" if value is None else str(value)
