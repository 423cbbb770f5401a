# SPDX-License-Identifier: Apache-2.0
"""Does the control loop feel it when people watch? Its periods, without and with consoles.

The simulated X-Trainer runs while the scripted person demonstrates; then as many pages as asked
for watch every camera at full rate, each a socket that takes what a browser would take. The
browsers themselves are on other machines and not counted.
``python benchmarks/consoles.py [--consoles 5]``
"""

import argparse
import asyncio
import json
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import rclpy
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor

from hiors.arguments import BringupArgs
from hiors.graph import build_graph
from hiors.up import Bringup
from hiors_interfaces.action import RunEpisode
from hiors_interfaces.msg import ControlCommand
from hiors_ros import qos
from hiors_ros.conversions import to_ns

RATE = 30.0
PATIENCE = 90.0


class Commands:
    """The stamps of the control commands."""

    def __init__(self) -> None:
        self.stamps: list[int] = []
        self.node = rclpy.create_node("consoles_bench")
        topic = "control/command"
        self.node.create_subscription(ControlCommand, topic, self._take, qos.profile(topic))

        self._client = ActionClient(self.node, RunEpisode, "episode/run")
        self._ends: Any = None
        self._seed = 0
        self.episodes = 0
        self.node.create_timer(0.5, self._run_episode)

    def _run_episode(self) -> None:
        """Keep an episode running."""
        if self._client.server_is_ready() and (self._ends is None or self._ends.done()):
            self._seed += 1
            goal = RunEpisode.Goal(task="insert_moisturizer", seed=self._seed)
            self._ends = self._client.send_goal_async(goal)
            self._ends.add_done_callback(self._on_accepted)

    def _on_accepted(self, sent: Any) -> None:
        if sent.result().accepted:
            self.episodes += 1
            self._ends = sent.result().get_result_async()

    def _take(self, message: ControlCommand) -> None:
        self.stamps.append(to_ns(message.header.stamp))

    def periods(self, start: int) -> np.ndarray:
        """Return the periods since the ``start``-th command [ms]."""
        return np.diff(np.array(self.stamps[start:], dtype=np.float64)) / 1e6


@contextmanager
def graph(folder: Path) -> Iterator[list[str]]:
    """Run the graph in a thread; yields the lines that it shows."""
    lines: list[str] = []
    args = BringupArgs(
        run_dir=str(folder), teleop="scripted", demonstrate=True, console=True, learner="none"
    )
    ended = threading.Event()
    with Bringup(build_graph(args), args, lines.append) as bringup:

        def look() -> None:
            while not ended.is_set():
                bringup.step()
                time.sleep(0.05)

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield lines
        finally:
            ended.set()
            thread.join()


def url_in(lines: list[str], folder: Path) -> str:
    """Return the console's address from what the graph shows or logs."""
    pattern = re.compile(r"Web console: (\S+)")
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        logs = (path.read_text(errors="replace") for path in folder.glob("logs/**/*console*"))
        for text in ("\n".join(lines), *logs):
            if found := pattern.search(text):
                return found.group(1)
        time.sleep(0.5)
    raise SystemExit(f"No console in {PATIENCE:g} s:\n" + "\n".join(lines[-20:]))


class Watchers:
    """Pages that take everything, in a thread of their own."""

    def __init__(self, url: str, count: int) -> None:
        self._url, self._count = url, count
        self.images = self.bytes = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._watch_all()))
        self._thread.start()

    def close(self) -> None:
        """Close the pages."""
        self._ended.set()
        self._thread.join()

    async def _watch_all(self) -> None:
        async with aiohttp.ClientSession() as http:
            await asyncio.gather(*(self._watch(http) for _ in range(self._count)))

    async def _watch(self, http: aiohttp.ClientSession) -> None:
        base, token = self._url.split("#")
        async with http.ws_connect(f"{base}ws") as page:
            await page.send_str(json.dumps({"t": "hello", "token": token}))
            await page.send_str(json.dumps({"t": "watch", "rate": 10.0}))
            while not self._ended.is_set():
                message = await page.receive(timeout=10.0)
                if message.type == aiohttp.WSMsgType.BINARY:
                    self.images += 1
                    self.bytes += len(message.data)
                elif message.type != aiohttp.WSMsgType.TEXT:
                    raise SystemExit(f"A page was closed: {message}")


def listen(commands: Commands, executor: SingleThreadedExecutor, seconds: float) -> np.ndarray:
    """Return the periods over that time [ms]."""
    start, until = len(commands.stamps), time.monotonic() + seconds
    while time.monotonic() < until:
        executor.spin_once(timeout_sec=0.1)
    return commands.periods(start)


def row(name: str, periods: np.ndarray) -> str:
    """Return one line of the table."""
    mean, p50, p99 = periods.mean(), *np.percentile(periods, (50, 99))
    late = float(np.mean(periods > 1.5e3 / RATE))
    worst = periods.max()
    return (
        f"{name:14s} {mean:8.2f} {p50:8.2f} {p99:8.2f} {worst:8.2f} {late:8.2%} {len(periods):7d}"
    )


def main() -> None:
    """Print periods and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--consoles", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement")
    parser.add_argument("--repeats", type=int, default=2, help="pairs of measurements")
    options = parser.parse_args()
    rclpy.init()
    commands = Commands()
    executor = SingleThreadedExecutor()
    executor.add_node(commands.node)
    alone, watched = [], []
    with tempfile.TemporaryDirectory(prefix="hiors-consoles-") as name, graph(Path(name)) as lines:
        url = url_in(lines, Path(name))
        listen(commands, executor, 10.0)
        for _ in range(options.repeats):
            alone.append(listen(commands, executor, options.seconds))
            pages = Watchers(url, options.consoles)
            listen(commands, executor, 3.0)
            watched.append(listen(commands, executor, options.seconds))
            pages.close()
            rate = pages.images / options.consoles / (options.seconds + 3.0)
            print(f"{rate:.1f} images/s for each page, {pages.bytes / 1e6:.0f} MB in all")
    print(f"{commands.episodes} episodes ran")
    quiet, busy = np.concatenate(alone), np.concatenate(watched)
    print(
        f"{'period [ms]':14s}"
        + "".join(f" {n:>8s}" for n in ("mean", "p50", "p99", "max", "late"))
    )
    print(row("no console", quiet))
    print(row(f"{options.consoles} consoles", busy))
    p50, p99 = (np.percentile(busy, q) / np.percentile(quiet, q) for q in (50, 99))
    print(f"ratio: mean {busy.mean() / quiet.mean():.4f}, p50 {p50:.4f}, p99 {p99:.3f}")


if __name__ == "__main__":
    main()
