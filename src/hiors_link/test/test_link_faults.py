# SPDX-License-Identifier: Apache-2.0
"""Learner or robot killed, a slow network, damage: stored exactly once, nothing lost (reliability:
rows 15, 18).
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from link_scene import PATIENCE, Network, Robot, environment, pump, serve, stored

from hiors_core.durable import CRASH_STATUS, CRASH_VARIABLE
from hiors_core.link import LedgerEntry, Link
from hiors_link.actor import Actor

pytestmark = pytest.mark.timeout(300)
SERVER = """
import sys, threading
from pathlib import Path
from hiors_core.clock import SteadyClock
from hiors_link.server import Server
Server(Path(sys.argv[1]), sys.argv[2], SteadyClock()).run(threading.Event())
"""
ACTOR = """
import sys, threading
from pathlib import Path
from link_scene import Robot
Robot(Path(sys.argv[1])).actor(sys.argv[2]).run(threading.Event())
"""


def start(code: str, *words: str, **changes: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", code, *words], env=environment(**changes))


def wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not until():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


def free_address(tmp_path: Path) -> str:
    """Return an address that nobody serves."""
    probe = serve(tmp_path / "probe")
    probe.close()
    return probe.address


def die_while_serving(tmp_path: Path, run: Path, robot: Robot, point: str) -> tuple[str, Actor]:
    """Let a server die at a crash point while the robot sends "e1"; return its address and the
    robot's side, which goes on.
    """
    robot.accept("e1", size=3_000_000)
    address = free_address(tmp_path)
    actor = robot.actor(address, silence=1.0)
    child = start(SERVER, str(run), address, **{CRASH_VARIABLE: point})
    pump(lambda: child.poll() is not None, actor)
    assert child.returncode == CRASH_STATUS
    assert robot.link.waiting() == ["e1"], "it was not acknowledged"
    return address, actor


@pytest.mark.parametrize("point", ["part", "checked", "published", "announced"])
def test_a_learner_that_dies_at_any_point_stores_once(tmp_path: Path, point: str):
    run, robot = tmp_path / "learner", Robot(tmp_path / "robot")
    address, actor = die_while_serving(tmp_path, run, robot, f"incoming:{point}")
    server = serve(run, address)
    pump(lambda: actor.health.stored == 1, server, actor)
    assert set(stored(run)) == {"robot1/e1"}
    assert Link(run / "link").waiting() == ["e1"]
    assert robot.link.waiting() == []
    actor.close()
    server.close()


def test_a_notice_that_a_power_cut_took_is_made_anew(tmp_path: Path):
    run, robot = tmp_path / "learner", Robot(tmp_path / "robot1")
    for name in ("e1", "e2", "e3"):
        robot.accept(name)
    server = serve(run)
    actor = robot.actor(server.address)
    pump(lambda: not robot.link.waiting(), server, actor)
    link = Link(run / "link")
    before = {name: link.notice(name) for name in link.waiting()}
    assert set(before) == {"e1", "e2", "e3"}
    entry = LedgerEntry(
        episode_id="e2", sha256=before["e2"].sha256, kind="online", transitions=9, actor="robot1"
    )
    link.enter([entry])
    link.refuse("e3", "damaged", 1)
    for name in before:
        link.settle(name)
    serve(run)
    assert {name: link.notice(name) for name in link.waiting()} == {"e1": before["e1"]}


def test_an_episode_that_a_power_cut_tore_is_sent_again(tmp_path: Path):
    run, robot = tmp_path / "learner", Robot(tmp_path / "robot")
    # The server has renamed it, and dies before it can say so.
    address, actor = die_while_serving(tmp_path, run, robot, "seal:renamed")
    (torn,) = (run / "robots/robot1/episodes/e1").glob("*.mcap")
    os.truncate(torn, torn.stat().st_size // 2)
    server = serve(run, address)
    pump(lambda: actor.health.stored == 1, server, actor)
    assert set(stored(run)) == {"robot1/e1"}
    assert [p.name for p in (run / "robots/robot1/quarantine").iterdir()] == ["e1"]
    actor.close()
    server.close()


def test_a_robot_that_is_killed_goes_on_where_it_stopped(tmp_path: Path):
    run, size = tmp_path / "learner", 3_000_000
    robot = Robot(tmp_path / "robot")
    folder = robot.accept("e1", size=size)
    whole = sum(p.stat().st_size for p in folder.iterdir())
    server = serve(run)
    network = Network(server.address, rate=2_000_000)

    def arrived() -> int:
        files = run.glob("link/incoming/robot1/*/e1/*")
        return sum(p.stat().st_size for p in files)

    child = start(ACTOR, str(robot.root), network.address)
    pump(lambda: arrived() > whole // 2, server)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    before = arrived()
    network.rate, network.passed = 1e9, 0
    actor = robot.actor(network.address)
    pump(lambda: actor.health.stored == 1, server, actor)
    assert network.passed < whole - before + 300_000, "what had arrived is not sent again"
    assert set(stored(run)) == {"robot1/e1"}
    assert Link(run / "link").waiting() == ["e1"]
    actor.close()
    network.close()
    server.close()


def test_a_link_slower_than_the_silence_allowed_still_delivers_once(tmp_path: Path):
    run, robot = tmp_path / "learner", Robot(tmp_path / "robot")
    robot.accept("e1", size=600_000)
    server = serve(run)
    # A first part of 256 kB takes 1.3 s here, five times the silence.
    network = Network(server.address, rate=200_000)
    actor = robot.actor(network.address, silence=0.25)
    pump(lambda: actor.health.stored == 1, server, actor)
    assert set(stored(run)) == {"robot1/e1"}
    assert Link(run / "link").waiting() == ["e1"]
    actor.close()
    network.close()
    server.close()


def test_while_there_is_no_learner_episodes_wait_and_the_reason_is_told(tmp_path: Path):
    robot = Robot(tmp_path / "robot")
    robot.accept("e1")
    address = free_address(tmp_path)
    actor = robot.actor(address)
    for _ in range(50):
        actor.step(0.005)
    assert not actor.health.connected
    assert "nobody listens there" in actor.health.text
    server = serve(tmp_path / "learner", address)
    pump(lambda: actor.health.stored == 1, server, actor)
    assert actor.health.connected
    actor.close()
    server.close()


def test_what_was_damaged_while_it_was_broken_off_is_sent_anew(tmp_path: Path):
    run, robot = tmp_path / "learner", Robot(tmp_path / "robot")
    robot.accept("e1", size=500_000)
    sha256 = robot.link.notice("e1").sha256
    part = run / "link" / "incoming" / "robot1" / sha256[:16] / "e1"
    part.mkdir(parents=True)
    for name in ("manifest.json", "metadata.yaml", "label.json"):
        (part / name).write_bytes((robot.store.path("e1") / name).read_bytes())
    (part / "e1_0.mcap").write_bytes(b"?" * 1000)
    server = serve(run)
    actor = robot.actor(server.address)
    pump(lambda: actor.health.troubles, server, actor)
    assert "damaged" in actor.health.troubles["e1"]
    assert stored(run) == {}
    assert robot.link.waiting() == ["e1"]
    actor.close()
    again = robot.actor(server.address)
    pump(lambda: again.health.stored == 1, server, again)
    assert set(stored(run)) == {"robot1/e1"}
    again.close()
    server.close()


def test_an_episode_that_the_learner_found_damaged_is_replaced(tmp_path: Path):
    run, robot = tmp_path / "learner", Robot(tmp_path / "robot")
    robot.accept("e1")
    notice = robot.link.notice("e1")
    server = serve(run)
    actor = robot.actor(server.address)
    pump(lambda: actor.health.stored == 1, server, actor)
    bag = run / "robots" / "robot1" / "episodes" / "e1" / "e1_0.mcap"
    data = bytearray(bag.read_bytes())
    data[len(data) // 2] ^= 1
    bag.write_bytes(data)
    Link(run / "link").refuse("e1", "e1_0.mcap is damaged", 1)
    pump(lambda: robot.link.refusal("e1") != "", server, actor)
    robot.link.send(notice)
    pump(lambda: actor.health.stored == 2, server, actor)
    assert set(stored(run)) == {"robot1/e1"}, "whole again"
    actor.close()
    server.close()


def test_two_episodes_of_one_id_are_never_mixed_and_none_is_dropped(tmp_path: Path):
    run = tmp_path / "learner"
    one, two = Robot(tmp_path / "r1", "robot1"), Robot(tmp_path / "r2", "robot2")
    one.accept("e1", size=1000, seed=1)
    two.accept("e1", size=1000, seed=2)
    server = serve(run)
    actors = [robot.actor(server.address) for robot in (one, two)]
    pump(lambda: actors[0].health.stored == 1, server, actors[0])
    pump(lambda: actors[1].health.troubles, server, actors[1])
    assert "episodes never change" in actors[1].health.troubles["e1"]
    assert two.link.waiting() == ["e1"]
    assert set(stored(run)) == {"robot1/e1"}
    for actor in actors:
        actor.close()
    server.close()


def test_a_full_disk_of_the_learner_is_told_and_waited_for(tmp_path: Path):
    run, robot = tmp_path / "learner", Robot(tmp_path / "robot")
    robot.accept("e1")
    server = serve(run, reserve=1 << 60)
    actor = robot.actor(server.address)
    pump(lambda: actor.health.troubles, server, actor)
    assert "disk is full" in actor.health.troubles["e1"]
    assert robot.link.waiting() == ["e1"]
    actor.close()
    server.close()


def test_an_episode_larger_than_allowed_is_refused_and_the_next_one_goes(tmp_path: Path):
    run, robot = tmp_path / "learner", Robot(tmp_path / "robot")
    robot.accept("big", size=400_000)
    robot.accept("small")
    server = serve(run, max_episode=200_000)
    actor = robot.actor(server.address)
    pump(lambda: actor.health.stored == 1 and actor.health.troubles, server, actor)
    assert "are more than the 200000 allowed" in actor.health.troubles["big"]
    assert set(stored(run)) == {"robot1/small"}
    assert robot.link.waiting() == ["big"]
    actor.close()
    server.close()
