# SPDX-License-Identifier: Apache-2.0
"""What the learner says of itself: link/status.json and metrics.jsonl. The numbers are those of
LearnerStatus.msg.
"""

import json
import os
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from pathlib import Path

from hiors_core.clock import Clock, to_ns, to_s
from hiors_core.durable import write_atomic

_PERIOD = 0.5
_NEWEST_IDS = 20


class State(IntEnum):
    """What the learner is doing."""

    STARTING = 0
    WAITING = 1
    TRAINING = 2
    PACED = 3
    FAILED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Content of status.json, beside "pid" and "stamp_ns".

    Attributes:
        state: 0 STARTING, 1 WAITING, 2 TRAINING, 3 PACED, 4 FAILED. message: why.
        step: optimiser steps. learning_rate: of the newest step.
        transitions: in the training set. samples_per_s: speed of training [1/s].
        episode_ids: newest that were taken in.
        loss: mean of the last window. demonstrations, episodes: in the training set.
        refused: episodes that were not taken in. checkpoint: newest published version.
        robots: online episodes of each robot and task, as "robot1/insert_moisturizer".
    """

    state: State
    message: str = ""
    step: int = 0
    loss: float | None = None
    learning_rate: float = 0.0
    demonstrations: int = 0
    episodes: int = 0
    refused: int = 0
    transitions: int = 0
    samples_per_s: float = 0.0
    checkpoint: str = ""
    episode_ids: tuple[str, ...] = ()
    robots: Mapping[str, int] = field(default_factory=dict)


class StatusFile:
    """Replaces status.json at about 2 Hz, and at once when the state changes."""

    def __init__(self, path: Path, clock: Clock) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._clock = path, clock
        self._next = 0
        self._state: State | None = None

    def write(self, status: Status) -> None:
        """Write the status if it is time to."""
        now = self._clock.now()
        if now < self._next and status.state == self._state:
            return
        self._next, self._state = now + to_ns(_PERIOD), status.state
        content = {
            **asdict(status),
            "episode_ids": list(status.episode_ids[-_NEWEST_IDS:]),
            "pid": os.getpid(),
            "stamp_ns": now,
        }
        write_atomic(
            self._path, json.dumps(content, allow_nan=False).encode(), "status", sync=False
        )


class Metrics:
    """Sums up steps; one line of metrics.jsonl for each window."""

    def __init__(self, path: Path | None, window: int, clock: Clock) -> None:
        self._path, self._window, self._clock = path, window, clock
        self._losses: deque[float] = deque(maxlen=window)
        self._count = 0
        self._since = clock.now()
        self.loss: float | None = None
        self.steps_per_s = 0.0
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)

    def add(self, step: int, loss: float, gradient_norm: float, learning_rate: float) -> None:
        """Take one step in; write a line when the window is full."""
        self._losses.append(loss)
        self._count += 1
        self.loss = sum(self._losses) / len(self._losses)
        if self._count < self._window:
            return
        now = self._clock.now()
        self.steps_per_s = self._count / max(to_s(now - self._since), 1e-9)
        self._count, self._since = 0, now
        line = {
            "step": step,
            "loss": self.loss,
            "gradient_norm": gradient_norm,
            "learning_rate": learning_rate,
            "steps_per_s": round(self.steps_per_s, 2),
            "stamp_ns": now,
        }
        if self._path:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
