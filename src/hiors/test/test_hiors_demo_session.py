# SPDX-License-Identifier: Apache-2.0
"""The demo's seat in the graph does what a person would."""

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("rclpy")

from rclpy.node import Node
from std_srvs.srv import Trigger

from hiors.demo.session import Session
from hiors_interfaces.msg import ControlState


@pytest.fixture
def session(ros_domain: int) -> Iterator[Session]:
    with Session() as session:
        yield session


@pytest.fixture
def driver(session: Session) -> Iterator[list[str]]:
    """A driver that can be enabled; what it was asked."""
    asked: list[str] = []

    def enable(_: Any, answer: Any) -> Any:
        asked.append("enable")
        answer.success, answer.message = True, "left: enabled"
        return answer

    node = Node("driver", context=session.node.context)
    node.create_service(Trigger, "driver/enable", enable)
    session._executor.add_node(node)
    yield asked
    session._executor.remove_node(node)
    node.destroy_node()


def test_the_robot_is_enabled_again_as_by_a_person(session: Session, driver: list[str]) -> None:
    told: list[str] = []

    def beat() -> None:
        session.heard.control = ControlState(ready=len(driver) > 1)

    assert session.recover(beat, told.append) == 2
    assert told == ["the robot is enabled again: left: enabled"] * 2
    assert driver == ["enable"] * 2


def test_a_robot_that_faults_again_does_not_stay_ready(session: Session) -> None:
    readiness = iter([False, True, True, False])

    def beat() -> None:
        session.heard.control = ControlState(ready=next(readiness))

    assert not session.stays_ready(60.0, beat)
    assert not list(readiness)


def test_a_robot_that_does_not_become_ready_is_not_waited_for(session: Session) -> None:
    assert not session.stays_ready(0.3, lambda: None)


def test_a_robot_that_becomes_ready_stays_so(session: Session) -> None:
    beats: list[bool] = []

    def beat() -> None:
        beats.append(True)
        session.heard.control = ControlState(ready=len(beats) > 1)

    assert session.stays_ready(0.5, beat)
    assert len(beats) > 2
