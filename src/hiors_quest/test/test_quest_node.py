# SPDX-License-Identifier: Apache-2.0
"""The node between a scripted headset on a real socket and a small graph that answers it."""

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest

pytest.importorskip("rclpy")

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image, JointState

from hiors_core.authority import Authority
from hiors_core.errors import HiorsError, InvalidValue
from hiors_interfaces.msg import ControlState, EpisodeStatus, TeleopCommand
from hiors_interfaces.srv import LabelEpisode, SetAuthority
from hiors_quest.quest_node import QuestNode
from hiors_ros import qos
from hiors_ros.conversions import to_array, to_ns
from hiors_ros.images import to_message

ROBOT = Path(__file__).resolve().parents[3] / "config" / "robots" / "xtrainer.yaml"
IDENTITY = [0.0, 0.0, 0.0, 1.0]


def make_node(**parameters: Any) -> QuestNode:
    values = {"robot_file": str(ROBOT), "tls": False, "port": 0, **parameters}
    overrides = [Parameter(name, value=value) for name, value in values.items()]
    return QuestNode(parameter_overrides=overrides)


class Graph:
    """Arbiter, label node, driver and camera, as far as the quest node sees them."""

    def __init__(self) -> None:
        self.node = rclpy.create_node("graph")
        self.commands: list[TeleopCommand] = []
        self.requests: list[SetAuthority.Request] = []
        self.labels: list[LabelEpisode.Request] = []
        self.authority = Authority.POLICY
        self._add(TeleopCommand, "teleop/command", self.commands.append)
        self.node.create_service(SetAuthority, "control/set_authority", self._on_request)
        self.node.create_service(LabelEpisode, "episode/label_episode", self._on_label)
        self._state = self._publisher(ControlState, "control/state")
        self._episode = self._publisher(EpisodeStatus, "episode/status")
        self._joints = self._publisher(JointState, "joint_states")
        self._image = self._publisher(Image, "camera/top/color/image_raw")
        self.node.create_timer(0.05, self._publish)
        self._episode.publish(EpisodeStatus(episode_id="e1", task="insert", state=2))

    def _add(self, kind: Any, topic: str, callback: Callable[[Any], None]) -> None:
        self.node.create_subscription(kind, topic, callback, qos.profile(topic))

    def _publisher(self, kind: Any, topic: str) -> Any:
        return self.node.create_publisher(kind, topic, qos.profile(topic))

    def _publish(self) -> None:
        self._state.publish(ControlState(authority=self.authority, reason="as asked"))
        self._joints.publish(JointState(name=["right_gripper"], position=[0.3]))
        image = np.full((480, 640, 3), 90, dtype=np.uint8)
        self._image.publish(to_message(image, "rgb8"))

    def _on_request(self, request: Any, response: Any) -> Any:
        self.requests.append(request)
        wanted = {0: 0, 1: 1, 2: 3, 3: 4, 4: 0, 5: 2}[request.request]
        self.authority = Authority(wanted)
        response.success, response.message = True, self.authority.name
        return response

    def _on_label(self, request: Any, response: Any) -> Any:
        self.labels.append(request)
        response.success, response.message = False, "no episode waits"
        return response

    def of(self, arm: str) -> list[TeleopCommand]:
        return [c for c in list(self.commands) if c.arm == arm]


