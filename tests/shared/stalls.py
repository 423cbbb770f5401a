# SPDX-License-Identifier: Apache-2.0
"""A pytest plugin: a test that fails while the machine stands still is tried again.

A graph of nodes runs in real time. On a virtual machine whose processors are taken away for a
second its watchdogs do what they must, and the test says nothing about the code. A test that fails
without that is not tried again, and one that fails thrice has failed.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

LONGEST_GAP = 0.25
"""A thread that sleeps for 0.05 s and wakes so much too late did not get a processor [s]."""
LARGEST_STEAL = 0.05
"""Share of the processors' time that the host gave to others, from which a test may suffer."""
_TICK = 0.05


def stolen(stat: Path = Path("/proc/stat")) -> tuple[int, int]:
    """Return the ticks that others had and all ticks, since the machine began; (0, 0) where it is
    not told.
    """
    if not stat.is_file():
        return 0, 0
    ticks = [int(word) for word in stat.read_text().split("\n", 1)[0].split()[1:9]]
    return ticks[7], sum(ticks)


class Stalls:
    """Watches the clock beside the tests."""

    def __init__(self, ticks: Callable[[], tuple[int, int]] = stolen) -> None:
        self._ticks = ticks
        self._gap, self._before = 0.0, ticks()
        self._tried_again: list[str] = []
        self._ended = threading.Event()

    @property
    def seen(self) -> bool:
        """Whether the machine stood still, or was taken away, since the test began."""
        (theirs, every), (theirs0, every0) = self._ticks(), self._before
        share = (theirs - theirs0) / max(1, every - every0)
        return self._gap > LONGEST_GAP or share > LARGEST_STEAL

    def begin(self) -> None:
        """Forget what was."""
        self._gap, self._before = 0.0, self._ticks()

    def note(self, gap: float) -> None:
        """Take how much too late [s] a sleeper woke."""
        self._gap = max(self._gap, gap)

    def _watch(self) -> None:
        last = time.monotonic()
        while not self._ended.wait(_TICK):
            now = time.monotonic()
            self.note(now - last - _TICK)
            last = now

    def pytest_sessionstart(self) -> None:
        threading.Thread(target=self._watch, name="stalls", daemon=True).start()

    def pytest_sessionfinish(self) -> None:
        self._ended.set()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        again = pytest.mark.flaky(reruns=2, condition=lambda: self.seen)
        for item in items:
            item.add_marker(again)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        self.begin()

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.outcome == "rerun":
            self._tried_again.append(report.nodeid)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        for name in self._tried_again:
            terminalreporter.write_line(f"TRIED AGAIN, as the machine stood still: {name}")
