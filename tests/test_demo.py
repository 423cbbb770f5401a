# SPDX-License-Identifier: Apache-2.0
"""The whole graph in real time, as `hiors demo` runs it, and its end.

An episode is accepted, its checkpoint drives, other readers read it; Ctrl-C leaves nothing running
and nothing half-written.
"""

import json
import os
import signal
import subprocess
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy")

from mcap_ros2.reader import read_ros2_messages
from rosbags.highlevel import AnyReader

from hiors_core.store import EpisodeStore

ROOT = Path(__file__).resolve().parents[1]
EPISODES = 7
DILIGENT = """
sim: {ros__parameters: {image_rate: 5.0}}
operator: {ros__parameters: {attention: 1.0, hand_back: 0.0, keep_on: 1.0}}
"""
"""A person who watches all and finishes what a poor policy begins: there is much to learn from."""
FEW = ["--demonstrations", "3", "--steps", "100", "--evaluation", "2", "--headless"]


def start(out: Path, *words: str) -> "subprocess.Popen[str]":
    """Start the demo as a script's ``&`` does, where SIGINT is ignored until one sees to it."""
    return subprocess.Popen(
        [str(ROOT / "bin/hiors"), "demo", "--out", str(out), *FEW, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_IGN),
    )


def end(process: "subprocess.Popen[str]") -> None:
    """Leave no graph behind, which would drive the robots of the tests that follow."""
    process.terminate()
    process.communicate(timeout=30)


def processes(out: Path) -> list[tuple[int, str]]:
    """Return ids and command lines of the processes that name the run's folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
        except OSError:
            continue
        if any(str(out).encode() in word for word in words) and int(entry.name) != os.getpid():
            found.append((int(entry.name), b" ".join(words).decode(errors="replace")))
    return found


@pytest.fixture(scope="module")
def run(ros_domain: int, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("demo") / "run"
    params = out.with_name("params.yaml")
    params.write_text(DILIGENT)
    words = ["--episodes", str(EPISODES), "--seed", "1", "--params", str(params)]
    process = start(out, *words)
    try:
        text, _ = process.communicate(timeout=400)
    finally:
        end(process)
    assert process.returncode == 0, text
    summary: dict[str, Any] = json.loads((out / "summary.json").read_text())
    return summary | {"out": out, "text": text}


@pytest.mark.timeout(420)
def test_an_episode_is_accepted_and_its_checkpoint_drives(run: dict[str, Any]) -> None:
    assert run["episodes"] == EPISODES
    assert run["accepted_ids"], run["text"]
    assert run["hot_swaps"] >= 1
    used = set()
    for name in run["accepted_ids"] + list(run["rejected"]):
        used |= set(EpisodeStore(run["out"] / "store").manifest(name).policy_versions)
    assert "v000000-start" in used
    assert len(used) >= 2


def test_the_learner_has_every_accepted_episode_once_and_no_other(run: dict[str, Any]) -> None:
    assert Counter(run["learner_ids"]) == Counter(run["accepted_ids"])
    judged = [outcome for outcome in run["outcomes"] if outcome != "none"]
    assert len(run["accepted_ids"]) + len(run["rejected"]) == len(judged)
    assert len(judged) == EPISODES
    assert all(reasons for reasons in run["rejected"].values())


def test_independent_readers_count_what_the_manifest_counts(run: dict[str, Any]) -> None:
    folder = run["out"] / "store" / "episodes" / run["accepted_ids"][0]
    manifest = EpisodeStore(run["out"] / "store").manifest(folder.name)
    expected = {stream.topic: stream.count for stream in manifest.streams}
    (bag,) = folder.glob("*.mcap")
    assert Counter(m.channel.topic for m in read_ros2_messages(bag)) == expected
    with AnyReader([folder]) as reader:
        counted = Counter(connection.topic for connection, _, _ in reader.messages())
    assert counted == expected
    assert any("camera/top" in topic for topic in expected)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, 130),
        pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow),
    ],
)
def test_a_signal_ends_everything_and_leaves_whole_episodes(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    process = start(out, "--episodes", "50")
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("4/5 the robot tries"):
                break
        deadline = time.monotonic() + 180  # the learner comes up first
        while not list((out / "store" / "recording").glob("*/*.mcap")):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(number)
        process.communicate(timeout=30)
    finally:
        end(process)
    assert process.returncode == code
    assert processes(out) == []
    store = EpisodeStore(out / "store")
    assert not list((out / "store" / "recording").iterdir())
    for name in store.ids():
        store.verify(name)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_robot_that_fell_silent_is_enabled_again(ros_domain: int, tmp_path: Path) -> None:
    out = tmp_path / "run"
    logs = out / "logs"
    process = start(out, "--episodes", "5", "--seed", "2")
    try:
        wait_for(process, logs / "graph.log", "labelled")
        (pid,) = (pid for pid, line in processes(out) if "__node:=sim" in line)
        os.kill(pid, signal.SIGSTOP)
        try:
            wait_for(process, logs / "driver.log", "left fault: no fresh feedback")
        finally:
            os.kill(pid, signal.SIGCONT)
        text, _ = process.communicate(timeout=400)
    finally:
        end(process)
    assert process.returncode == 0, text
    assert "the robot is enabled again: " in text
    summary = json.loads((out / "summary.json").read_text())
    assert summary["enabled_again"] >= 1
    assert summary["outcomes"][-1] in ("success", "failure")


def wait_for(process: "subprocess.Popen[str]", log: Path, word: str) -> None:
    """Wait until a log says the word."""
    until = time.monotonic() + 240.0
    while not (log.is_file() and word in log.read_text(errors="replace")):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < until, f"{log} never says {word!r}"
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--episode", "3"], "Did you mean '--episodes'?"),
        (["--episodes", "0"], "--episodes must be at least 1, got 0"),
        (["--policy", "visoin"], "choose from"),
        (["--params", "nowhere.yaml"], "nowhere.yaml is not a file"),
    ],
)
def test_bad_arguments_are_refused(tmp_path: Path, words: list[str], said: str) -> None:
    process = start(tmp_path / "run", *words)
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert said in text
    assert not (tmp_path / "run").exists()


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    process = start(tmp_path)
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "is not an empty folder" in text
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
