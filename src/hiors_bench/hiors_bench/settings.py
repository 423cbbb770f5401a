# SPDX-License-Identifier: Apache-2.0
"""The design of the benchmark: every number that a result depends on beside task, arm and seed.

Frozen before the seeds that are published were run.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any

from hiors_core.errors import InvalidValue


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchSettings:
    """Numbers of all arms alike. A frame is a row of a chunk, 0.1 s of the robot's time.

    Attributes:
        demonstrations: that every arm starts from. start_steps: gradient steps on them alone.
        frames: collected online, the person's and the policy's together. episodes: collected
            online. What is reached first ends the collection; 0 is no limit.
        utd: gradient steps for each frame collected, whatever becomes of it: equal frames are
            equal steps.
        evaluations: episodes of the last evaluation.
        curve_points: evaluations on the way, without the one at the start. curve_evaluations:
            episodes of each.
        limits: time limits at which success is counted, in parts of the task's own; the longest
            only for arms with probes.
        probe_evaluations: episodes of each recovery probe. grid: starts along a side.
        usual, seldom: shares of the episodes that the person watches.
        glitch: share of the episodes that a slip of the label button ends as a success, in arms
            with slips.
        pause: probability that the person rests at a change of phase: no-ops.
        cycle: steps of a cycle of the cyclical learning rate.
        execute: rows of a chunk that are executed. noise: scale of x0 when Hi-ORS and cloning
            act; 1 is what a flow is trained from.
        blend: time over which a new chunk replaces the one before [s]. With 0 every action is
            executed as it was chosen, which an agent that learns values must be able to rely on.
        learner: file of config/learner with network, batch, loss and optimiser.
    """

    demonstrations: int = 5
    start_steps: int = 1500
    frames: int = 3000
    episodes: int = 0
    utd: float = 1.0
    evaluations: int = 100
    curve_points: int = 4
    curve_evaluations: int = 20
    limits: tuple[float, ...] = (0.625, 0.8, 1.0, 1.5, 2.0, 2.5)
    probe_evaluations: int = 10
    grid: int = 5
    usual: float = 0.8
    seldom: float = 0.3
    glitch: float = 0.1
    pause: float = 0.25
    cycle: int = 900
    execute: int = 2
    noise: float = 0.0
    blend: float = 0.0
    learner: str = "bench"

    def __post_init__(self) -> None:
        for name, low in _LEAST.items():
            if getattr(self, name) < low:
                raise InvalidValue(f"{name} must be at least {low}, got {getattr(self, name)}")
        for name in ("usual", "seldom", "glitch", "pause", "noise"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise InvalidValue(f"{name} must be within 0 .. 1, got {getattr(self, name)}")
        if not self.frames and not self.episodes:
            raise InvalidValue("frames or episodes must be at least 1: nothing would be collected")
        if 1.0 not in self.limits or list(self.limits) != sorted(set(self.limits)):
            raise InvalidValue(f"limits must rise and contain 1.0, got {self.limits}")
        if not 0.0 <= self.blend <= 1.0:
            raise InvalidValue(f"blend must be within 0 .. 1 s, got {self.blend}")
        if not 0.0 <= self.utd <= 100.0:
            raise InvalidValue(f"utd must be within 0 .. 100, got {self.utd}")


_LEAST = {
    "demonstrations": 1, "start_steps": 1, "frames": 0, "episodes": 0, "evaluations": 1,
    "curve_points": 1, "curve_evaluations": 1, "probe_evaluations": 0, "grid": 0, "execute": 1,
    "cycle": 1,
}  # fmt: skip

SMOKE = BenchSettings(
    demonstrations=2,
    start_steps=20,
    frames=0,
    episodes=1,
    evaluations=2,
    curve_points=1,
    curve_evaluations=1,
    limits=(0.5, 1.0),
    probe_evaluations=1,
    grid=1,
)
"""Every part of every arm once, too short to learn anything."""


def to_json(settings: BenchSettings) -> dict[str, Any]:
    """Return the settings as JSON values."""
    return {**asdict(settings), "limits": list(settings.limits)}


def from_json(data: dict[str, Any]) -> BenchSettings:
    """Return the settings that ``to_json`` wrote, or raise InvalidValue."""
    names = {f.name for f in fields(BenchSettings)}
    if set(data) != names:
        raise InvalidValue(f"Settings of another version: {sorted(set(data) ^ names)} differ")
    return BenchSettings(**{**data, "limits": tuple(data["limits"])})
