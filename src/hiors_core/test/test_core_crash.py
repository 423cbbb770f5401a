# SPDX-License-Identifier: Apache-2.0
"""What is left when the process dies: recording, sealing, labelling, deciding, recovering."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from dying import die_at
from episode_samples import meta, record

from hiors_core.acceptance import Decision
from hiors_core.errors import IntegrityError, StateError
from hiors_core.label import Outcome, judge
from hiors_core.store import EpisodeStore

HERE = str(Path(__file__).parent)
ENDLESS = """
import sys, time
sys.path.insert(0, sys.argv[2])
from episode_samples import START, feed, meta
from hiors_core.recording import start_recording
from hiors_core.store import EpisodeStore
recording = start_recording(EpisodeStore(sys.argv[1]), meta("e2"))
feed(recording, 1.0)
print("running", flush=True)
for second in range(1, 1000):
    feed(recording, 1.0, start=START + second * 10**9)
"""


def record_one(root: Path) -> None:
    record(EpisodeStore(root), seconds=1.0)


def label_one(root: Path) -> None:
    EpisodeStore(root).set_label("e1", judge(Outcome.FAILURE))


def decide_one(root: Path) -> None:
    decision = Decision(accepted=True, reasons=("x",), threshold=1.0, revision=1)
    EpisodeStore(root).decide("e1", decision)


def recover(root: Path) -> None:
    EpisodeStore(root).recover()


@pytest.mark.parametrize(
    ("point", "action"),
    [
        ("begin:meta", "quarantined"),
        ("seal:begin", "aborted"),
        ("bag:finished", "aborted"),
        ("metadata:aside", "aborted"),
        ("metadata:replaced", "aborted"),
        ("seal:bag", "aborted"),
        ("manifest:aside", "aborted"),
        ("manifest:replaced", "sealed"),
        ("seal:manifest", "sealed"),
        ("seal:cleared", "sealed"),
    ],
)
def test_a_recorder_that_dies_leaves_an_episode_that_is_whole_or_aborted(tmp_path, point, action):
    die_at(point, lambda: record_one(tmp_path))
    store = EpisodeStore(tmp_path)
    assert store.ids() == []
    (found,) = store.recover()
    assert found.action == action
    assert store.recording_ids() == []
    if action == "quarantined":
        assert "died while recording" in (found.path / "reason.txt").read_text()
        return
    manifest = store.verify("e1")
    assert manifest.aborted is (action == "aborted")
    assert sorted(p.name for p in found.path.iterdir()) == [
        "e1_0.mcap",
        "manifest.json",
        "metadata.yaml",
    ]
    assert store.recover() == ()
    if point == "seal:begin":
        return
    assert manifest.ticks == 31


def test_a_recorder_that_dies_after_the_rename_has_sealed(tmp_path):
    die_at("seal:renamed", lambda: record_one(tmp_path))
    store = EpisodeStore(tmp_path)
    assert store.verify("e1").aborted is False
    assert store.recover() == ()


@pytest.mark.parametrize(("point", "outcome"), [("label:aside", 1), ("label:replaced", 2)])
def test_a_label_is_the_old_one_or_the_new_one(tmp_path, point, outcome):
    store = EpisodeStore(tmp_path)
    record(store)
    store.set_label("e1", judge(Outcome.SUCCESS))
    die_at(point, lambda: label_one(tmp_path))
    assert store.label("e1").outcome == outcome
    assert store.set_label("e1", judge(Outcome.FAILURE)).revision == 2


@pytest.mark.parametrize(
    ("point", "there"), [("decision:aside", False), ("decision:replaced", True)]
)
def test_a_decision_is_there_or_not(tmp_path, point, there):
    store = EpisodeStore(tmp_path)
    record(store)
    store.set_label("e1", judge(Outcome.SUCCESS))
    die_at(point, lambda: decide_one(tmp_path))
    assert (store.decision("e1") is not None) is there
    if there:
        with pytest.raises(StateError, match="consumed"):
            store.set_label("e1", judge(Outcome.FAILURE))


def test_recovery_may_die_itself(tmp_path):
    die_at("seal:bag", lambda: record_one(tmp_path))
    for point in ("bag:finished", "metadata:replaced", "manifest:aside"):
        die_at(point, lambda: recover(tmp_path))
    store = EpisodeStore(tmp_path)
    (found,) = store.recover()
    assert found.action == "aborted"
    assert store.verify("e1").ticks == 31


def test_a_bag_that_says_nothing_is_put_aside(tmp_path):
    die_at("seal:bag", lambda: record_one(tmp_path))
    store = EpisodeStore(tmp_path)
    (store.recording / "e1" / "e1_0.mcap").write_bytes(b"\x89MCAP0\r\nrubbish")
    (found,) = store.recover()
    assert found.action == "quarantined"
    assert "no message" in (found.path / "reason.txt").read_text()


def test_a_killed_recorder_loses_little_and_nothing_of_other_episodes(tmp_path):
    store = EpisodeStore(tmp_path)
    record(store, "e1")
    process = subprocess.Popen(
        [sys.executable, "-c", ENDLESS, str(tmp_path), HERE], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "running\n"
    with pytest.raises(StateError, match=f"process {process.pid}"):
        store.recover()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (found,) = store.recover()
    assert found.action == "aborted"
    assert store.verify("e2").duration >= 0.5
    assert "died" in store.manifest("e2").end_reason
    store.verify("e1")


@pytest.mark.slow
def test_twenty_kills_at_random_instants_leave_readable_episodes(tmp_path):
    for trial in range(20):
        root = tmp_path / str(trial)
        store = EpisodeStore(root)
        process = subprocess.Popen(
            [sys.executable, "-c", ENDLESS, str(root), HERE], stdout=subprocess.PIPE, text=True
        )
        process.stdout.readline()
        time.sleep(0.013 * trial)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        (found,) = store.recover()
        assert found.action == "aborted"
        assert store.verify("e2").aborted


def test_the_living_are_left_alone(tmp_path):
    store = EpisodeStore(tmp_path)
    writer = store.begin(meta())
    assert store.recover() == ()
    writer.seal("done")
    assert store.verify("e1").aborted is False


@pytest.mark.parametrize("name", ["meta.json", "owner.json", None])
def test_a_recording_without_its_papers(tmp_path, name):
    die_at("seal:begin", lambda: record_one(tmp_path))
    folder = tmp_path / "recording" / "e1"
    (folder / (name or "e1_0.mcap")).unlink()
    (found,) = EpisodeStore(tmp_path).recover()
    assert found.action == ("aborted" if name == "owner.json" else "quarantined")


def test_an_episode_found_damaged_later_is_put_aside(tmp_path):
    store = EpisodeStore(tmp_path)
    record(store)
    path = store.path("e1") / "e1_0.mcap"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(IntegrityError) as caught:
        store.verify("e1")
    assert "damaged" not in store.quarantine("e1", str(caught.value)).name
    assert store.ids() == []
