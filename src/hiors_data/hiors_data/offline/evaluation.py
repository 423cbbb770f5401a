# SPDX-License-Identifier: Apache-2.0
"""Checkpoints against recorded episodes: errors, gripper timing, latency, and a ranking.

Knows checkpoints and episodes; writes nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hiors_core.errors import InvalidValue
from hiors_core.robot import RobotModel
from hiors_data.offline.episodes import JudgedEpisode
from hiors_data.offline.errors import SEGMENTS, Errors, errors_of
from hiors_data.offline.prediction import Predicted, latencies, predict_episode
from hiors_data.offline.statistics import bootstrap, interval, weighted_mean
from hiors_policy import embodiment
from hiors_policy.checkpoint import load_policy, read_manifest
from hiors_policy.manifest import CheckpointManifest
from hiors_policy.policy import Policy, PolicySpec

Array = NDArray[np.float64]

LATENCY_CALLS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A checkpoint that is evaluated."""

    name: str
    policy: Policy
    robot: RobotModel
    manifest: CheckpointManifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """A checkpoint with its errors on every episode, in the order of the episodes.

    Attributes:
        per_episode: (E,) score of each [m]; NaN where it has no transitions.
        example: predictions of the episode that the report draws.
        latency: (calls,) of single inferences [s].
    """

    candidate: Candidate
    errors: tuple[Errors | None, ...]
    per_episode: Array
    example: Predicted | None
    latency: Array

    @property
    def spec(self) -> PolicySpec:
        """What the policy says of itself."""
        return self.candidate.policy.spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """The place of a checkpoint. score [m] with the bounds of its 95 % interval.

    Attributes:
        beaten: share of resampled episode sets in which the next one is worse; NaN for the last.
    """

    evaluated: Evaluated
    score: float
    low: float
    high: float
    beaten: float


def load_candidates(folders: Sequence[Path]) -> tuple[Candidate, ...]:
    """Load checkpoints; InvalidValue when two have the same name or none is given."""
    found = []
    for folder in folders:
        manifest = read_manifest(folder)
        found.append(
            Candidate(
                name=manifest.version,
                policy=load_policy(folder),
                robot=embodiment.restore(manifest.robot),
                manifest=manifest,
            )
        )
    names = [c.name for c in found]
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise InvalidValue(f"Version {', '.join(twice)} is given twice: there is no telling apart")
    return tuple(found)


def evaluate(
    candidate: Candidate,
    judged: Sequence[JudgedEpisode],
    samples: int,
    progress: Callable[[int], None] = lambda done: None,
) -> Evaluated:
    """Predict every transition of every episode ``samples`` times and measure the errors."""
    robot, policy = candidate.robot, candidate.policy
    grippers = np.array([i for i, unit in enumerate(robot.units) if unit == "1"], np.intp)
    chosen = example_of(judged)
    found: list[Errors | None] = []
    example = None
    for i, one in enumerate(judged):
        predicted = predict_episode(policy, robot, one, samples)
        if i == chosen:
            example = predicted
        found.append(None if predicted is None else errors_of(predicted, policy.spec.dt, grippers))
        progress(i + 1)
    return Evaluated(
        candidate=candidate,
        errors=tuple(found),
        per_episode=np.array([np.nan if e is None else episode_score(e) for e in found]),
        example=example,
        latency=latencies(policy, judged, LATENCY_CALLS, judged[0].episode.instruction),
    )


def rank(evaluated: Sequence[Evaluated], judged: Sequence[JudgedEpisode]) -> tuple[Ranked, ...]:
    """Return the checkpoints from the smallest success-weighted score to the largest."""
    weights = np.array([j.weight for j in judged])
    scores = [weighted_mean(e.per_episode, weights) for e in evaluated]
    order = sorted(range(len(evaluated)), key=lambda i: (np.isnan(scores[i]), scores[i]))
    means = bootstrap(np.stack([evaluated[i].per_episode for i in order], axis=1), weights)
    rows = []
    for place, i in enumerate(order):
        low, high = interval(means[:, place])
        beaten = np.nan
        if place + 1 < len(order):
            beaten = float(np.mean(means[:, place] < means[:, place + 1]))
        rows.append(
            Ranked(evaluated=evaluated[i], score=scores[i], low=low, high=high, beaten=beaten)
        )
    return tuple(rows)


def episode_score(errors: Errors) -> float:
    """Return the mean over transitions of the mean over a chunk's valid rows [m]."""
    return float(np.nanmean(np.nanmean(errors.score, axis=1)))


def segment_rows(
    evaluated: Evaluated, judged: Sequence[JudgedEpisode], segment: str | None = None
) -> tuple[tuple[Errors, NDArray[np.bool_], float], ...]:
    """Return errors, chosen transitions and weight of each episode that has any in the segment.

    Args:
        segment: "policy" or "human"; None: all.
    """
    rows = []
    for errors, one in zip(evaluated.errors, judged, strict=True):
        if errors is None:
            continue
        chosen = (
            np.ones(len(errors.authority), np.bool_)
            if segment is None
            else errors.authority == SEGMENTS[segment]
        )
        if chosen.any() and one.weight > 0.0:
            rows.append((errors, chosen, one.weight))
    return tuple(rows)


def overall(
    evaluated: Evaluated,
    judged: Sequence[JudgedEpisode],
    what: str,
    segment: str | None = None,
) -> float:
    """Return the success-weighted mean of an error, averaged as the score is; NaN without any.

    Args:
        what: field of Errors: score, shift or turn.
    """
    rows = segment_rows(evaluated, judged, segment)
    means = [np.nanmean(np.nanmean(getattr(e, what)[chosen], axis=1)) for e, chosen, _ in rows]
    return weighted_mean(np.array(means), np.array([w for _, _, w in rows]))


def mean_error(
    evaluated: Evaluated,
    judged: Sequence[JudgedEpisode],
    what: str,
    segment: str | None = None,
) -> Array:
    """Return the success-weighted mean of an error over transitions: (H,) or (H, N).

    Args:
        what: field of Errors: score, shift, turn or joints.
    """
    rows = segment_rows(evaluated, judged, segment)
    shape: tuple[int, ...] = (evaluated.spec.horizon,)
    if what == "joints":
        shape = (*shape, len(evaluated.candidate.robot.names))
    total, weight = np.zeros(shape), np.zeros(shape)
    for errors, chosen, w in rows:
        values = getattr(errors, what)[chosen]
        known = np.isfinite(values)
        share = w / len(values)
        total += share * np.where(known, values, 0.0).sum(axis=0)
        weight += share * known.sum(axis=0)
    means: Array = np.where(weight > 0.0, total / np.maximum(weight, 1e-300), np.nan)
    return means


def grip_summary(
    evaluated: Evaluated, judged: Sequence[JudgedEpisode]
) -> tuple[Array, int, int, int]:
    """Return the late times [s] of successes, and how many were missed, false and quiet."""
    grips = [e.grips for e, _, _ in segment_rows(evaluated, judged)]
    late = np.concatenate([g.late for g in grips]) if grips else np.empty(0)
    return (
        late,
        sum(g.missed for g in grips),
        sum(g.false for g in grips),
        sum(g.quiet for g in grips),
    )


def example_of(judged: Sequence[JudgedEpisode]) -> int:
    """Return which episode the report draws: a success with both drivers, the longest of such."""

    def worth(i: int) -> tuple[bool, bool, float, int]:
        manifest = judged[i].episode.manifest
        mixed = 0.0 < manifest.human_fraction < 1.0
        return judged[i].weight > 0.0, mixed, manifest.duration, -i

    return max(range(len(judged)), key=worth)
