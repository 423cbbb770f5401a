# SPDX-License-Identifier: Apache-2.0
"""What the console reads from the run's folder: curves, episodes, frames. No ROS, no HTTP."""

import json
import struct
from collections import OrderedDict
from dataclasses import asdict
from pathlib import Path
from threading import Lock
from typing import Any

from hiors_core.errors import HiorsError
from hiors_core.label import Outcome
from hiors_core.store import EpisodeStore
from hiors_seat.gallery import cameras, frames, thumbnail, timeline
from hiors_seat.view import finite

_POINTS = 400
_KEPT = 64


class Records:
    """Reads one store and one run. Every method may be called from any thread.

    Args:
        store: episode store, or None. run: folder with learner/metrics.jsonl, or None.
    """

    def __init__(self, store: Path | None, run: Path | None) -> None:
        self._store = EpisodeStore(store) if store else None
        self._run = run
        self._lock = Lock()
        self._thumbnails: OrderedDict[str, bytes | None] = OrderedDict()

    def curves(self) -> dict[str, Any]:
        """Return one row an episode, oldest first, and the learner's losses."""
        rows = self._store.rows() if self._store else []
        return {
            "episodes": [
                {
                    "id": row.episode_id,
                    "success": _success(row.outcome, row.episode_return),
                    "human": finite(row.human_fraction),
                    "return": finite(row.episode_return),
                    "threshold": finite(row.threshold),
                    "accepted": row.accepted,
                    "duration": finite(row.duration),
                }
                for row in rows
                if not row.aborted
            ],
            "loss": self._losses(),
        }

    def episode(self, episode_id: str) -> dict[str, Any]:
        """Return what is known of a sealed episode, or raise HiorsError."""
        store = self._required()
        manifest = store.manifest(episode_id)
        label, decision = store.label(episode_id), store.decision(episode_id)
        return {
            "id": episode_id,
            "task": manifest.task,
            "duration": finite(manifest.duration),
            "spans": [asdict(span) for span in timeline(manifest)],
            "cameras": list(cameras(store.path(episode_id))),
            "transitions": manifest.transitions,
            "interventions": manifest.interventions,
            "human_fraction": finite(manifest.human_fraction),
            "policies": list(manifest.policy_versions),
            "outcome": label.outcome.name.lower(),
            "return": finite(label.episode_return),
            "labeler": label.labeler,
            "source": label.source,
            "accepted": decision.accepted if decision else None,
            "threshold": finite(decision.threshold) if decision else None,
            "reasons": list(decision.reasons) if decision else [],
        }

    def thumbnail(self, episode_id: str) -> bytes | None:
        """Return the JPEG of how an episode ended, or None when it holds no image."""
        with self._lock:
            if episode_id in self._thumbnails:
                return self._thumbnails[episode_id]
        jpeg = thumbnail(self._required().path(episode_id), 240)
        with self._lock:
            self._thumbnails[episode_id] = jpeg
            while len(self._thumbnails) > _KEPT:
                self._thumbnails.popitem(last=False)
        return jpeg

    def frames(self, episode_id: str, camera: str) -> bytes:
        """Return all images of a camera: length of a JSON head (uint32, little endian), the head
        {"times": [s], "sizes": [bytes]}, then the JPEGs one after the other.
        """
        found = frames(self._required().path(episode_id), camera)
        head = {"times": [round(t, 3) for t, _ in found], "sizes": [len(j) for _, j in found]}
        text = json.dumps(head).encode()
        return struct.pack("<I", len(text)) + text + b"".join(jpeg for _, jpeg in found)

    def _required(self) -> EpisodeStore:
        if self._store is None:
            raise HiorsError("This console knows no episode store: set the parameter 'store'.")
        return self._store

    def _losses(self) -> list[tuple[int, float]]:
        if self._run is None:
            return []
        try:
            text = (self._run / "learner" / "metrics.jsonl").read_text(encoding="utf-8")
        except OSError:
            return []
        points = [p for line in text.splitlines() if (p := _point(line)) is not None]
        every = max(1, len(points) // _POINTS)
        return points[::every]


def _point(line: str) -> tuple[int, float] | None:
    try:
        data = json.loads(line)
        return int(data["step"]), round(float(data["loss"]), 6)
    except (ValueError, KeyError, TypeError):
        # The learner may be writing this line at the moment.
        return None


def _success(outcome: int, value: float) -> float | None:
    if outcome in (Outcome.SUCCESS, Outcome.FAILURE):
        return float(outcome == Outcome.SUCCESS)
    return min(1.0, max(0.0, value)) if outcome == Outcome.RETURN else None
