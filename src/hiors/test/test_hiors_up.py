# SPDX-License-Identifier: Apache-2.0
"""`hiors up` as a process of its own, with small stand-ins for nodes: signals and exit codes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hiors.commands import find_executable
from hiors_core.errors import HiorsError

UP = """
import sys
from pathlib import Path
from hiors.arguments import BringupArgs
from hiors.spec import Graph, NodeSpec
from hiors.up import run
nodes = tuple(NodeSpec(package="fake", executable=name, name=name) for name in sys.argv[2:])
show = lambda line: print(line, flush=True)
sys.exit(run(Graph(nodes=nodes), BringupArgs(run_dir=sys.argv[1]), show))
"""
PATIENT = """
import signal, sys, time
signal.signal(2, lambda *_: sys.exit(0))
print("up", sys.argv[1:], flush=True)
time.sleep(600)
"""
STUBBORN = """
import signal, time
signal.signal(2, signal.SIG_IGN); signal.signal(15, signal.SIG_IGN)
print("up", flush=True)
time.sleep(600)
"""
FAILING = "raise SystemExit(7)"


@pytest.fixture
def prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An install space with the package `fake`."""
    folder = tmp_path / "install" / "lib" / "fake"
    folder.mkdir(parents=True)
    for name, code in (("patient", PATIENT), ("stubborn", STUBBORN), ("failing", FAILING)):
        path = folder / name
        path.write_text(f"#!{sys.executable} -S\n{code}")
        path.chmod(0o755)
    old = os.environ.get("AMENT_PREFIX_PATH", "")
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{tmp_path / 'install'}:{old}")
    return tmp_path


def start(prefix: Path, *names: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", UP, str(prefix / "run"), *names],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def read_until(process: subprocess.Popen[str], count: int) -> list[str]:
    assert process.stdout is not None
    lines: list[str] = []
    while sum("] up" in line for line in lines) < count:
        line = process.stdout.readline()
        assert line, f"it ended early: {lines}"
        lines.append(line)
    return lines


def processes_of(prefix: Path) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(prefix / "install") in text:
            found.append(text)
    return found


@pytest.mark.parametrize(
    ("number", "code", "names"),
    [
        (signal.SIGINT, 130, ("patient", "stubborn")),
        (signal.SIGTERM, 143, ("patient",)),
    ],
)
def test_a_signal_ends_all_within_five_seconds(
    prefix: Path, number: signal.Signals, code: int, names: tuple[str, ...]
) -> None:
    process = start(prefix, *names)
    read_until(process, len(names))
    began = time.monotonic()
    process.send_signal(number)
    process.communicate(timeout=20)
    assert process.returncode == code
    assert time.monotonic() - began < 5.5
    assert processes_of(prefix) == []


def test_the_code_of_a_required_node_is_the_code_of_all(prefix: Path) -> None:
    process = start(prefix, "patient", "failing")
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 7
    assert "failing" in out
    assert "it is required" in out
    assert processes_of(prefix) == []


def test_a_node_gets_its_name_and_its_parameter_file(prefix: Path) -> None:
    process = start(prefix, "patient")
    (line,) = [line for line in read_until(process, 1) if "] up" in line]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert "'__node:=patient'" in line
    assert str(prefix / "run" / "parameters" / "patient.yaml") in line
    assert "up" in (prefix / "run" / "logs" / "patient.log").read_text()


def test_an_executable_that_is_not_built_is_named(prefix: Path) -> None:
    assert find_executable("fake", "patient").is_file()
    with pytest.raises(HiorsError, match=r"make setup`, or install it .* ros-jazzy-fake-camera\)"):
        find_executable("fake_camera", "missing")
