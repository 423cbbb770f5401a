# SPDX-License-Identifier: Apache-2.0
"""Joint states by name: partial, shuffled, late, contradictory."""

import math

import pytest

from hiors_core.clock import to_ns
from hiors_tora.feedback import JointFeedback

MS = 1_000_000
T0 = to_ns(5000.0)


def test_messages_may_be_partial_and_in_any_order() -> None:
    feedback = JointFeedback()
    feedback.take(["b", "a"], [2.0, 1.0], [0.2, 0.1], T0, T0)
    feedback.take(["c"], [3.0], [0.3], T0 + MS, T0 + MS)
    assert {n: s.position for n, s in feedback.samples.items()} == {"a": 1.0, "b": 2.0, "c": 3.0}
    assert feedback.samples["a"].velocity == 0.1


def test_velocity_is_the_slope_when_the_robot_reports_none() -> None:
    feedback = JointFeedback()
    for k in range(5):
        now = T0 + 10 * k * MS
        feedback.take(["a", "b"], [0.01 * k, 1.0], [math.nan, 0.7], now, now)
    assert feedback.samples["a"].velocity == pytest.approx(1.0, rel=1e-6)
    assert feedback.samples["b"].velocity == 0.7
    for k in range(5, 10):
        now = T0 + 10 * k * MS
        feedback.take(["a", "b"], [0.05, 1.0], [], now, now)
    assert feedback.samples["a"].velocity == 0.0


def test_a_frozen_source_grows_old_and_another_clock_does_not_matter() -> None:
    feedback = JointFeedback()
    far = to_ns(12.0)
    for k in range(10):
        feedback.take(["a"], [0.0], [0.0], far + k * 10 * MS, T0 + k * 10 * MS)
    assert feedback.samples["a"].stamp == pytest.approx(T0 + 90 * MS, abs=MS)
    for k in range(10, 60):
        feedback.take(["a"], [0.0], [0.0], far + 90 * MS, T0 + k * 10 * MS)
    assert feedback.samples["a"].stamp == pytest.approx(T0 + 90 * MS, abs=MS)


def test_two_broadcasters_with_different_delays_share_the_topic() -> None:
    feedback = JointFeedback()
    for k in range(20):
        now = T0 + 10 * k * MS
        feedback.take(["a"], [0.0], [], now, now)
        feedback.take(["b"], [0.0], [], now - 300 * MS, now + MS)
    assert feedback.samples["a"].stamp == T0 + 190 * MS
    assert feedback.samples["b"].stamp == pytest.approx(T0 + 191 * MS, abs=MS)


@pytest.mark.parametrize(
    ("names", "position", "velocity", "reason"),
    [
        (["a", "b"], [1.0], [], "2 names, 1 positions and 0 velocities"),
        (["a", "b"], [1.0, 2.0], [0.0], "2 names, 2 positions and 1 velocities"),
        (["a"], [math.nan], [], "position of a is nan"),
        (["a"], [math.inf], [], "position of a is inf"),
    ],
)
def test_what_contradicts_itself_is_refused_and_changes_nothing(
    names: list, position: list, velocity: list, reason: str
) -> None:
    feedback = JointFeedback()
    feedback.take(["a"], [7.0], [0.0], T0, T0)
    feedback.take(names, position, velocity, T0 + MS, T0 + MS)
    assert feedback.samples["a"].position == 7.0
    assert (feedback.refused, feedback.refusal) == (1, reason)


def test_a_message_without_a_stamp_is_as_new_as_its_arrival() -> None:
    feedback = JointFeedback()
    feedback.take(["a"], [1.0], [], 0, T0)
    assert feedback.samples["a"].stamp == T0
