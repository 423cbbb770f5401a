# SPDX-License-Identifier: Apache-2.0
"""What the demo remembers of a run: one row an episode, and the control loop's stamps."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hiors_core.clock import to_s
from hiors_core.errors import HiorsError


@dataclass(slots=True, kw_only=True)
class EpisodeRow:
    """One online episode as it becomes known.

    Attributes:
        duration: [s]. human_fraction: share of the control ticks in which a person drove.
        outcome: "success", "failure", "discard" or "none". ending: why it ended.
        decision: "accepted", "rejected" or "" while it is open; reasons say why.
        learned: whether the learner has taken it in.
    """

    number: int
    episode_id: str = ""
    seed: int = 0
    duration: float = 0.0
    interventions: int = 0
    human_fraction: float = 0.0
    outcome: str = "none"
    ending: str = ""
    decision: str = ""
    reasons: tuple[str, ...] = ()
    policy_versions: tuple[str, ...] = ()
    learned: bool = False

    @property
    def success(self) -> bool:
        """Whether a person judged the episode a success."""
        return self.outcome == "success"


@dataclass(slots=True)
class CommandLog:
    """Stamps and ticks of the arbiter's commands, to measure the control period.

    Only neighbouring ticks give a period: a message that the listener lost is not a late tick.
    """

    stamps: list[int] = field(default_factory=list)
    ticks: list[int] = field(default_factory=list)

    def add(self, stamp: int, tick: int) -> None:
        """Note a command with its tick stamp [ns] and number."""
        self.stamps.append(stamp)
        self.ticks.append(tick)

    def periods(self) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
        """Return the time between neighbouring ticks [s]."""
        if len(self.stamps) < 2:
            return np.zeros(0)
        neighbours = np.diff(np.array(self.ticks)) == 1
        return np.diff(np.array(self.stamps, dtype=np.int64))[neighbours] / 1e9

    def summary_ms(self) -> dict[str, float]:
        """Return p50, p99 and max of the control period [ms], and how many ticks were heard."""
        periods = self.periods() * 1e3
        if not periods.size:
            return {"p50": float("nan"), "p99": float("nan"), "max": float("nan"), "ticks": 0}
        p50, p99 = np.percentile(periods, [50, 99])
        return {
            "p50": round(float(p50), 3),
            "p99": round(float(p99), 3),
            "max": round(float(periods.max()), 3),
            "ticks": len(self.ticks),
        }

    def largest_gap_ms(self, around: Sequence[int], window: float = 1.0) -> float:
        """Return the longest time between commands [ms] within ``window`` [s] of the stamps."""
        stamps = np.array(self.stamps, dtype=np.int64)
        worst = 0.0
        for stamp in around:
            near = stamps[np.abs(stamps - stamp) <= window * 1e9]
            if near.size > 1:
                worst = max(worst, to_s(int(np.diff(near).max())) * 1e3)
        return round(worst, 3)


def check_some_ran(rows: Sequence[EpisodeRow], most: int = 6) -> None:
    """Raise HiorsError when the last ``most`` episodes all ended without a judgement."""
    last = rows[-most:]
    if len(last) == most and all(row.outcome == "none" for row in last):
        reasons = "; ".join(sorted({row.ending or "no reason was given" for row in last}))
        raise HiorsError(f"{most} episodes in a row could not be run to an end: {reasons}")


def success_count(rows: Sequence[EpisodeRow]) -> dict[str, int]:
    """Return {"k": successes, "n": episodes}."""
    return {"k": sum(row.success for row in rows), "n": len(rows)}
