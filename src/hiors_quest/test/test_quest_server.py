# SPDX-License-Identifier: Apache-2.0
"""Over a real TLS socket: who gets in, who operates, what is refused, and what everybody sees."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from hiors_core.clock import SteadyClock
from hiors_core.errors import HiorsError, InvalidValue
from hiors_quest.server import QuestServer
from hiors_quest.values import Frame
from hiors_seat.actions import Action
from hiors_seat.web.hub import BAD_MESSAGES, WRONG_TOKEN
from hiors_seat.web.server import ServerSettings

FRAME = {"t": "frame", "n": 1, "time": 1.0, "visible": True}
FRAME |= {"head": None, "left": None, "right": None}


class Owner:
    """Notes what the hub tells."""

    def __init__(self) -> None:
        self.operators: list[str | None] = []
        self.frames: list[Frame] = []
        self.presses: list[tuple[Action, str]] = []
        self.ends = 0

    def on_operator(self, name: str | None) -> None:
        self.operators.append(name)

    def on_frame(self, frame: Frame) -> None:
        self.frames.append(frame)

    def on_end(self) -> None:
        self.ends += 1

    def on_press(self, action: Action, name: str) -> None:
        self.presses.append((action, name))


@pytest.fixture
def owner() -> Owner:
    return Owner()


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture
def server(owner: Owner, state_dir: Path) -> Iterator[QuestServer]:
    settings = ServerSettings(
        host="127.0.0.1", port=0, tls=True, state_dir=state_dir, max_malformed=3, max_clients=3
    )
    server = QuestServer(settings, owner, SteadyClock())
    server.start()
    yield server
    server.stop()


class Page:
    """A client as the page is one."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def send(self, **message: Any) -> None:
        await self.socket.send_str(json.dumps(message))

    async def until(self, kind: str, **wanted: Any) -> dict[str, Any]:
        """Return the next message of that kind with these values."""
        async with asyncio.timeout(5):
            while True:
                message = await self.socket.receive()
                assert message.type == aiohttp.WSMsgType.TEXT, message
                data = json.loads(message.data)
                if data["t"] == kind and wanted.items() <= data.items():
                    return data

    async def closed(self) -> int | None:
        async with asyncio.timeout(5):
            while not self.socket.closed:
                message = await self.socket.receive()
                if message.type == aiohttp.WSMsgType.CLOSE:
                    return int(message.data)
        return self.socket.close_code


class Browser:
    """Opens pages that trust the server's own certificate and nothing else."""

    def __init__(self, server: QuestServer, state_dir: Path, http: aiohttp.ClientSession) -> None:
        self.trust = ssl.create_default_context(cafile=str(state_dir / "certificate.pem"))
        self.base, self.token = server.url.split("#")
        self.http = http

    async def socket(self, **options: Any) -> aiohttp.ClientWebSocketResponse:
        return await self.http.ws_connect(f"{self.base}ws", ssl=self.trust, **options)

    async def page(self) -> Page:
        page = Page(await self.socket())
        await page.send(t="hello", token=self.token)
        await page.until("role")
        return page

    async def operator(self, name: str = "Ada") -> Page:
        page = await self.page()
        await page.send(t="claim", name=name)
        await page.until("role", mine=True)
        return page


@pytest.fixture
def browse(server: QuestServer, state_dir: Path) -> Callable[..., None]:
    def run(script: Callable[[Browser], Awaitable[None]]) -> None:
        async def main() -> None:
            async with aiohttp.ClientSession() as http:
                await script(Browser(server, state_dir, http))

        asyncio.run(main())

    return run


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


