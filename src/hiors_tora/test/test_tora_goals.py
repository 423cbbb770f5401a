# SPDX-License-Identifier: Apache-2.0
"""Goals sent from the thread of the set-points while the executor reads the answers.

Any action will do; hiors' own is always there.
"""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

import rclpy
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from hiors_interfaces.action import RunEpisode
from hiors_tora.actions import ActionOutput

DEADLINE = 30.0


class Robot:
    """An action server that keeps every goal under way."""

    def __init__(self, node: Node) -> None:
        self.goals: list[int] = []
        self.cancelled = 0
        self.answers = threading.Event()
        self.answers.set()
        self._server = ActionServer(
            node,
            RunEpisode,
            "move",
            lambda _: RunEpisode.Result(),
            goal_callback=self._on_goal,
            handle_accepted_callback=lambda _: None,
            cancel_callback=self._on_cancel,
        )

    def _on_goal(self, goal: RunEpisode.Goal) -> GoalResponse:
        self.goals.append(goal.seed)
        assert self.answers.wait(DEADLINE)
        return GoalResponse.ACCEPT

    def _on_cancel(self, _: Any) -> CancelResponse:
        self.cancelled += 1
        return CancelResponse.ACCEPT


def wait_for(condition: Callable[[], bool], beat: Callable[[], None] = lambda: None) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        beat()
        time.sleep(0.01)


@pytest.fixture
def spun(ros: None) -> Iterator[Callable[[str], Node]]:
    """Make nodes that are spun by a thread each."""
    ended, begun = threading.Event(), []

    def spin(executor: SingleThreadedExecutor) -> None:
        while not ended.is_set():
            executor.spin_once(timeout_sec=0.05)

    def make(name: str) -> Node:
        node, executor = rclpy.create_node(name), SingleThreadedExecutor()
        executor.add_node(node)
        thread = threading.Thread(target=spin, args=(executor,))
        thread.start()
        begun.append((node, executor, thread))
        return node

    yield make
    ended.set()
    for node, executor, thread in begun:
        thread.join()
        executor.shutdown()
        node.destroy_node()


@pytest.fixture
def robot(spun: Callable[[str], Node]) -> Robot:
    return Robot(spun("robot"))


@pytest.fixture
def output(spun: Callable[[str], Node], robot: Robot) -> ActionOutput:
    output = ActionOutput(
        spun("driver"), RunEpisode, "move", lambda v: RunEpisode.Goal(seed=int(v[0])), "topic"
    )
    wait_for(lambda: output.failure is None, output.watch)
    return output


class SlowToNote(dict):
    """What the action client waits for, looked into after the request is sent."""

    def __contains__(self, sequence: object) -> bool:
        threading.Event().wait(0.3)
        return super().__contains__(sequence)


def test_an_answer_that_comes_at_once_is_not_lost(robot: Robot, output: ActionOutput) -> None:
    output._client._pending_goal_requests = SlowToNote()
    output.send(np.array([1.0]))
    wait_for(lambda: robot.goals == [1])
    wait_for(lambda: robot.goals == [1, 2], lambda: output.send(np.array([2.0])))


def test_a_goal_that_is_answered_after_the_cancellation_is_cancelled(
    robot: Robot, output: ActionOutput
) -> None:
    robot.answers.clear()
    output.send(np.array([1.0]))
    wait_for(lambda: robot.goals == [1])
    output.cancel()
    robot.answers.set()
    wait_for(lambda: robot.cancelled == 1)
