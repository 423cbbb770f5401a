# SPDX-License-Identifier: Apache-2.0
"""The supervisor: restarts what dies, not what was refused, and leaves no process behind."""

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from hiors_core.clock import SteadyClock
from hiors_learner.launch import OWNER, LaunchSettings, Supervisor, command, environment
from hiors_learner.places import Layout, Placement

FAST = LaunchSettings(patience=2.0, pause=0.01, longest_pause=0.02)


def supervisor(code: str, settings: LaunchSettings = FAST) -> Supervisor:
    return Supervisor(lambda: [sys.executable, "-c", code], settings, SteadyClock())


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_good_end_is_the_end():
    one = supervisor("pass")
    assert one.run() == 0
    assert one.starts == 1


def test_what_was_refused_is_not_tried_again():
    one = supervisor("raise SystemExit(2)")
    assert one.run() == 2
    assert one.starts == 1


def test_what_died_is_started_again(tmp_path: Path):
    counter = tmp_path / "n"
    code = (
        f"import pathlib, os; p = pathlib.Path({str(counter)!r});"
        "n = len(p.read_text()) if p.exists() else 0; p.write_text('x' * (n + 1));"
        "n < 2 and os.kill(os.getpid(), 9)"
    )
    one = supervisor(code)
    assert one.run() == 0
    assert one.starts == 3


def test_stop_ends_the_children_of_the_child_as_well(tmp_path: Path):
    pids = tmp_path / "pids"
    code = (
        "import os, pathlib, subprocess, sys, time, signal;"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        f"pathlib.Path({str(pids)!r}).write_text(f'{{os.getpid()}} {{child.pid}}');"
        "time.sleep(600)"
    )
    one = supervisor(code, LaunchSettings(patience=0.3))
    result: list[int] = []
    thread = threading.Thread(target=lambda: result.append(one.run()))
    thread.start()
    wait_for(lambda: pids.exists() and len(pids.read_text().split()) == 2)
    one.stop()
    thread.join(20.0)
    assert result == [0]
    assert not any(alive(int(pid)) for pid in pids.read_text().split())


def test_every_start_has_a_free_port_of_its_own():
    ports = [c[c.index("--master_port") + 1] for c in (command([]) for _ in range(5))]
    assert all(1024 < int(p) < 65536 for p in ports)
    assert len(set(ports)) > 1


def test_the_arguments_reach_the_training_process():
    words = command(["--run", "x"], Placement(layout=Layout(ranks=2)))
    assert words[-3:] == ["hiors_learner.train", "--run", "x"]
    assert words[words.index("--num_accelerators") + 1] == "2"


def test_the_environment_is_clean():
    dirty = {"RANK": "3", "MASTER_PORT": "1", "PATH": "/bin", "OMP_NUM_THREADS": "8"}
    result = environment(dirty)
    assert "RANK" not in result
    assert "MASTER_PORT" not in result
    assert result["OMP_NUM_THREADS"] == "1"
    assert result["GLOO_SOCKET_IFNAME"] == "lo"
    assert result["DS_ACCELERATOR"] == "cpu"
    assert result[OWNER] == str(os.getpid())


def test_a_rank_may_save_and_its_launcher_is_not_waited_for(tmp_path: Path):
    saved, ready = tmp_path / "saved", tmp_path / "ready"
    rank = (
        "import pathlib, signal, sys, time;"
        f"signal.signal(15, lambda *_: (pathlib.Path({str(saved)!r}).touch(), sys.exit(0)));"
        f"pathlib.Path({str(ready)!r}).touch(); time.sleep(600)"
    )
    launcher = (
        "import os, signal, subprocess, sys, time; signal.signal(15, signal.SIG_IGN);"
        f"subprocess.Popen([sys.executable, '-c', {rank!r}], env={{**os.environ, 'RANK': '0'}});"
        "time.sleep(600)"
    )
    one = supervisor(launcher, LaunchSettings(patience=60.0))
    thread = threading.Thread(target=one.run)
    thread.start()
    wait_for(ready.exists)
    one.stop()
    thread.join(30.0)
    assert not thread.is_alive(), "it must not wait for the launcher, which ignores the signal"
    assert saved.exists()
