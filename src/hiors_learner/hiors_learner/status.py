# SPDX-License-Identifier: Apache-2.0
"""What the learner says of itself, link/status.json. The numbers are those of LearnerStatus."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from pathlib import Path

from hiors_core.clock import Clock, to_ns
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
