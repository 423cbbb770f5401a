# SPDX-License-Identifier: Apache-2.0
"""What the page shows of the robot, gathered from the messages of the graph. Knows no socket."""

import math
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, Protocol

from hiors_core.authority import Authority
from hiors_core.clock import Clock, to_s
from hiors_quest.values import Action, HandStatus

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


class ControlStateLike(Protocol):
    """The fields of ControlState.msg that are shown."""

    authority: int
    reason: str
    operator_name: str
    policy_version: str
    ready: bool
    problems: Any
    rate_hz: float


class EpisodeStatusLike(Protocol):
    """The fields of EpisodeStatus.msg that are shown."""

    episode_id: str
    task: str
    state: int
    outcome: int
    duration: float
    interventions: int
    reasons: Any


class View:
    """The newest of everything, as one JSON-ready dictionary."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._control: dict[str, Any] | None = None
        self._heard = clock.now()
        self._episodes: dict[str, dict[str, Any]] = {}
        self._human = False

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

    def on_control(self, message: ControlStateLike) -> bool:
        """Take a ControlState; tell whether the authority changed."""
        name = Authority(message.authority).name
        changed = self._control is None or self._control["authority"] != name
        self._heard = self._clock.now()
        if message.authority != Authority.HOLD:
            self._human = message.authority == Authority.HUMAN
        self._control = {
            "authority": name,
            "reason": message.reason,
            "operator": message.operator_name,
            "policy": message.policy_version,
            "ready": bool(message.ready),
            "problems": list(message.problems),
            "rate": _finite(message.rate_hz),
        }
        return changed

    def on_episode(self, message: EpisodeStatusLike) -> None:
        """Take an EpisodeStatus; the newest one received counts as the present episode."""
        self._episodes.pop(message.episode_id, None)
        self._episodes[message.episode_id] = {
            "id": message.episode_id,
            "task": message.task,
            "state": _name(_STATES, message.state),
            "outcome": _name(_OUTCOMES, message.outcome),
            "duration": _finite(message.duration),
            "interventions": int(message.interventions),
            "reasons": list(message.reasons),
        }
        while len(self._episodes) > _KEPT:
            del self._episodes[next(iter(self._episodes))]

    def to_dict(self, hands: Iterable[HandStatus]) -> dict[str, Any]:
        """Return what the page shows now."""
        control = self._control or {"authority": None, "problems": [], "reason": ""}
        if self._is_silent() or self._control is None:
            control = {**control, "authority": None, "problems": ["No news from the arbiter."]}
        pending = [e["id"] for e in self._episodes.values() if _label_pending(e)]
        newest = next(reversed(self._episodes.values()), None)
        return {
            "control": control,
            "toggle": self.toggle,
            "episode": newest,
            "label_pending": pending,
            "hands": [asdict(hand) for hand in hands],
        }

    def _is_silent(self) -> bool:
        return to_s(self._clock.now() - self._heard) > _SILENT


def _label_pending(episode: dict[str, Any]) -> bool:
    return episode["state"] == "sealed" and episode["outcome"] == "none"


def _name(names: Iterable[str], index: int) -> str:
    known = list(names)
    return known[index] if index < len(known) else f"state {index}"


def _finite(value: float) -> float | None:
    return round(float(value), 3) if math.isfinite(value) else None
