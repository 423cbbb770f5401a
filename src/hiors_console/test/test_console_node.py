# SPDX-License-Identifier: Apache-2.0
"""The node over its real socket and HTTP, with the real label node over real episodes."""

import asyncio
import json
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

pytest.importorskip("rclpy")

from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from seat_stage import ROBOT_FILE, StageThread, write_metrics

from hiors_console.console_node import ConsoleNode
from hiors_core.errors import HiorsError, InvalidValue
from hiors_core.label import Outcome
from hiors_seat.web.hub import WRONG_TOKEN

Script = Callable[["Browser"], Awaitable[None]]


def make_node(**values: Any) -> ConsoleNode:
    values = {"port": 0, **values}
    return ConsoleNode(parameter_overrides=[Parameter(n, value=v) for n, v in values.items()])


class Page:
    """A client as the page is one."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.images: list[bytes] = []

    async def send(self, **message: Any) -> None:
        await self.socket.send_str(json.dumps(message))

    async def until(self, kind: str, check: Callable[[dict], bool] = lambda _: True) -> dict:
        async with asyncio.timeout(30):
            while True:
                message = await self.socket.receive()
                if message.type == aiohttp.WSMsgType.BINARY:
                    self.images.append(message.data)
                    continue
                assert message.type == aiohttp.WSMsgType.TEXT, message
                data = json.loads(message.data)
                if data["t"] == kind and check(data):
                    return data


class Browser:
    def __init__(self, node: ConsoleNode, http: aiohttp.ClientSession) -> None:
        self.base, self.token = node.server.url.split("#")
        self.http = http

    async def page(self, token: str | None = None) -> Page:
        page = Page(await self.http.ws_connect(f"{self.base}ws"))
        await page.send(t="hello", token=self.token if token is None else token)
        return page

    async def get(self, path: str, token: str | None = None) -> tuple[int, bytes]:
        head = {"Authorization": f"Bearer {self.token if token is None else token}"}
        async with self.http.get(f"{self.base}api/{path}", headers=head) as answer:
            return answer.status, await answer.read()


class Rig:
    def __init__(self, folder: Path) -> None:
        self.graph = StageThread(folder, episodes=4)
        write_metrics(folder, 200)
        self.node = make_node(
            store=str(self.graph.store.root), run_dir=str(folder), robot_file=str(ROBOT_FILE),
            arms=["left"], cameras=["top", "left_wrist"], drive=True,
        )  # fmt: skip
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._spin)
        self._thread.start()

    def play(self, script: Script) -> None:
        async def main() -> None:
            async with aiohttp.ClientSession() as http:
                await script(Browser(self.node, http))

        asyncio.run(main())

    def close(self) -> None:
        self.node.close()
        self._ended.set()
        self._thread.join(10)
        self._executor.shutdown(timeout_sec=1.0)
        self.node.destroy_node()
        self.graph.close()

    def _spin(self) -> None:
        while not self._ended.is_set():
            self._executor.spin_once(timeout_sec=0.05)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    import rclpy
    from rclpy.signals import SignalHandlerOptions

    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    rig = Rig(tmp_path_factory.mktemp("run"))
    yield rig
    rig.close()
    rclpy.try_shutdown()


async def eventually(condition: Callable[[], bool], what: str) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)
    assert condition(), what


def test_a_page_sees_everything(rig: Rig) -> None:
    async def script(browser: Browser) -> None:
        page = await browser.page()
        found = await page.until("configuration", lambda d: bool(d["cameras"]))
        assert (found["cameras"], found["arms"], found["drive"]) == (
            ["top", "left_wrist"], ["left"], True,
        )  # fmt: skip
        listed = (await page.until("episodes", lambda d: len(d["episodes"]) == 4))["episodes"]
        assert [e["pending"] for e in listed] == [True, True, False, False]
        state = await page.until(
            "state",
            lambda d: (
                d["control"]["authority"] == "POLICY"
                and len(d["devices"]) > 4
                and bool(d["latency"]["chunks"])
                and bool(d["limiter"]["share"])
            ),
        )
        assert state["learner"]["state"] == "training"
        assert state["checkpoint"]["active"]["version"] == "v000100"
        assert 10 < state["latency"]["chunk_p50_ms"] < 40
        await page.send(t="watch", rate=30)
        await page.until("state", lambda _: {i[0] for i in page.images} == {0, 1})
        assert page.images[0][1:4] == b"\xff\xd8\xff"

    rig.play(script)


def test_cameras_cost_nothing_while_nobody_watches(rig: Rig) -> None:
    async def script(browser: Browser) -> None:
        page = await browser.page()
        await page.send(t="watch", rate=5)
        topic = "/camera/top/color/image_raw"
        await eventually(lambda: rig.node.count_subscribers(topic) == 1, "not subscribed")
        await page.socket.close()
        await eventually(lambda: rig.node.count_subscribers(topic) == 0, "still subscribed")

    rig.play(script)


def test_nobody_gets_in_without_the_token(rig: Rig) -> None:
    async def script(browser: Browser) -> None:
        page = await browser.page("wrong")
        await page.socket.receive()
        assert page.socket.close_code == WRONG_TOKEN
        for path in ("curves", f"episodes/{rig.graph.ids[0]}"):
            assert (await browser.get(path, ""))[0] == 401
            assert (await browser.get(path, "wrong"))[0] == 401
            assert (await browser.get(path))[0] == 200
        for path in ("episodes/nothing", "episodes/..%2f..%2fetc", "episodes/e1/frames/top"):
            assert (await browser.get(path))[0] == 404

    rig.play(script)


def test_curves_episodes_thumbnails_and_frames(rig: Rig) -> None:
    async def script(browser: Browser) -> None:
        curves = json.loads((await browser.get("curves"))[1])
        assert [e["id"] for e in curves["episodes"]] == rig.graph.ids
        assert {e["threshold"] for e in curves["episodes"][:2]} == {0.7}
        assert curves["loss"][0][0] == 20
        name = rig.graph.ids[0]
        info = json.loads((await browser.get(f"episodes/{name}"))[1])
        assert info["cameras"] == ["top"]
        assert info["spans"][0]["authority"] == "POLICY"
        assert info["spans"][-1]["end"] == 1.0
        assert (await browser.get(f"episodes/{name}/thumbnail.jpg"))[1][:2] == b"\xff\xd8"
        data = (await browser.get(f"episodes/{name}/frames/top"))[1]
        (length,) = struct.unpack_from("<I", data)
        head = json.loads(data[4 : 4 + length])
        assert len(head["times"]) == len(head["sizes"]) > 5
        assert sum(head["sizes"]) == len(data) - 4 - length
        status, text = await browser.get(f"episodes/{name}/frames/side")
        assert (status, b"top" in text) == (404, True)

    rig.play(script)


def test_anybody_labels_under_a_name(rig: Rig) -> None:
    store, name = rig.graph.store, rig.graph.ids[-1]
    label = {"t": "label", "episode": name, "action": "failure", "rewards": [], "name": "Bo"}

    async def script(browser: Browser) -> None:
        page = await browser.page()
        await page.until("state", lambda d: d["control"]["authority"] is not None)
        await page.send(**label)
        await page.until("notice", lambda d: "Failure" in d["text"])
        assert (store.label(name).labeler, store.label(name).source) == ("Bo", "console")
        assert store.label(name).outcome is Outcome.FAILURE
        await page.send(**{**label, "action": "undo"})
        await page.until("notice", lambda d: "Undo" in d["text"])
        assert store.label(name).outcome is Outcome.NONE
        await page.send(**{**label, "action": "", "rewards": [0.25, 0.5]})
        await page.until("notice", lambda d: "Stage rewards" in d["text"])
        assert store.label(name).episode_return == 0.75
        await page.send(**{**label, "episode": "unknown"})
        assert (await page.until("notice"))["level"] == "error"

    rig.play(script)


def test_one_operator_drives_the_others_watch_and_may_stop(rig: Rig) -> None:
    stage = rig.graph.stage
    wish = {"t": "drive", "arm": "left", "linear": [1, 0, 0], "angular": [0, 0, 0]}

    async def script(browser: Browser) -> None:
        ada, bo = await browser.page(), await browser.page()
        await ada.until("state", lambda d: d["control"]["authority"] == "POLICY")
        await ada.send(t="claim", name="Ada")
        await bo.until("role", lambda d: d["name"] == "Ada" and not d["mine"])
        await bo.send(t="press", action="take_over")
        await bo.until("notice", lambda d: "Only the operator" in d["text"])
        await ada.send(t="press", action="take_over")
        await ada.until("state", lambda d: d["control"]["authority"] == "HUMAN")
        stage.teleop.clear()
        await ada.send(**wish, engaged=False, gripper=None)
        for _ in range(12):
            await ada.send(**wish, engaged=True, gripper=None)
            await bo.send(**{**wish, "linear": [0, 1, 0]}, engaged=True, gripper=None)
            await asyncio.sleep(0.03)
        await eventually(lambda: any(t.engaged for t in stage.teleop), "nothing was driven")
        driven = [t for t in stage.teleop if t.engaged]
        assert driven[-1].pose.position.x > 0
        assert {t.pose.position.y for t in driven} == {0.0}
        assert {(t.device, t.operator_name, t.arm) for t in driven} == {("console", "Ada", "left")}
        assert driven[-1].header.frame_id == "left_base_link"
        await eventually(lambda: not stage.teleop[-1].engaged, "silence must release")
        await bo.send(t="press", action="stop")
        await ada.until("state", lambda d: d["control"]["authority"] == "STOPPED")
        await ada.socket.close()
        await bo.until("role", lambda d: d["name"] == "")
        assert not stage.teleop[-1].engaged

    rig.play(script)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"host": "0.0.0.0"}, "tls:=true"),
        ({"drive": True}, "robot_file"),
        ({"image_rate": 100.0}, "image_rate"),
        ({"sore": "x"}, "store"),
    ],
)
def test_bad_parameters_are_refused(rig: Rig, values: dict[str, Any], said: str) -> None:
    with pytest.raises(HiorsError, match=said):
        make_node(**values)
    assert issubclass(InvalidValue, HiorsError)
