# SPDX-License-Identifier: Apache-2.0
"""Who drives and how the episodes went, gathered from the messages of the graph. Knows no ROS."""

import math
import re
from collections.abc import Iterable
from typing import Any, Protocol

from hiors_core.authority import Authority
from hiors_core.clock import Clock, to_s
from hiors_seat.actions import Action

_SILENT = 2.0
"""Without a ControlState for this long (it comes at 5 Hz) the arbiter counts as silent [s]."""
_STATES = (
    "none",
    "recording",
    "sealed",
    "labeled",
    "accepted",
    "rejected",
    "discarded",
    "aborted",
    "learned",
)
_OUTCOMES = ("none", "success", "failure", "discard", "return")
_KEPT = 50
_NUMBER = re.compile(r"[\d.]+")


class ControlStateLike(Protocol):
    """The fields of ControlState.msg that are shown."""

    authority: int
    reason: str
    operator_name: str
    policy_version: str
    ready: bool
    problems: Any
    rate_hz: float
    period_p50: float
    period_p99: float
    missed_ticks: int
    starvations: int
    rejected_chunks: int
    limited_ticks: int


class EpisodeStatusLike(Protocol):
    """The fields of EpisodeStatus.msg that are shown."""

    episode_id: str
    task: str
    state: int
    outcome: int
    duration: float
    interventions: int
    human_fraction: float
    episode_return: float
    threshold: float
    reasons: Any
    policy_versions: Any
    path: str


class EpisodeLabelLike(Protocol):
    """The fields of EpisodeLabel.msg that are shown."""

    episode_id: str
    outcome: int
    episode_return: float
    labeler: str
    source: str
    revision: int


class View:
    """The newest of everything, as JSON-ready values."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._control: dict[str, Any] | None = None
        self._heard = clock.now()
        self._episodes: dict[str, dict[str, Any]] = {}
        self._labels: dict[str, dict[str, Any]] = {}
        self._human = False
        self.revision = 0

    @property
    def authority(self) -> Authority | None:
        """Who drives, or None when the arbiter has been silent for 2 s."""
        if self._control is None or self._is_silent():
            return None
        return Authority[self._control["authority"]]

    @property
    def toggle(self) -> Action:
        """What the take-over button means now: hand back after a person drove, else take over.

        A HOLD between two squeezes of the clutch still belongs to the intervention.
        """
        return Action.HAND_BACK if self._human else Action.TAKE_OVER

    @property
    def pending(self) -> list[str]:
        """Ids of the sealed episodes that wait for a label, oldest first."""
        return [e["id"] for e in self._episodes.values() if _label_pending(e)]

    def on_control(self, message: ControlStateLike) -> bool:
        """Take a ControlState; tell whether the authority changed."""
        name = Authority(message.authority).name
        changed = self._control is None or self._control["authority"] != name
        self._heard = self._clock.now()
        if message.authority != Authority.HOLD:
            self._human = message.authority == Authority.HUMAN
        self._control = {
            "authority": name,
            "reason": _unsaid(message.reason, message.problems),
            "operator": message.operator_name,
            "policy": message.policy_version,
            "ready": bool(message.ready),
            "problems": list(message.problems),
            "rate": finite(message.rate_hz),
            "period_p50_ms": finite(1e3 * message.period_p50),
            "period_p99_ms": finite(1e3 * message.period_p99),
            "missed_ticks": int(message.missed_ticks),
            "starvations": int(message.starvations),
            "rejected_chunks": int(message.rejected_chunks),
            "limited_ticks": int(message.limited_ticks),
        }
        return changed

    def on_episode(self, message: EpisodeStatusLike) -> None:
        """Take an EpisodeStatus; the newest one received counts as the present episode."""
        before = self._episodes.pop(message.episode_id, {})
        now = {
            "id": message.episode_id,
            "task": message.task,
            "state": _name(_STATES, message.state),
            "outcome": _name(_OUTCOMES, message.outcome),
            "duration": finite(message.duration),
            "interventions": int(message.interventions),
            "human_fraction": finite(message.human_fraction),
            "return": finite(message.episode_return),
            "threshold": finite(message.threshold),
            "reasons": list(message.reasons),
            "policies": list(message.policy_versions),
            "path": message.path,
            "by": self._labels.get(message.episode_id, {}).get("by", before.get("by", "")),
        }
        self._episodes[message.episode_id] = now
        while len(self._episodes) > _KEPT:
            del self._episodes[next(iter(self._episodes))]
        self.revision += 1

    def on_label(self, message: EpisodeLabelLike) -> None:
        """Take an EpisodeLabel: it may come before or after the status that goes with it."""
        label = {"by": f"{message.labeler or 'unknown'} ({message.source or 'service'})"}
        self._labels[message.episode_id] = label
        while len(self._labels) > _KEPT:
            del self._labels[next(iter(self._labels))]
        if message.episode_id in self._episodes:
            self._episodes[message.episode_id] |= label
            self.revision += 1

    def episodes(self) -> list[dict[str, Any]]:
        """Return the newest episodes, newest start first (ids grow with the time of start)."""
        shown = [{**e, "pending": _label_pending(e)} for e in self._episodes.values()]
        return sorted(shown, key=lambda e: str(e["id"]), reverse=True)

    def to_dict(self) -> dict[str, Any]:
        """Return who drives and the present episode."""
        control = self._control or {"authority": None, "problems": [], "reason": ""}
        if self._is_silent() or self._control is None:
            control = {**control, "authority": None, "problems": ["No news from the arbiter."]}
        return {
            "control": control,
            "toggle": self.toggle,
            "episode": next(reversed(self._episodes.values()), None),
            "label_pending": self.pending,
        }

    def _is_silent(self) -> bool:
        return to_s(self._clock.now() - self._heard) > _SILENT


def finite(value: float) -> float | None:
    """Return the number with 3 decimals, or None when JSON has no word for it."""
    return round(float(value), 3) if math.isfinite(value) else None


def _unsaid(reason: str, problems: Iterable[str]) -> str:
    """Return the reason, unless a problem says the same, be it with newer numbers."""
    return "" if _NUMBER.sub("", reason) in (_NUMBER.sub("", p) for p in problems) else reason


def _label_pending(episode: dict[str, Any]) -> bool:
    waits = episode["state"] in ("sealed", "labeled")
    return waits and episode["outcome"] == "none"


def _name(names: Iterable[str], index: int) -> str:
    known = list(names)
    return known[index] if index < len(known) else f"state {index}"