class Headset:
    """A page with a headset, as seen from the socket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.n = 0
        self.squeeze, self.trigger, self.forward = 0.0, 0.0, 0.0
        self.buttons: dict[str, list[str]] = {"left": [], "right": []}

    async def send(self, **message: Any) -> None:
        await self.socket.send_str(json.dumps(message))

    def _hand(self, name: str) -> dict[str, Any]:
        pose = [0.0, 1.0, -self.forward if name == "right" else 0.0, *IDENTITY]
        return {
            "pose": pose,
            "emulated": False,
            "squeeze": self.squeeze if name == "right" else 0.0,
            "trigger": self.trigger,
            "buttons": self.buttons[name],
        }

    async def frame(self) -> None:
        self.n += 1
        now = asyncio.get_running_loop().time()
        hands = {name: self._hand(name) for name in ("left", "right")}
        await self.send(t="frame", n=self.n, time=now, visible=True, head=IDENTITY, **hands)

    async def play_until(self, condition: Callable[[], bool]) -> None:
        """Send frames at about 100 Hz until the condition holds."""
        async with asyncio.timeout(10):
            while not condition():
                await self.frame()
                await asyncio.sleep(0.01)

    async def press(self, hand: str, button: str) -> None:
        for self.buttons[hand] in ([], [button], []):
            await self.frame()

    async def until(self, kind: str, accept: Callable[[Any], bool] = lambda _: True) -> Any:
        async with asyncio.timeout(10):
            while True:
                message = await self.socket.receive()
                if message.type == aiohttp.WSMsgType.BINARY:
                    if kind == "image":
                        return message.data
                    continue
                assert message.type == aiohttp.WSMsgType.TEXT, message
                data = json.loads(message.data)
                if data["t"] == kind and accept(data):
                    return data


async def wait_for(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


Script = Callable[[Headset, Graph, QuestNode], Coroutine[Any, Any, None]]


@pytest.fixture
def play(ros: None) -> Iterator[Callable[[Script], Graph]]:
    # A busy machine may stall the frames; how long a silence may be is not what is tested here.
    graph, node = Graph(), make_node(camera="top", silence=1.0)
    executor = SingleThreadedExecutor()
    executor.add_node(graph.node)
    executor.add_node(node)
    ended = threading.Event()

    def spin() -> None:
        while not ended.is_set():
            executor.spin_once(timeout_sec=0.05)

    thread = threading.Thread(target=spin)
    thread.start()

    def run(script: Script) -> Graph:
        base, token = node.server.url.split("#")

        async def main() -> None:
            async with aiohttp.ClientSession() as http:
                headset = Headset(await http.ws_connect(f"{base}ws"))
                await headset.send(t="hello", token=token)
                await headset.send(t="claim", name="Ada")
                await headset.until("role", lambda d: d["mine"])
                await script(headset, graph, node)

        asyncio.run(main())
        return graph

    yield run
    node.close()
    ended.set()
    thread.join(5)
    executor.shutdown(timeout_sec=1.0)
    node.destroy_node()
    graph.node.destroy_node()


def test_motion_becomes_commands_and_silence_a_release(play: Any) -> None:
    async def script(headset: Headset, graph: Graph, node: QuestNode) -> None:
        await headset.play_until(lambda: len(graph.of("right")) > 3)
        assert not any(c.engaged for c in graph.commands)
        headset.squeeze = 1.0
        await headset.play_until(lambda: graph.of("right")[-1].engaged)
        for step in range(1, 11):
            headset.forward = 0.02 * step
            await headset.frame()
        await headset.play_until(lambda: to_array(graph.of("right")[-1].pose)[0] > 0.199)
        await wait_for(lambda: not graph.of("right")[-1].engaged)
        await headset.send(t="leave")
        await headset.until("role", lambda d: not d["mine"])

    graph = play(script)
    moved = [c for c in graph.of("right") if c.engaged]
    np.testing.assert_allclose(to_array(moved[-1].pose), [0.2, 0, 0, 0, 0, 0, 1], atol=1e-9)
    assert {c.clutch for c in moved} == {1}
    assert {(c.device, c.operator_name, c.mode) for c in graph.commands} == {("quest", "Ada", 0)}
    assert {c.header.frame_id for c in moved} == {"right_base_link"}
    assert not any(c.engaged for c in graph.of("left"))
    stamps = [to_ns(c.header.stamp) for c in graph.of("right")]
    assert stamps == sorted(stamps)
    assert all(np.isnan(c.gripper) for c in moved), "the gripper is at 0.3, the trigger not there"


def test_buttons_reach_the_services_and_answers_the_page(play: Any) -> None:
    async def script(headset: Headset, graph: Graph, node: QuestNode) -> None:
        await headset.until("state", lambda d: d["control"]["authority"] == "POLICY")
        await headset.press("left", "y")
        pulse = await headset.until("pulse")
        assert pulse["strength"] > 0.5
        await headset.until("state", lambda d: d["toggle"] == "hand_back")
        await headset.press("right", "stick")
        await headset.until("state", lambda d: d["control"]["authority"] == "POLICY")
        await headset.press("right", "a")
        notice = await headset.until("notice", lambda d: d["level"] == "error")
        assert notice["text"] == "Success: no episode waits"
        await headset.press("right", "b")
        await wait_for(lambda: len(graph.labels) == 2)
        await headset.send(t="press", action="stop")
        await headset.until("state", lambda d: d["control"]["authority"] == "STOPPED")

    graph = play(script)
    assert [r.request for r in graph.requests] == [2, 1, 3]
    assert {r.operator_name for r in graph.requests} == {"Ada"}
    assert [(r.outcome, r.episode_id, r.labeler, r.source) for r in graph.labels] == [
        (LabelEpisode.Request.SUCCESS, "", "Ada", "quest"),
        (LabelEpisode.Request.FAILURE, "", "Ada", "quest"),
    ]


def test_the_page_sees_robot_episode_and_camera(play: Any) -> None:
    async def script(headset: Headset, graph: Graph, node: QuestNode) -> None:
        state = await headset.until(
            "state", lambda d: d["label_pending"] and d["control"]["ready"] is False
        )
        assert state["label_pending"] == ["e1"]
        assert [h["arm"] for h in state["hands"]] == ["left", "right"]
        jpeg = await headset.until("image")
        assert jpeg[:2] == b"\xff\xd8"
        assert len(jpeg) < 20_000

    play(script)


def test_handing_back_opens_the_clutch(play: Any) -> None:
    async def script(headset: Headset, graph: Graph, node: QuestNode) -> None:
        await headset.until("state", lambda d: d["control"]["authority"] == "POLICY")
        await headset.play_until(lambda: len(graph.of("right")) > 3)
        headset.squeeze = 1.0
        await headset.press("left", "y")
        await headset.play_until(lambda: graph.authority is Authority.HUMAN)
        await headset.until("state", lambda d: d["toggle"] == "hand_back")
        await headset.play_until(lambda: graph.of("right")[-1].engaged)
        await headset.press("left", "y")
        await headset.play_until(lambda: not graph.of("right")[-1].engaged)
        before = len(graph.commands)
        await headset.play_until(lambda: len(graph.commands) > before + 10)
        assert not graph.of("right")[-1].engaged

    play(script)


@pytest.mark.parametrize("nonsense", ["x" * 5000, '{"t": "frame"}'], ids=["long", "malformed"])
def test_a_page_that_is_thrown_out_while_it_drives_lets_go(play: Any, nonsense: str) -> None:
    async def script(headset: Headset, graph: Graph, node: QuestNode) -> None:
        await headset.play_until(lambda: len(graph.of("right")) > 3)
        headset.squeeze = 1.0
        await headset.play_until(lambda: graph.of("right")[-1].engaged)
        # Frames that are well do not excuse the others.
        for _ in range(25):
            if not headset.socket.closed:
                with contextlib.suppress(ConnectionError):
                    await headset.frame()
                    await headset.socket.send_str(nonsense)
        await wait_for(lambda: not graph.of("right")[-1].engaged)
        assert node._session.operator is None

    play(script)


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"host": "0.0.0.0"}, "only for a loopback"),
        ({"left_arm": "right"}, "each controller needs an arm"),
        ({"right_arm": "rihgt"}, "Did you mean 'right'"),
        ({"release": 0.7}, "'release' must be below 'engage'"),
        ({"camera_rate": 30.0}, "camera_rate"),
        ({"operator_yaw": 1.0}, "Unknown parameter"),
        ({"robot_file": "/nowhere.yaml"}, "Cannot read the robot file"),
    ],
)
def test_a_wrong_parameter_is_refused(ros: None, parameters: dict[str, Any], why: str) -> None:
    with pytest.raises((HiorsError, InvalidValue), match=why):
        make_node(**parameters)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_process_with_zero(number: signal.Signals, tmp_path: Path) -> None:
    words = [f"robot_file:={ROBOT}", "port:=0", f"state_dir:={tmp_path}"]
    command = [sys.executable, "-m", "hiors_quest.quest_node", "--ros-args"]
    command += [part for word in words for part in ("-p", word)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    lines = iter(process.stderr.readline, "")
    assert any("Open in the headset's browser: https://localhost:" in line for line in lines)
    process.send_signal(number)
    process.communicate(timeout=20)
    assert process.returncode == 0


def test_one_arm_is_driven_by_its_controller(ros: None) -> None:
    node = make_node(arms=["left"])
    assert [s.hand for s in node._session.statuses()] == ["left"]
    node.close()
    node.destroy_node()
