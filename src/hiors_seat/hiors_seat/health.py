# SPDX-License-Identifier: Apache-2.0
"""How the machine does: devices, limiter, latency, learner, checkpoints. Knows no ROS."""

from collections import Counter, deque
from typing import Any

from hiors_core.clock import Clock, to_s
from hiors_seat.view import finite

_LEVELS = ("ok", "warn", "error", "stale")
_LEARNER = ("starting", "waiting", "training", "paced", "failed", "gone")
_WINDOW = 5.0
"""The limiter's activity and the latency are told over this time [s]."""
_STALE = 3.0
"""A diagnostic that has not come for this long is stale; they come at 1 Hz [s]."""
_DRIVEN = (1, 2, 3)
"""Authorities in which the arm moves: POLICY, HANDOVER, HUMAN."""


class Health:
    """The newest of everything but control and episodes, as JSON-ready values.

    Args:
        namespace: of the robot, whose diagnostics are shown; empty: those of all.
    """

    def __init__(self, clock: Clock, namespace: str = "") -> None:
        self._clock = clock
        self._prefix = f"{namespace.strip('/')}/" if namespace.strip("/") else ""
        self._devices: dict[str, tuple[int, dict[str, Any]]] = {}
        self._commands: deque[tuple[int, tuple[str, ...]]] = deque()
        self._delays: deque[tuple[int, float]] = deque()
        self._learner: dict[str, Any] | None = None
        self._active: dict[str, Any] | None = None
        self._published: dict[str, Any] | None = None

    def on_diagnostics(self, message: Any) -> None:
        """Take a DiagnosticArray; /diagnostics is one for all robots, those of others pass by."""
        now = self._clock.now()
        for status in message.status:
            if not self._is_ours(status.name):
                continue
            level = ord(status.level) if isinstance(status.level, bytes) else int(status.level)
            self._devices[status.name] = (
                now,
                {
                    "name": status.name.removeprefix(self._prefix),
                    "level": _LEVELS[min(level, 3)],
                    "message": status.message,
                    "values": {pair.key: pair.value for pair in status.values},
                },
            )

    def on_command(self, message: Any) -> None:
        """Take a ControlCommand: whether the limiter changed it, and why."""
        if message.authority in _DRIVEN:
            self._commands.append((self._clock.now(), tuple(message.limited)))

    def on_chunk(self, message: Any) -> None:
        """Take an ActionChunk: its delay is the time from the observation to the publication."""
        sent, seen = message.header.stamp, message.obs_stamp
        delay = (sent.sec - seen.sec) + (sent.nanosec - seen.nanosec) / 1e9
        self._delays.append((self._clock.now(), delay))

    def on_learner(self, message: Any) -> None:
        """Take a LearnerStatus."""
        state = int(message.state)
        self._learner = {
            "state": _LEARNER[state] if state < len(_LEARNER) else f"state {state}",
            "message": message.message,
            "step": int(message.step),
            "loss": finite(message.loss),
            "demonstrations": int(message.demonstrations),
            "episodes": int(message.episodes),
            "transitions": int(message.transitions),
            "samples_per_s": finite(message.samples_per_s),
            "checkpoint": message.checkpoint,
        }

    def on_checkpoint(self, message: Any) -> None:
        """Take a CheckpointInfo, of the policy node (active) or of the learner."""
        info = {"version": message.version, "step": int(message.step), "parent": message.parent}
        if message.active:
            self._active = info
        else:
            self._published = info

    def to_dict(self) -> dict[str, Any]:
        """Return what is known now."""
        return {
            "devices": self._shown_devices(),
            "limiter": self._limiter(),
            "latency": self._latency(),
            "learner": self._learner,
            "checkpoint": {"active": self._active, "published": self._published},
        }

    def _is_ours(self, name: str) -> bool:
        """A name with a namespace must have ours; vendors' nodes tell theirs without one."""
        node = name.split(":")[0]
        return not self._prefix or "/" not in node or name.startswith(self._prefix)

    def _shown_devices(self) -> list[dict[str, Any]]:
        now = self._clock.now()
        shown = []
        for heard, device in self._devices.values():
            old = to_s(now - heard) > _STALE
            shown.append({**device, "level": "stale"} if old else device)
        rank = {"error": 0, "stale": 1, "warn": 2, "ok": 3}
        return sorted(shown, key=lambda d: (rank[d["level"]], d["name"]))

    def _limiter(self) -> dict[str, Any]:
        self._forget(self._commands)
        reasons = Counter(_kind(text) for _, limited in self._commands for text in limited)
        changed = sum(1 for _, limited in self._commands if limited)
        return {
            "share": finite(changed / len(self._commands)) if self._commands else None,
            "reasons": [text for text, _ in reasons.most_common(4)],
        }

    def _latency(self) -> dict[str, Any]:
        self._forget(self._delays)
        delays = sorted(delay for _, delay in self._delays)
        if not delays:
            return {"chunk_p50_ms": None, "chunk_max_ms": None, "chunks": 0}
        return {
            "chunk_p50_ms": finite(1e3 * delays[len(delays) // 2]),
            "chunk_max_ms": finite(1e3 * delays[-1]),
            "chunks": len(delays),
        }

    def _forget(self, window: "deque[Any]") -> None:
        now = self._clock.now()
        while window and to_s(now - window[0][0]) > _WINDOW:
            window.popleft()


def _kind(text: str) -> str:
    """Return the reason without its numbers, so that equal ones count together."""
    return text.split(":")[0].split(" from ")[0].strip()[:80]