def test_the_page_is_whole_and_secret_free(server: QuestServer, browse: Any) -> None:
    async def script(browser: Browser) -> None:
        for path in ("", "quest.js", "link.js", "headset.js", "scene.js", "quest.css", "icon.svg"):
            async with browser.http.get(browser.base + path, ssl=browser.trust) as answer:
                body = await answer.text()
                assert answer.status == 200, path
                assert browser.token not in body
                foreign = body.replace("http://www.w3.org/2000/svg", "")
                assert "http://" not in foreign, path
                assert "https://" not in foreign, path
                policy = answer.headers["Content-Security-Policy"]
                assert "default-src 'none'" in policy
                assert "unsafe" not in policy
        for path in ("../quest_node.py", "%2e%2e/quest_node.py", "web/", "certificate.pem"):
            async with browser.http.get(browser.base + path, ssl=browser.trust) as answer:
                assert answer.status == 404, path

    browse(script)


@pytest.mark.parametrize("first", ['{"t":"hello","token":"wrong"}', "junk", '{"t":"end"}'])
def test_without_the_token_nobody_gets_in(
    first: str, owner: Owner, server: QuestServer, browse: Any
) -> None:
    async def script(browser: Browser) -> None:
        page = Page(await browser.socket())
        await page.socket.send_str(first)
        await page.send(t="claim", name="Eve")
        assert await page.closed() == WRONG_TOKEN

    browse(script)
    assert owner.operators == []
    assert server.counters.refused_tokens == 1


def test_the_page_of_another_site_is_refused(browse: Any) -> None:
    async def script(browser: Browser) -> None:
        with pytest.raises(aiohttp.WSServerHandshakeError) as error:
            await browser.socket(origin="https://evil.example")
        assert error.value.status == 403

    browse(script)


def test_one_operates_the_others_watch_and_may_stop(owner: Owner, browse: Any) -> None:
    async def script(browser: Browser) -> None:
        ada = await browser.operator()
        bob = await browser.page()
        await bob.send(t="claim", name="Bob")
        notice = await bob.until("notice")
        assert notice["text"] == "Ada is the operator. You watch."
        await bob.send(**FRAME)
        await bob.send(t="press", action="success")
        assert "Only the operator" in (await bob.until("notice"))["text"]
        await bob.send(t="press", action="stop")
        await eventually(lambda: len(owner.presses) == 1)
        await ada.send(t="leave")
        await bob.until("role", name="")
        await bob.send(t="claim", name="Bob")
        await bob.until("role", mine=True, name="Bob")

    browse(script)
    assert owner.frames == []
    assert owner.presses == [(Action.STOP, "watcher")]
    assert owner.operators[:3] == ["Ada", None, "Bob"]


def test_a_page_that_goes_away_leaves_the_controls(owner: Owner, browse: Any) -> None:
    async def script(browser: Browser) -> None:
        ada = await browser.operator()
        await ada.send(**FRAME)
        await ada.send(t="end")
        await eventually(lambda: owner.ends == 1)
        await ada.socket.close()
        await eventually(lambda: owner.operators == ["Ada", None])

    browse(script)
    assert len(owner.frames) == 1


def test_malformed_messages_are_counted_and_then_the_page_is_dropped(
    owner: Owner, server: QuestServer, browse: Any
) -> None:
    async def script(browser: Browser) -> None:
        ada = await browser.operator()
        await ada.send(**(FRAME | {"time": float("nan")}))
        assert "NaN" in (await ada.until("refused"))["text"]
        await ada.socket.send_bytes(b"\x80\x04pickle")
        assert "Binary" in (await ada.until("refused"))["text"]
        await ada.send(**FRAME)
        await eventually(lambda: len(owner.frames) == 1)
        await ada.send(t="frame")
        assert await ada.closed() == BAD_MESSAGES
        await eventually(lambda: owner.operators == ["Ada", None])

    browse(script)
    assert (server.counters.malformed, server.counters.dropped_clients) == (3, 1)


def test_an_oversized_message_closes_the_socket(owner: Owner, browse: Any) -> None:
    async def script(browser: Browser) -> None:
        ada = await browser.operator()
        await ada.socket.send_str("x" * 5000)
        # 1006: the reset of the connection may overtake the close frame.
        codes = (aiohttp.WSCloseCode.MESSAGE_TOO_BIG, aiohttp.WSCloseCode.ABNORMAL_CLOSURE)
        assert await ada.closed() in codes
        await eventually(lambda: owner.operators == ["Ada", None])

    browse(script)
    assert owner.frames == []


