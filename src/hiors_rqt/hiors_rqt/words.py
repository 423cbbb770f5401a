# SPDX-License-Identifier: Apache-2.0
"""What the panels say, made of the seat's values. Knows neither Qt nor ROS."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hiors_core.authority import COLOURS, Authority
from hiors_core.errors import InvalidValue
from hiors_core.label import MAX_STAGES
from hiors_seat.actions import Action

UNKNOWN = "–"
_TITLES = {
    "HOLD": "Holding",
    "POLICY": "Policy drives",
    "HANDOVER": "Handing over",
    "HUMAN": "Person drives",
    "STOPPED": "Stopped",
}
_NO_NEWS = "#8a94a3"
_OUTCOME_COLOURS = {
    "success": COLOURS[Authority.HUMAN],
    "failure": COLOURS[Authority.STOPPED],
    "return": COLOURS[Authority.POLICY],
    "discard": _NO_NEWS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervention:
    """The texts of the panel Intervention.

    Attributes:
        colour: of the authority, as RGB. facts: (name, value) by card.
        limiter: share of changed commands, 0 .. 1. devices: (level, name, message).
    """

    title: str
    colour: str
    reason: str
    problems: tuple[str, ...]
    toggle: str
    can_drive: bool
    stopped: bool
    control: tuple[tuple[str, str], ...]
    policy: tuple[tuple[str, str], ...]
    limiter: float
    limiter_text: str
    devices: tuple[tuple[str, str, str], ...]


def intervention(state: Mapping[str, Any]) -> Intervention:
    """Say the state of the seat."""
    control = state["control"]
    name = control["authority"]
    title = _TITLES.get(name, "No news")
    if name == "HUMAN" and control["operator"]:
        title = f"{control['operator']} drives"
    limiter, latency = state["limiter"], state["latency"]
    share = limiter["share"] or 0.0
    reasons = "; ".join(limiter["reasons"]) or "nothing changed in the last 5 s"
    return Intervention(
        title=title,
        colour=COLOURS[Authority[name]] if name else _NO_NEWS,
        reason=control["reason"],
        problems=tuple(control["problems"]),
        toggle="Hand back" if state["toggle"] == Action.HAND_BACK else "Take over",
        can_drive=name is not None and name != "STOPPED",
        stopped=name == "STOPPED",
        control=(
            ("Rate", _with(control.get("rate"), "Hz", 1)),
            ("Period p50 / p99", _pair(control, "period_p50_ms", "period_p99_ms")),
            ("Missed ticks", _count(control.get("missed_ticks"))),
            ("Starvations", _count(control.get("starvations"))),
        ),
        policy=(
            ("Version", control.get("policy") or UNKNOWN),
            ("Chunk delay p50 / max", _pair(latency, "chunk_p50_ms", "chunk_max_ms")),
            ("Chunks in 5 s", _count(latency["chunks"])),
            ("Refused chunks", _count(control.get("rejected_chunks"))),
        ),
        limiter=share,
        limiter_text=f"{share:.0%} of commands changed: {reasons}" if share else reasons,
        devices=tuple((d["level"], d["name"], d["message"]) for d in state["devices"]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One episode of the list."""

    episode_id: str
    headline: str
    detail: str
    badge: str
    colour: str
    path: str
    pending: bool


def rows(episodes: Sequence[Mapping[str, Any]], *, pending_only: bool = False) -> list[Row]:
    """Say every episode, in the order given."""
    return [_row(e) for e in episodes if e["pending"] or not pending_only]


def _row(episode: Mapping[str, Any]) -> Row:
    outcome, state = episode["outcome"], episode["state"]
    labelled = outcome != "none"
    badge = outcome if labelled else ("label me" if episode["pending"] else state)
    if outcome == "return" or (labelled and episode["return"] not in (None, 0.0, 1.0)):
        badge = f"{outcome} {episode['return']:g}"
    times = episode["interventions"]
    facts = [_with(episode["duration"], "s", 1)]
    facts.append(f"{times} intervention{'' if times == 1 else 's'}")
    facts += [f"{episode['human_fraction'] or 0.0:.0%} human", state]
    if episode["by"]:
        facts.append(f"by {episode['by']}")
    facts += episode["reasons"][:1]
    return Row(
        episode_id=episode["id"],
        headline=episode["id"],
        detail=" · ".join(facts),
        badge=badge,
        colour=_OUTCOME_COLOURS.get(outcome, COLOURS[Authority.HANDOVER]),
        path=episode["path"],
        pending=episode["pending"],
    )


def next_pending(rows_now: Sequence[Row], after: str) -> str:
    """Return the pending episode to go to after ``after`` was labelled, or an empty id.

    The next older one, else the oldest of the newer ones.
    """
    ids = [row.episode_id for row in rows_now if row.pending and row.episode_id != after]
    older = [i for i in ids if i < after]
    return older[0] if older else (ids[-1] if ids else "")


def stage_rewards(text: str) -> tuple[float, ...]:
    """Read rewards between commas or spaces, or raise InvalidValue."""
    words = text.replace(",", " ").replace(";", " ").split()
    try:
        values = tuple(float(word) for word in words)
    except ValueError:
        values = ()
    if not values or len(values) > MAX_STAGES or not all(abs(v) < 1e9 for v in values):
        raise InvalidValue(
            f"Stage rewards are 1 to {MAX_STAGES} numbers, such as '0.5, 0.5'; got '{text[:40]}'"
        )
    return values


def _pair(values: Mapping[str, Any], one: str, other: str) -> str:
    first, second = values.get(one), values.get(other)
    if first is None or second is None:
        return UNKNOWN
    return f"{first:.1f} / {second:.1f} ms"


def _with(value: float | None, unit: str, digits: int) -> str:
    return UNKNOWN if value is None else f"{value:.{digits}f} {unit}"


def _count(value: int | None) -> str:
    return UNKNOWN if value is None else f"{value:,}".replace(",", " ")
