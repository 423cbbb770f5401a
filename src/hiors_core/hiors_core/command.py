# SPDX-License-Identifier: Apache-2.0
"""What the arbiter says: commands, answers, counts. Values only."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiors_core.authority import Authority

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What the robot is told in one tick; fields as in ControlCommand.msg.

    Attributes:
        stamp: of the tick [ns]. tick: counts from 0.
        position: (N,) absolute joints [rad] and grippers [0 closed .. 1 open], read-only.
        policy_version, chunk_sequence, chunk_time: the chunk it came from ("", 0, -1 if none);
            chunk_time is the fractional row.
        limited: what the limiter changed in somebody's wish, and why.
    """

    stamp: int
    tick: int
    epoch: int
    authority: Authority
    position: Array
    policy_version: str = ""
    chunk_sequence: int = 0
    chunk_time: float = -1.0
    limited: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestResult:
    """Whether a request was granted, and a sentence for the person."""

    ok: bool
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """Counts since the arbiter was made."""

    ticks: int = 0
    limited_ticks: int = 0
    accepted_chunks: int = 0
    rejected_chunks: int = 0
    late_rows: int = 0
    starvations: int = 0
    rejected_teleops: int = 0
    interventions: int = 0
    refused_feedback: int = 0
