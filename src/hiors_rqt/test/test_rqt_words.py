# SPDX-License-Identifier: Apache-2.0
"""What the panels say, without Qt."""

from types import SimpleNamespace
from typing import Any

import pytest

from hiors_core.clock import FakeClock
from hiors_core.errors import InvalidValue
from hiors_rqt import words
from hiors_seat.health import Health
from hiors_seat.view import View


def state(authority: int | None = None, **fields: Any) -> dict[str, Any]:
    clock = FakeClock(5)
    view, health = View(clock), Health(clock)
    if authority is not None:
        values = {"reason": "because", "operator_name": "Ada", "policy_version": "v1"}
        values |= {"ready": True, "problems": [], "rate_hz": 30.0, "period_p50": 0.0333}
        values |= {"period_p99": 0.04, "missed_ticks": 1200, "starvations": 0}
        values |= {"rejected_chunks": 0, "limited_ticks": 0, **fields}
        view.on_control(SimpleNamespace(authority=authority, **values))
    return {**view.to_dict(), **health.to_dict()}


def episode(name: str, *, outcome: str = "none", pending: bool = True, **more: Any) -> dict:
    values = {"id": name, "state": "sealed", "outcome": outcome, "pending": pending, "by": ""}
    values |= {"duration": 4.0, "interventions": 1, "human_fraction": 0.25, "return": None}
    return values | {"reasons": [], "path": "", "policies": [], **more}


def test_without_news_nothing_can_be_asked_for_but_a_stop() -> None:
    said = words.intervention(state())
    assert (said.title, said.can_drive, said.stopped) == ("No news", False, False)
    assert said.problems == ("No news from the arbiter.",)
    assert dict(said.control)["Rate"] == words.UNKNOWN


@pytest.mark.parametrize(
    ("authority", "title", "toggle", "can_drive"),
    [
        (1, "Policy drives", "Take over", True),
        (3, "Ada drives", "Hand back", True),
        (4, "Stopped", "Take over", False),
    ],
)
def test_who_drives(authority: int, title: str, toggle: str, can_drive: bool) -> None:
    said = words.intervention(state(authority))
    assert (said.title, said.toggle, said.can_drive) == (title, toggle, can_drive)
    assert said.stopped is (authority == 4)
    assert dict(said.control)["Period p50 / p99"] == "33.3 / 40.0 ms"


def test_an_episode_says_what_it_waits_for_and_who_judged() -> None:
    waits, good, staged = words.rows(
        [
            episode("c"),
            episode("b", outcome="success", pending=False, by="Ada (quest)", **{"return": 1.0}),
            episode("a", outcome="return", pending=False, **{"return": 0.75}),
        ]
    )
    assert (waits.badge, good.badge, staged.badge) == ("label me", "success", "return 0.75")
    assert "1 intervention ·" in waits.detail
    assert "by Ada (quest)" in good.detail
    assert [r.episode_id for r in words.rows([episode("c")], pending_only=True)] == ["c"]
    assert not words.rows([episode("c", pending=False)], pending_only=True)


def test_after_a_label_comes_the_next_older_one_that_waits() -> None:
    listed = words.rows([episode(n) for n in "dcb"] + [episode("a", pending=False)])
    assert words.next_pending(listed, "c") == "b"
    assert words.next_pending(listed, "b") == "c"
    assert words.next_pending(words.rows([episode("a")]), "a") == ""


def test_stage_rewards_are_numbers() -> None:
    assert words.stage_rewards("0.5, 1 ;-2") == (0.5, 1.0, -2.0)
    for text in ("", "half", "nan", "1e999", "1," * 65):
        with pytest.raises(InvalidValue, match="1 to 64 numbers"):
            words.stage_rewards(text)
