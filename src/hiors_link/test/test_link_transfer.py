# SPDX-License-Identifier: Apache-2.0
"""Episodes there, checkpoints, ledger and status back, when everything works."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from link_scene import TASK, Network, Robot, publish, pump, serve, stored

from hiors_core.clock import SteadyClock, to_ns
from hiors_core.errors import InvalidValue
from hiors_core.link import Link
from hiors_link.keys import new_identity

pytestmark = pytest.mark.timeout(300)


def keys(folder: Path, *names: str) -> Path:
    for name in names:
        new_identity(folder, name)
    return folder


@pytest.mark.parametrize("curve", [False, True])
def test_accepted_episodes_arrive_whole_and_their_notices_go(tmp_path: Path, curve: bool):
    run, robot = tmp_path / "learner", Robot(tmp_path / "robot")
    folder = keys(tmp_path / "keys", "learner", "robot1") if curve else None
    robot.accept("e1", size=5_000_000)
    robot.accept("e2")
    server = serve(run, keys=folder)
    actor = robot.actor(server.address, folder)
    pump(lambda: actor.health.stored == 2, server, actor)
    assert set(stored(run)) == {"robot1/e1", "robot1/e2"}
    assert robot.link.waiting() == []
    learner = Link(run / "link")
    assert learner.waiting() == ["e1", "e2"]
    notice = learner.notice("e1")
    assert (notice.actor, notice.task) == ("robot1", TASK)
    assert notice.path == str(stored(run)["robot1/e1"])
    assert (stored(run)["robot1/e1"] / "label.json").is_file()
    actor.close()
    server.close()


def test_ledger_status_and_refusals_come_back(tmp_path: Path):
    run, robot = tmp_path / "learner", Robot(tmp_path / "robot")
    robot.accept("e1")
    robot.accept("e2")
    server = serve(run)
    actor = robot.actor(server.address)
    pump(lambda: actor.health.stored == 2, server, actor)
    other = {"episode_id": "x9", "sha256": "1" * 64, "kind": "online", "transitions": 3}
    mine = {"episode_id": "e1", "sha256": "0" * 64, "kind": "online", "transitions": 7}
    lines = [{**other, "actor": "robot2"}, {**mine, "actor": "robot1"}]
    (run / "link" / "ledger.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))
    Link(run / "link").refuse("e2", "no transition moves", 1)
    now = SteadyClock().now()
    status = {"state": 2, "message": "", "step": 12, "stamp_ns": now - to_ns(3.0)}
    Link(run / "link").set_status(status)
    pump(lambda: robot.link.refusal("e2") != "" and robot.link.status(), server, actor)
    entries = robot.link.ledger()
    assert [(e.episode_id, e.transitions) for e in entries] == [("e1", 7)]
    found = robot.link.status()
    assert found["step"] == 12
    assert abs(now - found["stamp_ns"]) == pytest.approx(to_ns(3.0), abs=to_ns(2.0))
    actor.close()

    again = robot.actor(server.address)
    pump(lambda: again.health.connected, server, again)
    for _ in range(50):
        server.step(0.002)
        again.step(0.002)
    assert len(robot.link.ledger()) == 1, "a new connection enters nothing twice"
    again.close()
    server.close()


def test_a_robot_gets_the_newest_checkpoint_only(tmp_path: Path):
    run, robot = tmp_path / "learner", Robot(tmp_path / "robot")
    publish(run, "v000100")
    publish(run, "v000200")
    server = serve(run)
    weights = publish(run, "v000300", size=3_000_001)
    actor = robot.actor(server.address)
    latest = robot.checkpoints / "latest.json"
    pump(latest.exists, server, actor)
    assert json.loads(latest.read_text())["version"] == "v000300"
    assert (robot.checkpoints / "v000300" / "model.safetensors").read_bytes() == weights
    assert sorted(p.name for p in robot.checkpoints.iterdir()) == ["latest.json", "v000300"]
    publish(run, "v000400")
    pump(lambda: "v000400" in latest.read_text(), server, actor)
    actor.close()
    server.close()


def test_old_checkpoints_on_the_robot_make_room_for_new_ones(tmp_path: Path):
    run, robot = tmp_path / "learner", Robot(tmp_path / "robot")
    server = serve(run)
    actor = robot.actor(server.address, checkpoint_limit=1)
    latest = robot.checkpoints / "latest.json"
    versions = [f"v{step:06d}" for step in range(100, 600, 100)]
    for version in versions:
        publish(run, version)
        pump(lambda v=version: latest.exists() and v in latest.read_text(), server, actor)
    assert sorted(p.name for p in robot.checkpoints.glob("v*")) == versions[-3:]
    actor.close()
    server.close()


def test_on_a_slow_link_some_checkpoints_arrive_and_no_queue_grows(tmp_path: Path):
    run, robot = tmp_path / "learner", Robot(tmp_path / "robot")
    server = serve(run)
    actor = robot.actor(server.address)
    latest = robot.checkpoints / "latest.json"
    publish(run, "v000100", size=20_000_000)
    pump(lambda: actor.health.download == "v000100", server, actor)
    for step in range(200, 1000, 100):
        publish(run, f"v{step:06d}")
    pump(lambda: latest.exists() and "v000900" in latest.read_text(), server, actor)
    assert sorted(p.name for p in robot.checkpoints.glob("v*")) == ["v000100", "v000900"]
    actor.close()
    server.close()


def test_a_broken_off_download_goes_on_and_is_hashed(tmp_path: Path):
    run, robot = tmp_path / "learner", Robot(tmp_path / "robot")
    weights = publish(run, "v000100", size=8_000_000)
    server = serve(run)
    actor = robot.actor(server.address)
    part = robot.checkpoints

    def half() -> bool:
        files = list(part.glob(".*.part/model.safetensors"))
        return bool(files) and files[0].stat().st_size > 1_000_000

    pump(half, server, actor)
    actor.close()
    before = server.robots["robot1"].bytes
    actor = robot.actor(server.address)
    pump((part / "latest.json").exists, server, actor)
    assert (part / "v000100" / "model.safetensors").read_bytes() == weights
    assert before > 0
    actor.close()
    server.close()


def test_damage_in_a_broken_off_download_is_found(tmp_path: Path):
    run, robot = tmp_path / "learner", Robot(tmp_path / "robot")
    weights = publish(run, "v000100", size=100_000)
    sha = json.loads((run / "checkpoints" / "latest.json").read_text())["sha256"]
    part = robot.checkpoints / f".v000100.{sha[:12]}.part"
    part.mkdir(parents=True)
    manifest = (run / "checkpoints" / "v000100" / "manifest.json").read_bytes()
    (part / "manifest.json").write_bytes(manifest)
    (part / "model.safetensors").write_bytes(b"?" * 500)
    server = serve(run)
    actor = robot.actor(server.address)
    pump((robot.checkpoints / "latest.json").exists, server, actor)
    assert (robot.checkpoints / "v000100" / "model.safetensors").read_bytes() == weights
    actor.close()
    server.close()


def test_three_robots_keep_their_provenance_and_one_comes_back(tmp_path: Path):
    run = tmp_path / "learner"
    robots = [Robot(tmp_path / f"r{i}", f"robot{i}") for i in (1, 2, 3)]
    server = serve(run)
    actors = [robot.actor(server.address) for robot in robots]
    for robot in robots:
        robot.accept(f"e-{robot.name}", size=300_000)
    pump(lambda: all(a.health.stored == 1 for a in actors), server, *actors)
    assert set(stored(run)) == {f"robot{i}/e-robot{i}" for i in (1, 2, 3)}
    actors[1].close()
    robots[1].accept("later")
    actors[1] = robots[1].actor(server.address)
    pump(lambda: "robot2/later" in stored(run), server, *actors)
    (run / "link" / "robots.json").unlink()
    pump((run / "link" / "robots.json").exists, server)
    told = json.loads((run / "link" / "robots.json").read_text())
    assert {n: r["episodes"] for n, r in told["robots"].items()} == {
        "robot1": 1,
        "robot2": 2,
        "robot3": 1,
    }
    for actor in actors:
        actor.close()
    server.close()


def test_an_address_that_is_taken_is_named(tmp_path: Path):
    server = serve(tmp_path / "a")
    with pytest.raises(InvalidValue, match=f"Cannot listen at {server.address}"):
        serve(tmp_path / "b", server.address)
    server.close()


def test_beyond_this_machine_nothing_is_opened_without_keys(tmp_path: Path):
    with pytest.raises(InvalidValue, match="hiors keys new"):
        serve(tmp_path, "tcp://0.0.0.0:0")
    with pytest.raises(InvalidValue, match="hiors keys new"):
        Robot(tmp_path / "r").actor("tcp://10.0.0.1:5750")


def test_a_learner_on_another_run_gets_nothing_and_the_robot_says_so(tmp_path: Path):
    robot = Robot(tmp_path / "robot")
    first = serve(tmp_path / "one")
    actor = robot.actor(first.address)
    pump(lambda: (robot.root / "link" / "learner.json").exists(), first, actor)
    actor.close()
    first.close()
    robot.accept("e1")
    second = serve(tmp_path / "two")
    actor = robot.actor(second.address)
    pump(lambda: "on another run than before" in actor.health.text, second, actor)
    assert robot.link.waiting() == ["e1"]
    assert stored(tmp_path / "two") == {}
    actor.close()
    second.close()


def test_the_relay_of_these_tests_passes_bytes_on(tmp_path: Path):
    server = serve(tmp_path / "run")
    network = Network(server.address)
    robot = Robot(tmp_path / "robot")
    robot.accept("e1")
    actor = robot.actor(network.address)
    pump(lambda: actor.health.stored == 1, server, actor)
    assert network.passed > 1000
    actor.close()
    network.close()
    server.close()


def test_a_robot_is_told_of_a_new_checkpoint_before_it_asks(tmp_path: Path):
    run, robot = tmp_path / "learner", Robot(tmp_path / "robot")
    server = serve(run)
    actor = robot.actor(server.address)
    pump((robot.link.root / "learner.json").exists, server, actor)
    actor._settings = replace(actor._settings, period=1e6)
    weights = publish(run, "v000100")
    pump((robot.checkpoints / "latest.json").exists, server, actor)
    assert (robot.checkpoints / "v000100" / "model.safetensors").read_bytes() == weights
    actor.close()
    server.close()
