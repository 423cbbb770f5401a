# SPDX-License-Identifier: Apache-2.0
"""One episode labelled through each front end: from the press to the label, and to the decision.

The real label_node and bridge_node work on a store of recorded episodes; the front ends are the
real programs, each fed with what its device sends: bytes on a terminal, sensor_msgs/Joy, the
messages of the Quest page and of the web console, a click on the Qt widget (without Qt: left out).
``python benchmarks/front_ends.py [--grace SECONDS]``
"""

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp
import rclpy
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import Joy

from hiors.commands import find_executable
from hiors_core.errors import HiorsError
from hiors_core.store import EpisodeStore
from hiors_interfaces.msg import EpisodeLabel, EpisodeStatus
from hiors_ros import qos

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "config"
sys.path.insert(0, str(ROOT / "src" / "hiors_seat" / "test"))
from seat_stage import record_episodes  # noqa: E402

PATIENCE = 60.0
AGAIN = 12.0
REST = [0.0, 0.0, 0.0, 1.0]
Press = Callable[[], Awaitable[None]]


class NoQt(Exception):
    """The panels need Qt, which this machine lacks."""


class Bench:
    """The graph: label node, bridge, and one who listens."""

    def __init__(self, folder: Path, episodes: int, stack: ExitStack) -> None:
        self.store = EpisodeStore(folder / "store")
        record_episodes(self.store, episodes, waiting=episodes)
        self.folder, self._stack = folder, stack
        self.node = rclpy.create_node("front_ends")
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.labels: list[tuple[float, EpisodeLabel]] = []
        self.decided: dict[str, float] = {}
        self.readers: list[asyncio.Task[None]] = []
        self.kept: list[Any] = []
        self.node.create_subscription(
            EpisodeLabel, "episode/label", self._on_label, qos.profile("episode/label")
        )
        self.node.create_subscription(
            EpisodeStatus, "episode/status", self._on_status, qos.profile("episode/status")
        )
        self.machine = {"robot_file": CONFIG / "robots" / "xtrainer.yaml", "arms": "[left]"}

    def start(self, package: str, executable: str, stdin: Any = None, **values: Any) -> Path:
        """Start a node; returns its log."""
        words = [str(find_executable(package, executable)), "--ros-args"]
        words += [w for n, v in values.items() for w in ("-p", f"{n}:={v}")]
        log = self.folder / f"{executable}.log"
        process = subprocess.Popen(
            words, stdin=stdin, stdout=log.open("w"), stderr=subprocess.STDOUT
        )
        self._stack.callback(process.wait, 20)
        self._stack.callback(process.terminate)
        return log

    async def until(self, condition: Callable[[], Any], what: str) -> Any:
        """Spin until the condition returns something, which is returned."""
        deadline = time.monotonic() + PATIENCE
        while not (found := condition()):
            if time.monotonic() > deadline:
                raise SystemExit(f"{what}: nothing in {PATIENCE:g} s; the logs: {self.folder}")
            await self.step()
        return found

    async def step(self) -> None:
        """Give ROS and the sockets a turn."""
        self.executor.spin_once(timeout_sec=0.002)
        await asyncio.sleep(0)

    def _on_label(self, message: EpisodeLabel) -> None:
        self.labels.append((time.monotonic(), message))

    def _on_status(self, message: EpisodeStatus) -> None:
        if message.state in (EpisodeStatus.ACCEPTED, EpisodeStatus.REJECTED):
            self.decided.setdefault(message.episode_id, time.monotonic())


async def address(bench: Bench, log: Path) -> tuple[str, str]:
    """Return a server's address and token, from its log."""
    pattern = re.compile(r"(https?://\S+)#(\S+)")
    found = await bench.until(lambda: pattern.search(log.read_text()), f"the address in {log}")
    return found.group(1), found.group(2)


async def socket(bench: Bench, http: aiohttp.ClientSession, log: Path) -> Any:
    """Open a page's socket."""
    base, token = await address(bench, log)
    opened = await http.ws_connect(f"{base}ws", ssl=False)
    await opened.send_str(json.dumps({"t": "hello", "token": token}))
    # Pings of the server are answered only while somebody reads.
    bench.readers.append(asyncio.create_task(read(opened)))
    return opened


async def read(page: aiohttp.ClientWebSocketResponse) -> None:
    """Take what the server says; refusals are shown."""
    async for message in page:
        if message.type == aiohttp.WSMsgType.TEXT and '"refused"' in message.data:
            print(message.data)


async def keyboard(bench: Bench, _: Any) -> Press:
    """Enter in the terminal of keyboard_node."""
    master, slave = os.openpty()
    bench.start("hiors_teleop", "keyboard_node", stdin=slave, **bench.machine)

    async def press() -> None:
        os.write(master, b"\r")

    return press


