# SPDX-License-Identifier: Apache-2.0
"""The demo's seat in the graph does what a person would."""

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("rclpy")

from rclpy.node import Node
from std_srvs.srv import Trigger

from hiors.demo.session import Session


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
    answer = session.enable(lambda: None)
    assert (answer.success, answer.message) == (True, "left: enabled")
    assert driver == ["enable"]
