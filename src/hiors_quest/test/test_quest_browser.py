# SPDX-License-Identifier: Apache-2.0
"""Meta's Quest 3 emulator in headless Chromium plays the real page against the node, over TLS."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

import rclpy
from chromium import MARKS, Chromium
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter

from hiors_core.geometry import quat_to_rotvec, rotvec_to_quat
from hiors_interfaces.msg import ControlState, TeleopCommand
from hiors_quest.quest_node import QuestNode
from hiors_ros import qos
from hiors_ros.conversions import to_array

ROBOT = Path(__file__).resolve().parents[3] / "config" / "robots" / "xtrainer.yaml"
START = [0.2, 1.3, -0.4]

pytestmark = MARKS


class Robot:
    """What the arbiter would hear, and the state it would tell."""

    def __init__(self) -> None:
        self.node = rclpy.create_node("graph")
        self.right: list[tuple[float, TeleopCommand]] = []
        self.left_engaged = False
        self.state = ControlState(authority=ControlState.HUMAN, operator_name="Ada", ready=True)
        topic = "teleop/command"
        self.node.create_subscription(TeleopCommand, topic, self._take, qos.profile(topic))
        topic = "control/state"
        self._state = self.node.create_publisher(ControlState, topic, qos.profile(topic))
        self.node.create_timer(0.2, lambda: self._state.publish(self.state))

    def _take(self, message: TeleopCommand) -> None:
        if message.arm == "right":
            self.right.append((time.time(), message))
        else:
            self.left_engaged |= message.engaged

    @property
    def now(self) -> TeleopCommand:
        return self.right[-1][1]

    @property
    def pose(self) -> np.ndarray:
        return to_array(self.now.pose)

    def since(self, mark: int) -> list[TeleopCommand]:
        return [message for _, message in self.right[mark:]]


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 10.0
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


@pytest.fixture
def robot(ros: None) -> Robot:
    return Robot()


@pytest.fixture
def quest(robot: Robot, tmp_path: Path) -> Iterator[QuestNode]:
    values = {"robot_file": str(ROBOT), "port": 0, "accept_emulated": True}
    values["state_dir"] = str(tmp_path / "state")
    # Wide guards: an overloaded machine makes the browser stutter, and that is not the subject.
    values |= {"silence": 1.0, "jump_position": 0.2}
    node = QuestNode(parameter_overrides=[Parameter(n, value=v) for n, v in values.items()])
    executor = SingleThreadedExecutor()
    executor.add_node(robot.node)
    executor.add_node(node)
    ended = threading.Event()

    def spin() -> None:
        while not ended.is_set():
            executor.spin_once(timeout_sec=0.05)

    thread = threading.Thread(target=spin)
    thread.start()
    yield node
    node.close()
    ended.set()
    thread.join(5)
    executor.shutdown(timeout_sec=1.0)
    node.destroy_node()
    robot.node.destroy_node()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    chromium = Chromium()
    yield chromium
    chromium.close()


@pytest.fixture
def browser(chromium: Chromium, quest: QuestNode) -> Chromium:
    chromium("open", url="about:blank")
    chromium("log")
    chromium("open", url=quest.server.url)
    chromium("waitText", selector="#link", value="Connected")
    return chromium


@pytest.fixture
def ar(browser: Chromium, robot: Robot) -> Chromium:
    browser("fill", selector="#name", value="Ada")
    browser("click", selector="#start")
    browser("waitText", selector="#start", value="Leave AR")
    neutral = [0.0, 0.0, 0.0, 1.0]
    browser("hand", hand="right", position=START, quaternion=neutral, buttons={"squeeze": 0})
    wait_for(lambda: len(robot.right) > 0, "no command arrived")
    return browser


def to(*delta: float) -> list[float]:
    return [a + b for a, b in zip(START, delta, strict=True)]


def grip(browser: Chromium, robot: Robot) -> None:
    for squeeze in (0, 1):
        browser("hand", hand="right", buttons={"squeeze": squeeze})
    wait_for(lambda: robot.now.engaged, "the clutch did not close")


def test_the_arm_is_asked_for_the_hands_motion_and_nothing_else(
    ar: Chromium, robot: Robot, record_property: Callable[[str, object], None]
) -> None:
    ar("move", hand="right", to=to(0.0, 0.15, 0.0), steps=15)
    ar("move", hand="right", to=START, steps=15)
    assert not any(m.engaged for m in robot.since(0)), "engaged with an open clutch"

    grip(ar, robot)
    mark = len(robot.right)
    set_at = ar("move", hand="right", to=to(0.0, 0.12, -0.16), steps=40)
    away = np.array([0.16, 0.0, 0.12])
    wait_for(lambda: np.abs(robot.pose[:3] - away).max() < 1e-5, f"ended at {robot.pose}")
    for message in robot.since(mark):
        moved = to_array(message.pose)
        assert np.linalg.norm(moved[:3] - away * (moved[:3] @ away) / (away @ away)) < 1e-5
        assert np.linalg.norm(quat_to_rotvec(moved[3:])) < 1e-5
    record_property("latency_ms", latencies(set_at, robot.right[mark:], away))

    ar("move", hand="right", to=START, steps=20)
    wait_for(lambda: np.abs(robot.pose[:3]).max() < 1e-5, f"back at {robot.pose}")

    ar("hand", hand="right", buttons={"squeeze": 0})
    wait_for(lambda: not robot.now.engaged, "the clutch did not open")
    mark = len(robot.right)
    ar("move", hand="right", to=to(0.1, 0.0, 0.1), steps=15)
    assert len(robot.since(mark)) > 5
    assert not any(m.engaged for m in robot.since(mark))
    grip(ar, robot)
    assert robot.now.clutch == 2
    assert np.abs(robot.pose[:3]).max() < 1e-5, "a new clutch begins a new motion"
    assert not robot.left_engaged


def latencies(
    set_at: list[int], heard: list[tuple[float, TeleopCommand]], away: np.ndarray
) -> list[float]:
    """Return [ms] from setting the controller in the browser to hearing the command, per step."""
    found = []
    for i, stamp in enumerate(set_at, start=1):
        target = away * i / len(set_at)
        near = (t for t, m in heard if np.abs(to_array(m.pose)[:3] - target).max() < 1e-4)
        if (first := next(near, None)) is not None:
            found.append(round(1000.0 * first - stamp, 1))
    return found


def test_rotation_and_trigger(ar: Chromium, robot: Robot) -> None:
    grip(ar, robot)
    start = quat_to_rotvec(robot.pose[3:])
    turn = rotvec_to_quat(np.array([0.0, 0.4, 0.0])).tolist()
    ar("hand", hand="right", quaternion=turn, buttons={"trigger": 0.75})
    wait_for(lambda: abs(robot.now.gripper - 0.25) < 1e-6, "the gripper did not follow")
    np.testing.assert_allclose(quat_to_rotvec(robot.pose[3:]) - start, [0, 0, 0.4], atol=1e-4)


FAULTS: dict[str, tuple[dict[str, Any], dict[str, Any] | None]] = {
    "tracking": (
        {"verb": "hand", "hand": "right", "connected": False},
        {"verb": "hand", "hand": "right", "connected": True},
    ),
    "hidden": (
        {"verb": "visibility", "state": "hidden"},
        {"verb": "visibility", "state": "visible"},
    ),
    "jump": ({"verb": "hand", "hand": "right", "position": to(0.0, 0.5, 0.0)}, None),
    "silence": ({"verb": "stall", "seconds": 1.5}, None),
}


def test_faults_open_the_clutch_until_the_grip_was_let_go(ar: Chromium, robot: Robot) -> None:
    for name, (fault, cure) in FAULTS.items():
        ar("move", hand="right", to=START, steps=10)
        grip(ar, robot)
        count, mark = robot.now.clutch, len(robot.right)
        ar(**fault)
        wait_for(lambda: not robot.now.engaged, f"{name}: the clutch stayed closed")
        if cure:
            ar(**cure)
        ar("move", hand="right", to=to(0.0, 0.1, 0.0), steps=10)
        engaged = [m for m in robot.since(mark) if m.engaged]
        assert all(np.abs(to_array(m.pose)[:3]).max() < 1e-3 for m in engaged), name
        assert not robot.now.engaged, f"{name}: a held grip closed the clutch again"
        assert robot.now.clutch == count, name


def test_the_page_before_ar_and_a_second_page(
    browser: Chromium, quest: QuestNode, robot: Robot, tmp_path: Path
) -> None:
    browser("waitText", selector="#authority", value="Ada drives")
    browser("open", page="second", url=quest.server.url)
    browser("waitText", page="second", selector="#link", value="Connected")
    browser("fill", selector="#name", value="Ada")
    browser("click", selector="#claim")
    browser("waitText", selector="#role", value="You operate as Ada")
    browser("waitText", page="second", selector="#role", value="Ada is the operator")
    assert browser("disabled", page="second", selector="#start")
    assert browser("disabled", page="second", selector="#claim")
    assert not browser("disabled", page="second", selector="#stop")
    robot.state.authority = ControlState.POLICY
    robot.state.problems = ["<img src=x onerror=alert(1)>"]
    browser("waitText", selector="#problems", value="<img src=x onerror=alert(1)>")
    fault = "left arm in fault: collision detected (alarm 117)"
    robot.state.authority, robot.state.reason, robot.state.problems = 0, fault, [fault]
    browser("waitText", selector="#authority", value="Holding")
    browser("waitText", selector="#problems", value=fault)
    assert browser("text", selector="#reason") == "", "what is wrong is said once"
    assert "trouble" in browser("attribute", selector="body", name="class")

    browser("open", page="stranger", url=quest.server.url.split("#")[0] + "#wrong")
    browser("waitText", page="stranger", selector="#link", value="Wrong token")

    folder = Path(os.environ.get("HIORS_SCREENSHOTS", tmp_path))
    for name, width, height in (("desktop", 1360, 900), ("phone", 412, 915)):
        path = folder / f"quest-{name}.png"
        browser("screenshot", path=str(path), width=width, height=height)
        assert path.stat().st_size > 10_000

    log = browser("log")
    base = quest.server.url.split("#")[0]
    asked = [line.removeprefix("request: ") for line in log if line.startswith("request: ")]
    assert all(u.startswith((base, f"blob:{base}")) for u in asked), asked
    assert not [line for line in log if line.startswith("error")]
