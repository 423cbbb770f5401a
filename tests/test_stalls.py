# SPDX-License-Identifier: Apache-2.0
"""Tests are tried again when the machine stood still, and only then."""

import subprocess
import sys
from pathlib import Path

import pytest
from stalls import LONGEST_GAP, Stalls, stolen

pytest.importorskip("pytest_rerunfailures")

SUITE = """
import pathlib
TRIES = pathlib.Path(__file__).with_name("tries")

def test_second_time_lucky():
    TRIES.touch()
    TRIES.write_text(TRIES.read_text() + "x")
    assert len(TRIES.read_text()) == 2
"""


def test_a_gap_or_stolen_time_is_a_stall() -> None:
    ticks = [(0, 0)]
    stalls = Stalls(lambda: ticks[0])
    stalls.note(LONGEST_GAP / 2)
    ticks[0] = (4, 100)
    assert not stalls.seen
    ticks[0] = (6, 100)
    assert stalls.seen
    stalls.begin()
    assert not stalls.seen
    stalls.note(2 * LONGEST_GAP)
    assert stalls.seen


def test_the_time_that_others_had_is_read(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  10 1 5 70 2 0 4 8 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n")
    assert stolen(stat) == (8, 100)
    assert stolen(tmp_path / "missing") == (0, 0)


@pytest.mark.parametrize(("steal", "passed"), [(50, True), (0, False)])
def test_only_a_stall_gives_a_second_try(tmp_path: Path, steal: int, passed: bool) -> None:
    (tmp_path / "test_it.py").write_text(SUITE)
    (tmp_path / "conftest.py").write_text(
        "import itertools\nfrom stalls import Stalls\n\n"
        "Stalls.note = lambda *_: None  # of this machine\n"
        f"ticks = ((k * {steal}, k * 100) for k in itertools.count())\n\n"
        "def pytest_configure(config):\n"
        "    config.pluginmanager.register(Stalls(ticks.__next__))\n"
    )
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(
        words,
        env={"PYTHONPATH": str(Path(__file__).parent / "shared"), "PATH": "/usr/bin:/bin"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert ("1 passed, 1 rerun" in done.stdout) is passed, done.stdout + done.stderr
    assert ("TRIED AGAIN, as the machine stood still" in done.stdout) is passed
    assert (done.returncode == 0) is passed
