# SPDX-License-Identifier: Apache-2.0
"""A person's judgement of an episode and the rules by which it may change.

Knows no file and no service.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from hiors_core.errors import IntegrityError, InvalidValue, StateError

MAX_STAGES = 64
MAX_TEXT = 128
_MAX_HISTORY = 32


class Outcome(IntEnum):
    """What was said of an episode. The numbers are those of EpisodeLabel.msg."""

    NONE = 0
    SUCCESS = 1
    FAILURE = 2
    DISCARD = 3
    RETURN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One judgement.

    Attributes:
        outcome: NONE, SUCCESS, FAILURE, DISCARD or RETURN.
        episode_return: R(tau) of eq. 3; NaN when there is none (NONE, DISCARD).
        stage_rewards: optional, one a stage; their sum is the return when given.
        labeler: person or classifier. source: front end.
        stamp: time of the judgement [ns]. revision: grows with each change, 0 for NONE at the
            start.
    """

    outcome: Outcome = Outcome.NONE
    episode_return: float = math.nan
    stage_rewards: tuple[float, ...] = ()
    labeler: str = ""
    source: str = ""
    stamp: int = 0
    revision: int = 0

    def same_judgement(self, other: "Label") -> bool:
        """Tell whether both say the same, whoever said it and when."""
        returns = (self.episode_return, other.episode_return)
        equal = returns[0] == returns[1] or all(math.isnan(r) for r in returns)
        return (
            self.outcome == other.outcome and equal and self.stage_rewards == other.stage_rewards
        )


def judge(
    outcome: int,
    *,
    episode_return: float = 0.0,
    stage_rewards: Iterable[float] = (),
    labeler: str = "",
    source: str = "",
    stamp: int = 0,
) -> Label:
    """Make a label from what a front end sends, or raise InvalidValue.

    The return is the sum of the stage rewards when they are given, else ``episode_return`` for
    RETURN, 1 for SUCCESS and 0 for FAILURE.
    """
    kind = _outcome(outcome)
    stages = _numbers(stage_rewards)
    return Label(
        outcome=kind,
        episode_return=_return(kind, episode_return, stages),
        stage_rewards=stages,
        labeler=_text(labeler, "labeler"),
        source=_text(source, "source"),
        stamp=stamp,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRules:
    """The labels that an episode had, newest last, and what may follow.

    The same judgement twice changes nothing; the last one before consumption counts; after it
    (the decision is written) every change is refused.
    """

    labels: tuple[Label, ...] = ()
    revision: int = 0
    consumed: bool = False

    @property
    def label(self) -> Label:
        """The label in force."""
        return self.labels[-1] if self.labels else Label(revision=self.revision)

    def set(self, label: Label) -> "LabelRules":
        """Return the rules with ``label`` in force, unchanged when it says nothing new."""
        if label.outcome == Outcome.NONE:
            raise InvalidValue("Outcome NONE cannot be set; undo the label instead")
        if self.labels and self.label.same_judgement(label):
            return self
        self._check_open(f"labelled {label.outcome.name}")
        revision = self.revision + 1
        labels = (*self.labels, replace(label, revision=revision))
        return replace(self, labels=labels[-_MAX_HISTORY:], revision=revision)

    def undo(self) -> "LabelRules":
        """Return the rules with the label before this one in force."""
        self._check_open("undone")
        if not self.labels:
            raise StateError("There is no label to undo")
        revision = self.revision + 1
        rest = self.labels[:-1]
        if rest:
            rest = (*rest[:-1], replace(rest[-1], revision=revision))
        return replace(self, labels=rest, revision=revision)

    def _check_open(self, wish: str) -> None:
        if self.consumed:
            raise StateError(
                f"The label {self.label.outcome.name} (revision {self.revision}) is consumed: the"
                f" decision is written, so it cannot be {wish}. Label within the grace time"
            )


def label_to_json(label: Label) -> dict[str, Any]:
    """Return the label as JSON values; a NaN return is null."""
    value = None if math.isnan(label.episode_return) else label.episode_return
    return {
        "outcome": label.outcome.name,
        "episode_return": value,
        "stage_rewards": list(label.stage_rewards),
        "labeler": label.labeler,
        "source": label.source,
        "stamp": label.stamp,
        "revision": label.revision,
    }


def label_from_json(data: Mapping[str, Any]) -> Label:
    """Read what label_to_json wrote."""
    try:
        value = data["episode_return"]
        return Label(
            outcome=Outcome[data["outcome"]],
            episode_return=math.nan if value is None else float(value),
            stage_rewards=tuple(float(r) for r in data["stage_rewards"]),
            labeler=str(data["labeler"]),
            source=str(data["source"]),
            stamp=int(data["stamp"]),
            revision=int(data["revision"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError(f"Not a label: {error!r}") from error


def _outcome(value: int) -> Outcome:
    allowed = [o for o in Outcome if o != Outcome.NONE]
    if value not in allowed:
        names = ", ".join(f"{o.value} {o.name}" for o in allowed)
        raise InvalidValue(f"Outcome {value!r} does not exist. Allowed: {names}")
    return Outcome(value)


def _return(kind: Outcome, given: float, stages: tuple[float, ...]) -> float:
    if kind == Outcome.DISCARD:
        return math.nan
    if stages:
        return sum(stages)
    if kind == Outcome.RETURN:
        if not math.isfinite(given):
            raise InvalidValue(f"A return must be a finite number, got {given}")
        return float(given)
    return 1.0 if kind == Outcome.SUCCESS else 0.0


def _numbers(values: Iterable[float]) -> tuple[float, ...]:
    numbers = tuple(float(v) for v in values)
    if len(numbers) > MAX_STAGES or not all(math.isfinite(v) for v in numbers):
        raise InvalidValue(
            f"Stage rewards must be at most {MAX_STAGES} finite numbers, got {len(numbers)}:"
            f" {numbers[:8]}"
        )
    return numbers


def _text(value: str, what: str) -> str:
    if len(value) > MAX_TEXT or not value.isprintable():
        raise InvalidValue(f"The {what} must be at most {MAX_TEXT} printable characters")
    return value
