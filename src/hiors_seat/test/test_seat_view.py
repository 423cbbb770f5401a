# SPDX-License-Identifier: Apache-2.0
"""The page's state follows the graph's messages, and says when they stop."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from hiors_core.authority import Authority
from hiors_core.clock import FakeClock
from hiors_seat.actions import Action
from hiors_seat.view import View


def control(authority: Authority, **fields: Any) -> SimpleNamespace:
    values = {"reason": "because", "operator_name": "Ada", "policy_version": "v000001"}
    values |= {"ready": True, "problems": [], "rate_hz": 30.0}
    values |= {"period_p50": 0.033, "period_p99": 0.034, "missed_ticks": 0, "starvations": 0}
    values |= {"rejected_chunks": 0, "limited_ticks": 0, **fields}
    return SimpleNamespace(authority=int(authority), **values)


def episode(episode_id: str, state: int, outcome: int = 0, **fields: Any) -> SimpleNamespace:
    values = {"task": "insert", "duration": 3.0, "interventions": 1, "reasons": []}
    values |= {"human_fraction": 0.25, "episode_return": float("nan"), "threshold": float("nan")}
    values |= {"policy_versions": ["v000001"], "path": "", **fields}
    return SimpleNamespace(episode_id=episode_id, state=state, outcome=outcome, **values)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(5)


@pytest.fixture
def view(clock: FakeClock) -> View:
    return View(clock)


def test_before_any_news_there_is_no_authority(view: View) -> None:
    state = view.to_dict()
    assert state["control"]["authority"] is None
    assert state["control"]["problems"] == ["No news from the arbiter."]


def test_a_change_of_authority_is_told_once(view: View) -> None:
    assert view.on_control(control(Authority.POLICY))
    assert not view.on_control(control(Authority.POLICY))
    assert view.on_control(control(Authority.HUMAN))
    assert view.authority is Authority.HUMAN


def test_a_silent_arbiter_is_no_authority(view: View, clock: FakeClock) -> None:
    view.on_control(control(Authority.POLICY, problems=["x is old"]))
    assert view.to_dict()["control"]["problems"] == ["x is old"]
    clock.advance(2.1)
    assert view.authority is None
    assert view.to_dict()["control"]["authority"] is None


@pytest.mark.parametrize(
    ("reason", "problems", "shown"),
    [
        ("left arm in fault: collision", ["left arm in fault: collision"], ""),
        ("feedback: 0.21 s old", ["policy: no fresh chunk", "feedback: 3.05 s old"], ""),
        ("home not reached in 20 s", ["policy: no fresh chunk"], "home not reached in 20 s"),
        ("asked", [], "asked"),
    ],
)
def test_what_a_problem_says_is_not_said_twice(
    view: View, reason: str, problems: list[str], shown: str
) -> None:
    view.on_control(control(Authority.HOLD, reason=reason, problems=problems))
    said = view.to_dict()["control"]
    assert (said["reason"], said["problems"]) == (shown, problems)


def test_the_toggle_hands_back_during_an_intervention_also_between_squeezes(view: View) -> None:
    seen = []
    for authority in (0, 1, 2, 3, 0, 2, 3, 0, 4, 0):
        view.on_control(control(Authority(authority)))
        seen.append(view.toggle is Action.HAND_BACK)
    assert seen == [False, False, False, True, True, False, True, True, False, False]


def test_a_sealed_episode_waits_for_its_label(view: View) -> None:
    view.on_episode(episode("a", 1))
    assert view.to_dict()["label_pending"] == []
    view.on_episode(episode("a", 2))
    view.on_episode(episode("b", 2))
    assert view.to_dict()["label_pending"] == ["a", "b"]
    view.on_episode(episode("a", 3, outcome=1))
    state = view.to_dict()
    assert state["label_pending"] == ["b"]
    assert (state["episode"]["id"], state["episode"]["outcome"]) == ("a", "success")


def test_the_state_is_json_whatever_the_messages_hold(view: View) -> None:
    view.on_control(control(Authority.HOLD, rate_hz=float("nan")))
    view.on_episode(episode("a", 250, outcome=77, duration=float("inf")))
    text = json.dumps([view.to_dict(), view.episodes()], allow_nan=False)
    assert '"state": "state 250"' in text


def test_old_episodes_are_forgotten(view: View) -> None:
    for i in range(200):
        view.on_episode(episode(f"e{i}", 2))
    assert len(view.to_dict()["label_pending"]) == 50