async def pedal(bench: Bench, _: Any) -> Press:
    """The right pedal of config/teleop/pedal.yaml."""
    joy = bench.node.create_publisher(Joy, "joy", 10)
    buttons = "[failure=0,toggle=1,success=2]"
    bench.start("hiors_teleop", "joy_node", device="pedal", buttons=buttons, **bench.machine)

    async def press() -> None:
        for state in ([0, 0, 0], [0, 0, 1], [0, 0, 0]):
            message = Joy(buttons=state)
            message.header.stamp = bench.node.get_clock().now().to_msg()
            joy.publish(message)
            await asyncio.sleep(0.02)

    return press


async def quest(bench: Bench, http: aiohttp.ClientSession) -> Press:
    """The right controller's A button."""
    values = {"port": 0, "tls": "false", "state_dir": bench.folder}
    page = await socket(
        bench, http, bench.start("hiors_quest", "quest_node", **values, **bench.machine)
    )
    await page.send_str(json.dumps({"t": "claim", "name": "Ada"}))
    number = 0

    async def press() -> None:
        nonlocal number
        for pressed in ([], ["a"], []):
            number += 1
            hand = {"pose": [0.0] * 3 + REST, "emulated": False, "squeeze": 0.0, "trigger": 0.0}
            hands = {"left": {**hand, "buttons": []}, "right": {**hand, "buttons": pressed}}
            now = time.monotonic()
            frame = {
                "t": "frame",
                "n": number,
                "time": now,
                "visible": True,
                "head": REST,
                **hands,
            }
            await page.send_str(json.dumps(frame))

    return press


async def console(bench: Bench, http: aiohttp.ClientSession) -> Press:
    """The button Success of the web console."""
    values = {"port": 0, "store": bench.store.root, "state_dir": bench.folder}
    page = await socket(bench, http, bench.start("hiors_console", "console_node", **values))

    async def press() -> None:
        wish = {"t": "label", "episode": "", "action": "success", "rewards": [], "name": "Ada"}
        await page.send_str(json.dumps(wish))

    return press


async def rqt(bench: Bench, _: Any) -> Press:
    """A click on Success of the panel Labels, as rqt and `hiors panel` show it."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    try:
        from hiors_rqt.bridge import Bridge
        from hiors_rqt.labels import LabelsPanel
        from hiors_rqt.qt import QtWidgets
    except HiorsError as error:
        raise NoQt(str(error)) from error
    app = QtWidgets.QApplication.instance() or QtWidgets.QApplication([])
    panel = LabelsPanel(Bridge(bench.node))
    bench.kept += [app, panel]
    panel.show()
    await bench.until(lambda: bench.node.count_publishers("episode/status"), "the label node")

    async def press() -> None:
        app.processEvents()
        panel.findChild(QtWidgets.QPushButton, "success").click()

    return press


async def service(bench: Bench, _: Any) -> Press:
    """`hiors label --success` as a command."""

    async def press() -> None:
        words = [sys.executable, "-m", "hiors.cli", "label", "--success"]
        await asyncio.create_subprocess_exec(*words, stdout=subprocess.DEVNULL)

    return press


FRONT_ENDS = (
    ("terminal keyboard", keyboard),
    ("pedal (Joy)", pedal),
    ("Quest button", quest),
    ("web console", console),
    ("rqt widget", rqt),
    ("hiors label", service),
)


async def measure(bench: Bench, press: Press, name: str) -> str:
    """Press until a label comes, wait for its decision, and return the row."""
    known, found = len(bench.labels), None
    while found is None:
        pressed = time.monotonic()
        await press()
        # A front end that has just started may not know the services yet: pressed again.
        while found is None and time.monotonic() - pressed < AGAIN:
            await bench.step()
            found = next((entry for entry in bench.labels[known:]), None)
    stamp, label = found
    decided = await bench.until(lambda: bench.decided.get(label.episode_id), f"{name}: decision")
    times = f"{1e3 * (stamp - pressed):11.1f} {1e3 * (decided - pressed):14.1f}"
    return f"{name:20s} {times}   {label.episode_id}, {label.source}"


async def main() -> None:
    """Print one row a front end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--grace", type=float, default=1.0, help="the bridge's label_grace [s]")
    options = parser.parse_args()
    rclpy.init()
    with ExitStack() as stack, tempfile.TemporaryDirectory(prefix="hiors-front-") as name:
        folder = Path(name)
        bench = Bench(folder, len(FRONT_ENDS), stack)
        store = {"store": bench.store.root}
        bench.start("hiors_reward", "label_node", **store)
        files = {n: folder / n for n in ("link", "checkpoints")}
        task = CONFIG / "tasks" / "insert_moisturizer.yaml"
        values = {**store, **files, **bench.machine, "task_file": task}
        bench.start("hiors_bridge", "bridge_node", label_grace=options.grace, **values)
        print(f"The bridge waits {options.grace:g} s, in which a label may still be changed.")
        print(f"{'front end':20s} {'label [ms]':>11s} {'decision [ms]':>14s}   episode, source")
        async with aiohttp.ClientSession() as http:
            for text, make in FRONT_ENDS:
                try:
                    press = await make(bench, http)
                except NoQt as missing:
                    print(f"{text:20s} left out: {missing}")
                    continue
                print(await measure(bench, press, text), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
