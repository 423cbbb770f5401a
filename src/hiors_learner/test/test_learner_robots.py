# SPDX-License-Identifier: Apache-2.0
"""Three robots in processes of their own and one learner that trains, killed once in between.

The robots are the link's end of a bridge with recorded episodes; no ROS graph runs here.
"""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from learner_scene import ROBOT_FILE, TASK_FILE, announce, ledger, record, settings_file, status

from hiors_core.clock import SteadyClock
from hiors_core.store import EpisodeStore
from hiors_learner.launch import environment
from hiors_link.server import Server

ACTOR = """
import sys, threading
from pathlib import Path
from hiors_core.clock import SteadyClock
from hiors_core.link import Link
from hiors_link.actor import Actor, ActorSettings
root, address = Path(sys.argv[1]), sys.argv[2]
settings = ActorSettings(address=address, actor=root.name, silence=2.0)
Actor(Link(root / "link"), root / "checkpoints", settings, SteadyClock()).run(threading.Event())
"""
NAMES = ("robot1", "robot2", "robot3")
PATIENCE = 240.0


def wait(until: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not until():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


def start(*words: str) -> "subprocess.Popen[bytes]":
    paths = {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, *words], env={**environment(), **paths}, start_new_session=True
    )


def accept(root: Path, name: str, seed: int) -> None:
    announce(root, record(EpisodeStore(root / "store"), name, seed=seed))


def whole(root: Path, names: set[str]) -> bool:
    known = {line["episode_id"] for line in ledger(root)}
    return known == names and (root / "checkpoints" / "latest.json").exists()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_three_robots_share_a_learner_that_is_killed_once(tmp_path: Path):
    run, config = tmp_path / "learner", settings_file(tmp_path)
    probe = Server(tmp_path / "probe", "tcp://127.0.0.1:0", SteadyClock())
    address = probe.address
    probe.close()
    words = ["--robot", str(ROBOT_FILE), "--task", str(TASK_FILE), "--config", str(config)]
    line = ["-m", "hiors_learner.launch", "--listen", address, *words, "--run", str(run)]
    for i, name in enumerate(NAMES):
        accept(tmp_path / name, f"{name}-a", seed=i)
    actors = {name: start("-c", ACTOR, str(tmp_path / name), address) for name in NAMES}
    learner = start(*line)
    try:
        wait(lambda: all(whole(tmp_path / name, {f"{name}-a"}) for name in NAMES))
        names = {f"{name}/insert_moisturizer" for name in NAMES}
        wait(lambda: set(status(run)["robots"]) == names)

        learner.kill()
        learner.wait()
        actors["robot2"].kill()
        actors["robot2"].wait()
        for i, name in enumerate(NAMES):
            accept(tmp_path / name, f"{name}-b", seed=10 + i)
        learner = start(*line)
        actors["robot2"] = start("-c", ACTOR, str(tmp_path / "robot2"), address)
        both = {name: {f"{name}-a", f"{name}-b"} for name in NAMES}
        wait(lambda: all(whole(tmp_path / name, both[name]) for name in NAMES))

        taken = ledger(run)
        assert Counter(entry["actor"] for entry in taken) == dict.fromkeys(NAMES, 2)
        assert len({entry["episode_id"] for entry in taken}) == len(taken), "each exactly once"
        wait(lambda: set(status(run)["robots"].values()) == {2})
        learner.send_signal(signal.SIGINT)
        assert learner.wait(60.0) == 0
    finally:
        for process in (learner, *actors.values()):
            process.kill()
            process.wait()
