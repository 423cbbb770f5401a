# SPDX-License-Identifier: Apache-2.0
"""Rejection sampling, eq. 3: I_m(tau) = 1[R(tau) >= m(k)], with the filters of section III-D.

A pure function of a sealed episode's summary, a rule and k; it writes its reasons. Knows no store.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hiors_core.errors import IntegrityError, InvalidValue, UnknownName
from hiors_core.label import Label, Outcome
from hiors_core.similar import Past, Start, luck, similar_returns

SCHEDULES = ("constant", "progressive", "quantile", "lower_bound")
ROUNDING = 1e-9
"""A return that misses m by no more than this reaches it: stage rewards are sums of decimals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptanceRule:
    """When an episode is kept.

    Attributes:
        schedule: how m depends on k: "constant", "progressive" or "quantile"; "lower_bound" is
            constant and also asks that similar starts succeed, for environments with luck.
        threshold: m of the constant schedule; the least m of the quantile schedule.
        thresholds: m_1 <= m_2 <= ... of the progressive schedule.
        stage_episodes: progressive: accepted episodes after which the next m_k is in force.
        quantile: share of the last returns that m lies above, 0 .. 1.
        window: how many last returns the quantile or the success rate is taken over.
        radius: lower_bound: starts within this distance are similar, in their units.
        least_rate: lower_bound: least lower bound of the success rate, 0 .. 1.
        deviations: lower_bound: z of the bound. grace: similar starts that are needed to judge.
        min_length: L_min [s], from the first to the last control tick.
        min_transitions: least number of transitions after the no-op filter.
        max_gap: longest time without an executed action or a joint state [s].
        max_missing: largest share of control ticks that were not recorded, 0 .. 1.
    """

    schedule: str = "constant"
    threshold: float = 1.0
    thresholds: tuple[float, ...] = ()
    stage_episodes: int = 10
    quantile: float = 0.5
    window: int = 20
    radius: float = 0.03
    least_rate: float = 0.3
    deviations: float = 1.0
    grace: int = 4
    min_length: float = 1.0
    min_transitions: int = 3
    max_gap: float = 0.5
    max_missing: float = 0.2

    def __post_init__(self) -> None:
        if self.schedule not in SCHEDULES:
            raise UnknownName("schedule", self.schedule, SCHEDULES)
        levels = (self.threshold, *self.thresholds)
        if not all(math.isfinite(m) for m in levels):
            raise InvalidValue(f"Thresholds must be finite numbers, got {levels}")
        if self.schedule == "progressive" and not self.thresholds:
            raise InvalidValue("The progressive schedule needs 'thresholds' m_1 <= m_2 <= ...")
        if any(b < a for a, b in zip(self.thresholds, self.thresholds[1:], strict=False)):
            raise InvalidValue(
                f"The thresholds of the progressive schedule must not fall, got {self.thresholds}"
            )
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if not low <= value <= high:
                raise InvalidValue(f"{name} must be within {low} .. {high}, got {value}")

    def level(self, k: int, returns: Sequence[float] = ()) -> float:
        """Return m(k).

        Args:
            k: accepted episodes of the task so far.
            returns: last returns of the task's labelled episodes, accepted or not, oldest first.
        """
        if self.schedule == "progressive":
            return self.thresholds[min(k // self.stage_episodes, len(self.thresholds) - 1)]
        if self.schedule == "quantile":
            return max(self.threshold, _quantile(returns[-self.window :], self.quantile))
        return self.threshold

    def similar(self, start: Start, past: Sequence[Past]) -> tuple[float, ...]:
        """Return the last returns of similar starts, for ``accept``; () where none are needed.

        Args:
            past: the task's labelled episodes, accepted or not, oldest first.
        """
        if self.schedule != "lower_bound":
            return ()
        return similar_returns(start, past, self.radius)[-self.window :]


_RANGES: tuple[tuple[str, float, float], ...] = (
    ("stage_episodes", 1, math.inf),
    ("quantile", 0.0, 1.0),
    ("window", 1, 100_000),
    ("radius", 0.0, math.inf),
    ("least_rate", 0.0, 1.0),
    ("deviations", 0.0, 10.0),
    ("grace", 0, 100_000),
    ("min_length", 0.0, math.inf),
    ("min_transitions", 0, math.inf),
    ("max_gap", 0.0, math.inf),
    ("max_missing", 0.0, 1.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptanceRules:
    """The rule of every task: the default one unless the task has its own."""

    default: AcceptanceRule = AcceptanceRule()
    tasks: Mapping[str, AcceptanceRule] = dataclasses.field(default_factory=dict)

    def rule(self, task: str) -> AcceptanceRule:
        """Return the rule of a task."""
        return self.tasks.get(task, self.default)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What eq. 3 and the filters look at, of one sealed and labelled episode.

    Attributes:
        length: from the first to the last control tick [s].
        moving: transitions left by the no-op filter; transitions: all of them.
        max_gap: longest time without an executed action or a joint state [s].
        missing: share of control ticks that were not recorded.
        start: where it began: object positions [m]; may be empty.
    """

    episode_id: str
    task: str
    label: Label
    length: float
    transitions: int
    moving: int
    aborted: bool = False
    max_gap: float = 0.0
    missing: float = 0.0
    start: Start = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What became of an episode and why; written once.

    Attributes:
        accepted: whether the learner gets it.
        threshold: m(k) used. episode_return: R(tau), NaN when there was none. k: accepted
            episodes before this one.
        reasons: all that spoke against it, or the one that made it pass.
        outcome, revision: of the label that was judged. stamp: time of the decision [ns].
    """

    accepted: bool
    reasons: tuple[str, ...]
    threshold: float
    episode_return: float = math.nan
    k: int = 0
    outcome: Outcome = Outcome.NONE
    revision: int = 0
    stamp: int = 0

    @property
    def discarded(self) -> bool:
        """Whether the person threw the episode away."""
        return self.outcome == Outcome.DISCARD


def accept(
    summary: Summary,
    rule: AcceptanceRule,
    k: int,
    returns: Sequence[float] = (),
    similar: Sequence[float] = (),
) -> Decision:
    """Decide on an episode: eq. 3 and the filters. A return equal to m(k) is accepted.

    Args:
        k: accepted episodes of the task so far. returns: as in ``AcceptanceRule.level``.
        similar: as of ``AcceptanceRule.similar``.
    """
    level = rule.level(k, returns)
    against = (
        *_judgement(summary.label, level),
        *_luck(summary.label, level, rule, similar),
        *_shortness(summary, rule),
        *_damage(summary, rule),
    )
    passed = (f"return {summary.label.episode_return:g} reaches m {level:g}",)
    return Decision(
        accepted=not against,
        reasons=against or passed,
        threshold=level,
        episode_return=summary.label.episode_return,
        k=k,
        outcome=summary.label.outcome,
        revision=summary.label.revision,
    )


def decision_to_json(decision: Decision) -> dict[str, Any]:
    """Return the decision as JSON values; a NaN return is null."""
    nothing = math.isnan(decision.episode_return)
    return {
        **dataclasses.asdict(decision),
        "outcome": decision.outcome.name,
        "episode_return": None if nothing else decision.episode_return,
    }


def decision_from_json(data: Mapping[str, Any]) -> Decision:
    """Read what decision_to_json wrote, or raise IntegrityError."""
    try:
        fields = dict(data)
        fields["reasons"] = tuple(str(r) for r in fields["reasons"])
        fields["outcome"] = Outcome[fields["outcome"]]
        value = fields["episode_return"]
        fields["episode_return"] = math.nan if value is None else float(value)
        return Decision(**fields)
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError(f"Not a decision: {error!r}") from error


def _judgement(label: Label, level: float) -> tuple[str, ...]:
    if label.outcome == Outcome.NONE:
        return ("not labelled",)
    if label.outcome == Outcome.DISCARD:
        return (f"discarded by {label.labeler or 'a person'}",)
    if not label.episode_return >= level - ROUNDING:
        return (f"return {label.episode_return:g} is below m {level:g}",)
    return ()


def _luck(
    label: Label, level: float, rule: AcceptanceRule, similar: Sequence[float]
) -> tuple[str, ...]:
    if rule.schedule != "lower_bound" or not label.episode_return >= level - ROUNDING:
        return ()
    reason = luck(
        (*similar, label.episode_return),
        level - ROUNDING,
        least_rate=rule.least_rate,
        deviations=rule.deviations,
        grace=rule.grace,
    )
    return (reason,) if reason else ()


def _shortness(summary: Summary, rule: AcceptanceRule) -> tuple[str, ...]:
    reasons = []
    if summary.length < rule.min_length:
        reasons.append(f"{summary.length:.2f} s is shorter than L_min {rule.min_length:g} s")
    if summary.moving < rule.min_transitions:
        reasons.append(
            f"{summary.moving} of {summary.transitions} transitions move,"
            f" {rule.min_transitions} are needed"
        )
    return tuple(reasons)


def _damage(summary: Summary, rule: AcceptanceRule) -> tuple[str, ...]:
    reasons = []
    if summary.aborted:
        reasons.append("aborted")
    if summary.max_gap > rule.max_gap:
        reasons.append(
            f"gap of {summary.max_gap:.2f} s in the recording, {rule.max_gap:g} s allowed"
        )
    if summary.missing > rule.max_missing:
        reasons.append(
            f"{summary.missing:.1%} of the control ticks are missing,"
            f" {rule.max_missing:.1%} allowed"
        )
    return tuple(reasons)


def _quantile(returns: Sequence[float], share: float) -> float:
    known = sorted(r for r in returns if math.isfinite(r))
    if not known:
        return -math.inf
    place = share * (len(known) - 1)
    low = math.floor(place)
    high = math.ceil(place)
    return known[low] + (known[high] - known[low]) * (place - low)
