# SPDX-License-Identifier: Apache-2.0
"""The page in headless Chromium against the node: control, labels by click and key, lost links."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy")

from chromium import MARKS, Chromium
from test_console_node import Rig, rig

from hiors_core.authority import Authority
from hiors_core.label import Outcome

__all__ = ["rig"]
pytestmark = MARKS


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 30.0
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


class Console:
    """One page of the browser."""

    def __init__(self, chromium: Chromium, name: str) -> None:
        self.chromium = chromium
        self.name = name

    def __call__(self, verb: str, **order: Any) -> Any:
        return self.chromium(verb, page=self.name, **order)

    def reads(self, selector: str, value: str) -> None:
        self("waitText", selector=selector, value=value, timeout=30000)

    def open(self, url: str) -> "Console":
        self("open", url="about:blank")
        self("size", width=1440, height=1000)
        self("open", url=url)
        return self


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    chromium = Chromium()
    yield chromium
    chromium.close()


@pytest.fixture
def page(chromium: Chromium, rig: Rig) -> Console:
    page = Console(chromium, "console").open(rig.node.server.url)
    page.reads("#link", "Connected")
    page("fill", selector="#name", value="Ada")
    return page


def test_take_over_and_release(page: Console, rig: Rig) -> None:
    page.reads("#authority", "Policy drives")
    page("click", selector="#toggle")
    page.reads("#role", "You operate as Ada")
    page.reads("#authority", "Ada drives")
    page.reads("#toggle", "Hand back")
    rig.graph.stage.teleop.clear()
    page("key", key="Space", how="down")
    page("key", key="w", how="down")
    moved = lambda: [t for t in rig.graph.stage.teleop if t.pose.position.x > 0]  # noqa: E731
    wait_for(lambda: bool(moved()), "the keys drove nothing")
    page.reads("#drive-state", "Driving")
    page("key", key="w", how="up")
    page("key", key="Space", how="up")
    wait_for(lambda: not rig.graph.stage.teleop[-1].engaged, "not released")
    page("click", selector="#toggle")
    page.reads("#authority", "Policy drives")
    page("click", selector="#stop")
    page.reads("#authority", "Stopped")
    page("click", selector="#resume")
    page.reads("#authority", "Holding")
    page("click", selector="#claim")
    page.reads("#role", "Nobody operates")


def test_labels_by_click_and_by_key(page: Console, rig: Rig) -> None:
    store, (older, newest) = rig.graph.store, rig.graph.ids[-2:]
    page.reads("#episodes", newest)
    page("click", selector=f"[data-episode='{newest}']")
    page.reads("#target", newest)
    page("click", selector="#success-button")
    wait_for(lambda: store.label(newest).outcome is Outcome.SUCCESS, "not labelled")
    assert (store.label(newest).labeler, store.label(newest).source) == ("Ada", "console")
    page.reads("#target", older)
    page("key", key="f")
    wait_for(lambda: store.label(older).outcome is Outcome.FAILURE, "the key labelled nothing")
    page("click", selector=f"[data-episode='{older}']")
    page("key", key="u")
    wait_for(lambda: store.label(older).outcome is Outcome.NONE, "not undone")
    page.reads("#pending", "1 waiting")
    page("fill", selector="#rewards", value="0.5 0.25")
    page("key", key="Enter")
    wait_for(lambda: store.label(older).episode_return == 0.75, "no stage rewards")


def test_replay(page: Console, rig: Rig) -> None:
    page("click", selector=f"[aria-label='Replay {rig.graph.ids[0]}']")
    page.reads("#replay-clock", "/ 3.0 s")
    page("click", selector="#replay-close")


def test_two_consoles_a_wrong_token_and_html_in_names(
    page: Console, chromium: Chromium, rig: Rig, tmp_path: Path
) -> None:
    page("click", selector="#claim")
    page.reads("#role", "You operate as Ada")
    second = Console(chromium, "second").open(rig.node.server.url)
    second.reads("#role", "Ada is the operator")
    for selector, disabled in (
        ("#toggle", True),
        ("#claim", True),
        ("#stop", False),
        ("#success-button", False),
    ):
        right = lambda s=selector, d=disabled: second("disabled", selector=s) is d  # noqa: E731
        wait_for(right, f"{selector} is{' not' if disabled else ''} disabled")
    rig.graph.stage.problems = ["<img src=x onerror=alert(1)>"]
    page.reads("#problems", "<img src=x onerror=alert(1)>")
    second.reads("#problems", "<img src=x onerror=alert(1)>")
    rig.graph.stage.problems = []
    stranger = Console(chromium, "stranger").open(rig.node.server.url.split("#")[0] + "#wrong")
    stranger.reads("#link", "Wrong token")
    for other in (second, stranger):
        other("close")
    page.reads("#learner-state", "training")
    page.reads("#success-now", "%")
    folder = Path(os.environ.get("HIORS_SCREENSHOTS", tmp_path))
    for name, width, height in (("console", 1440, 1000), ("console_phone", 412, 915)):
        path = folder / f"{name}.png"
        page("screenshot", path=str(path), width=width, height=height)
        assert path.stat().st_size > 10_000
    log = chromium("log")
    base = rig.node.server.url.split("#")[0]
    asked = [line.removeprefix("request: ") for line in log if line.startswith("request: ")]
    ours = (base, f"blob:{base}", "about:blank")
    assert all(u.startswith(ours) for u in asked), asked
    expected = ("404", "401")
    errors = [e for e in log if e.startswith("error") and not any(x in e for x in expected)]
    assert not errors
    page("click", selector="#claim")


def test_a_second_robot_makes_a_fleet(page: Console, rig: Rig, tmp_path: Path) -> None:
    other = rig.graph.add_robot("robot2")
    page.reads("#robots", "robot2")
    page.reads("#fleet-note", "2 robots")
    other.authority, other.operator = Authority.HUMAN, "<i>Bob"
    page.reads("#robots", "<i>Bob drives")
    path = Path(os.environ.get("HIORS_SCREENSHOTS", tmp_path)) / "console_fleet.png"
    page("screenshot", path=str(path), width=1440, height=700)
    assert page("count", selector="#robots .own") == 1


def test_a_lost_connection_comes_back(chromium: Chromium, rig: Rig) -> None:
    page = Console(chromium, "console").open(rig.node.server.url)
    page.reads("#link", "Connected")
    rig.node.server.call(lambda: _cut(rig))
    page.reads("#link", "Reconnecting")
    page.reads("#link", "Connected")
    page.reads("#rate", "30.0 Hz")


def _cut(rig: Rig) -> None:
    for client in rig.node.server._consoles.clients:
        client._abort()