def test_a_flood_is_refused(owner: Owner, server: QuestServer, browse: Any) -> None:
    async def script(browser: Browser) -> None:
        ada = await browser.operator()
        flood = 0
        while server.counters.dropped_clients == 0:
            flood += 1
            with contextlib.suppress(ConnectionError):
                await ada.send(**FRAME)
            if flood % 50 == 0:
                await asyncio.sleep(0)

    browse(script)
    assert 600 <= len(owner.frames) < 5000


def test_too_many_pages_are_refused(browse: Any) -> None:
    async def script(browser: Browser) -> None:
        pages = [await browser.page() for _ in range(3)]
        with pytest.raises(aiohttp.WSServerHandshakeError) as error:
            await browser.page()
        assert error.value.status == 503
        await pages[0].socket.close()

    browse(script)


def test_state_notices_images_and_pulses_arrive(server: QuestServer, browse: Any) -> None:
    async def script(browser: Browser) -> None:
        server.show({"control": {"authority": "HOLD"}})
        ada, bob = await browser.operator(), await browser.page()
        assert (await bob.until("state"))["control"]["authority"] == "HOLD"
        server.notice("info", "<b>hello</b>")
        assert (await bob.until("notice"))["text"] == "<b>hello</b>"
        server.pulse(0.8, 150, times=2)
        assert await ada.until("pulse") == {"t": "pulse", "strength": 0.8, "ms": 150, "times": 2}
        server.show_image(b"jpeg")
        server.notice("info", "after")
        async with asyncio.timeout(5):
            kinds = [(await bob.socket.receive()).type for _ in range(2)]
        assert aiohttp.WSMsgType.BINARY in kinds

    browse(script)


def test_a_person_in_ar_gets_no_images(server: QuestServer, owner: Owner, browse: Any) -> None:
    async def script(browser: Browser) -> None:
        ada = await browser.operator()
        assert server.viewers == 1
        await ada.send(**FRAME)
        await eventually(lambda: server.viewers == 0)
        server.show_image(b"jpeg")
        server.notice("info", "after")
        await ada.until("notice")

    browse(script)


def test_stopping_tells_the_pages_and_ends_the_thread(
    server: QuestServer, owner: Owner, browse: Any
) -> None:
    async def script(browser: Browser) -> None:
        ada = await browser.operator()
        stopping = asyncio.to_thread(server.stop)
        code, _ = await asyncio.gather(ada.closed(), stopping)
        assert code == aiohttp.WSCloseCode.GOING_AWAY

    browse(script)
    assert owner.operators == ["Ada", None]
    server.notice("info", "nobody hears this")


def test_http_is_for_loopback_only(owner: Owner, tmp_path: Path) -> None:
    def settings(host: str) -> ServerSettings:
        return ServerSettings(host=host, port=0, tls=False, state_dir=tmp_path)

    for host in ("0.0.0.0", "192.0.2.4", "robot.lan"):
        with pytest.raises(InvalidValue, match="only for a loopback"):
            QuestServer(settings(host), owner, SteadyClock())
    server = QuestServer(settings("127.0.0.1"), owner, SteadyClock())
    server.start()
    assert server.url.startswith("http://localhost:")
    assert list(tmp_path.iterdir()) == []
    server.stop()


def test_a_port_in_use_is_a_sentence(server: QuestServer, owner: Owner, state_dir: Path) -> None:
    settings = ServerSettings(host="127.0.0.1", port=server.port, tls=True, state_dir=state_dir)
    second = QuestServer(settings, owner, SteadyClock())
    with pytest.raises(HiorsError, match=f"Cannot serve the page on 127.0.0.1:{server.port}"):
        second.start()


def test_tokens_differ(server: QuestServer, owner: Owner, state_dir: Path) -> None:
    settings = ServerSettings(host="127.0.0.1", port=0, tls=True, state_dir=state_dir)
    other = QuestServer(settings, owner, SteadyClock())
    assert other.url.split("#")[1] != server.url.split("#")[1]
