# SPDX-License-Identifier: Apache-2.0
"""What a person asks is answered, or found to be unanswered, one request at a time."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("rclpy")

import rclpy
from rclpy.executors import SingleThreadedExecutor

from hiors_core.authority import Request
from hiors_core.clock import FakeClock
from hiors_interfaces.srv import SetAuthority
from hiors_ros.person import Requests


class Arbiter:
    """Serves requests; says nothing to those that it is told to lose."""

    def __init__(self) -> None:
        self.node = rclpy.create_node("arbiter")
        self.node.create_service(SetAuthority, "control/set_authority", self._serve)
        self.lost: list[str] = []
        self.grants = True

    def _serve(self, request: Any, response: Any) -> Any:
        if "lost" in request.reason:
            self.lost.append(request.reason)
            raise ConnectionError("the answer is lost")
        response.success, response.message = self.grants, "said the arbiter"
        return response


class Person:
    """Front end, arbiter and what the front end was told."""

    def __init__(self) -> None:
        self.arbiter = Arbiter()
        self.node = rclpy.create_node("front_end")
        self.clock = FakeClock()
        self.told: list[tuple[str, str]] = []
        self.refused: list[str] = []
        self.requests = Requests(
            self.node, lambda *notice: self.told.append(notice), self.clock, "pedal"
        )
        self._executor = SingleThreadedExecutor()
        for node in (self.arbiter.node, self.node):
            self._executor.add_node(node)
        client = self.node.create_client(SetAuthority, "control/set_authority")
        self.spin_until(client.service_is_ready)

    def press(self, what: str) -> None:
        self.requests.authority(Request.TAKE_OVER, "ada", what, self.refused.append)

    def spin_until(self, condition: Callable[[], object]) -> None:
        end = time.monotonic() + 30.0
        while not condition():
            assert time.monotonic() < end
            try:
                self._executor.spin_once(timeout_sec=0.02)
            except ConnectionError:
                continue

    def close(self) -> None:
        self._executor.shutdown()
        for node in (self.arbiter.node, self.node):
            node.destroy_node()


@pytest.fixture
def person(ros: None) -> Iterator[Person]:
    person = Person()
    yield person
    person.close()


def test_a_request_that_nobody_answers_is_refused_after_three_seconds(person: Person) -> None:
    person.press("lost")
    person.spin_until(lambda: person.arbiter.lost)
    person.clock.advance(2.9)
    person.requests.poll()
    assert not person.told
    person.clock.advance(0.2)
    person.requests.poll()
    assert person.told == [("error", "lost: no answer from control/set_authority")]
    assert person.refused == ["no answer from control/set_authority"]


def test_a_lost_answer_takes_nothing_back_that_was_granted_since(person: Person) -> None:
    person.press("lost")
    person.clock.advance(2.0)
    person.press("again")
    person.spin_until(lambda: person.told)
    assert person.told.pop() == ("info", "again: said the arbiter")
    person.clock.advance(2.0)
    person.requests.poll()
    assert person.told == [("error", "lost: no answer from control/set_authority")]
    assert not person.refused


def test_a_refusal_counts_though_an_earlier_request_was_granted(person: Person) -> None:
    person.press("first")
    person.spin_until(lambda: person.told)
    person.arbiter.grants = False
    person.press("second")
    person.spin_until(lambda: len(person.told) == 2)
    assert person.told[1] == ("error", "second: said the arbiter")
    assert person.refused == ["said the arbiter"]
