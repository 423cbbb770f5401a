# SPDX-License-Identifier: Apache-2.0
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from episode_samples import meta, record

from hiors_core.acceptance import Decision
from hiors_core.bag import BagWriteError
from hiors_core.errors import IntegrityError, InvalidValue, StateError, UnknownName
from hiors_core.label import Label, Outcome, judge
from hiors_core.store import EpisodeStore

SUCCESS = judge(Outcome.SUCCESS, labeler="li")
FAILURE = judge(Outcome.FAILURE)


@pytest.fixture
def store(tmp_path):
    return EpisodeStore(tmp_path / "store")


def decided(label: Label, accepted: bool = True) -> Decision:
    return Decision(
        accepted=accepted,
        reasons=("x",),
        threshold=1.0,
        episode_return=label.episode_return,
        outcome=label.outcome,
        revision=label.revision,
    )


def test_a_sealed_episode_lies_in_one_folder_and_verifies(store):
    manifest = record(store)
    folder = store.path("e1")
    assert sorted(p.name for p in folder.iterdir()) == [
        "e1_0.mcap",
        "manifest.json",
        "metadata.yaml",
    ]
    assert store.verify("e1") == store.manifest("e1") == manifest
    assert store.ids() == ["e1"]
    assert store.recording_ids() == []


def test_the_manifest_says_who_drove_and_what_is_missing(store):
    writer = store.begin(meta())
    assert store.recording_ids() == ["e1"]
    writer.drop("/camera/top/color/image_raw/compressed", 3)
    manifest = writer.seal("time limit")
    assert (manifest.ticks, manifest.duration, manifest.end_reason) == (0, 0.0, "time limit")
    assert manifest.streams[0].dropped == 3


@pytest.mark.parametrize("name", ["../e1", "a/b", "", "e1\n", "/etc"])
def test_no_path_is_built_from_what_is_no_id(store, name):
    calls = (store.path, store.label, store.manifest, store.verify, store.decision)
    for call in calls:
        with pytest.raises(InvalidValue):
            call(name)
    with pytest.raises(InvalidValue):
        store.set_label(name, SUCCESS)
    with pytest.raises(InvalidValue):
        store.begin(meta(name))


def test_an_unknown_id_names_the_nearest(store):
    record(store, "20260131-a")
    with pytest.raises(UnknownName, match="Did you mean '20260131-a'"):
        store.manifest("20260131-b")
    with pytest.raises(UnknownName):
        store.set_label("nobody", SUCCESS)


def test_an_id_is_used_once(store):
    record(store)
    with pytest.raises(StateError, match="exists already"):
        store.begin(meta())
    writer = store.begin(meta("e2"))
    with pytest.raises(StateError, match="process"):
        store.begin(meta("e2"))
    writer.abort("end of test")


def test_a_label_may_come_during_the_recording_and_is_sealed_with_it(store):
    writer = store.begin(meta())
    assert store.set_label("e1", SUCCESS).revision == 1
    writer.seal("labelled")
    assert store.label("e1").labeler == "li"
    assert store.set_label("e1", SUCCESS).revision == 1
    assert store.set_label("e1", FAILURE).revision == 2
    assert store.undo_label("e1").outcome == Outcome.SUCCESS


def test_an_episode_without_a_label_has_the_label_none(store):
    record(store)
    assert store.label("e1").outcome == Outcome.NONE


def test_after_the_decision_the_label_stands(store):
    record(store)
    label = store.set_label("e1", SUCCESS)
    store.decide("e1", decided(label))
    assert store.set_label("e1", SUCCESS) == label
    for change in (lambda: store.set_label("e1", FAILURE), lambda: store.undo_label("e1")):
        with pytest.raises(StateError, match="consumed"):
            change()
    assert store.label("e1") == label


def test_a_decision_is_written_once_and_its_repetition_is_a_no_op(store):
    record(store)
    label = store.set_label("e1", SUCCESS)
    first = store.decide("e1", decided(label))
    assert store.decide("e1", decided(label)) == first == store.decision("e1")
    with pytest.raises(StateError, match="written once"):
        store.decide("e1", decided(label, accepted=False))


def test_a_decision_on_an_older_label_is_refused(store):
    record(store)
    old = store.set_label("e1", SUCCESS)
    store.set_label("e1", FAILURE)
    with pytest.raises(StateError, match="judge it again"):
        store.decide("e1", decided(old))
    assert store.decision("e1") is None


@pytest.mark.parametrize("name", ["e1_0.mcap", "metadata.yaml", "manifest.json"])
def test_one_flipped_bit_anywhere_is_found(store, name):
    record(store, seconds=0.5)
    path = store.path("e1") / name
    data = path.read_bytes()
    rng = np.random.default_rng(5)
    for _ in range(60):
        noisy = bytearray(data)
        noisy[rng.integers(len(data))] ^= 1 << rng.integers(8)
        path.write_bytes(noisy)
        with pytest.raises(IntegrityError):
            store.verify("e1")
    path.write_bytes(data)
    store.verify("e1")


@pytest.mark.parametrize("name", ["e1_0.mcap", "metadata.yaml", "manifest.json"])
def test_truncated_and_missing_files_are_found(store, name):
    record(store, seconds=0.5)
    path = store.path("e1") / name
    data = path.read_bytes()
    for length in (0, len(data) // 2, len(data) - 2):
        path.write_bytes(data[:length])
        with pytest.raises(IntegrityError):
            store.verify("e1")
    path.unlink()
    with pytest.raises(IntegrityError):
        store.verify("e1")


def test_a_manifest_of_another_episode_is_refused(store):
    record(store, "e1")
    record(store, "e2")
    (store.path("e2") / "manifest.json").write_bytes(
        (store.path("e1") / "manifest.json").read_bytes()
    )
    with pytest.raises(IntegrityError, match="episode e1"):
        store.verify("e2")


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "{}", '{"labels": 3, "digest": "x"}', "[" * 90000]
)
def test_a_damaged_label_file_is_an_integrity_error(store, text):
    record(store, seconds=0.2)
    (store.path("e1") / "label.json").write_text(text)
    with pytest.raises(IntegrityError):
        store.label("e1")


def test_quarantine_keeps_the_episode_and_the_reason(store):
    record(store)
    place = store.quarantine("e1", "hash mismatch")
    assert (place / "reason.txt").read_text() == "hash mismatch\n"
    assert store.ids() == []
    with pytest.raises(StateError, match="quarantine"):
        store.begin(meta("e1"))


def test_quarantine_never_overwrites(store):
    for _ in range(2):
        folder = store.recording / "odd"
        folder.mkdir()
        store.put_aside(folder, "left over")
    assert sorted(p.name for p in store.quarantined.iterdir()) == ["odd", "odd.2"]


def test_a_finished_writer_takes_no_more(store):
    writer = store.begin(meta())
    writer.seal("done")
    with pytest.raises(StateError):
        writer.seal("again")
    with pytest.raises(StateError):
        writer.write("/note", "std_msgs/msg/String", b"", 1)


SECOND = """
import sys
sys.path.insert(0, sys.argv[2])
from episode_samples import meta
from hiors_core.errors import StateError
from hiors_core.store import EpisodeStore
try:
    EpisodeStore(sys.argv[1]).begin(meta("other"))
except StateError as error:
    print(error)
"""


def test_a_second_recorder_is_refused_with_the_pid_of_the_first(store):
    writer = store.begin(meta())
    command = [sys.executable, "-c", SECOND, str(store.root), str(Path(__file__).parent)]
    refused = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"process {os.getpid()}" in refused
    writer.seal("done")
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == ""


def test_a_claim_is_kept_between_episodes(store):
    store.claim()
    record(store)
    with pytest.raises(StateError, match="being recorded into"):
        EpisodeStore(store.root).claim()
    store.close()
    EpisodeStore(store.root).claim()


def test_a_failed_disk_puts_the_episode_aside_with_the_reason(store, monkeypatch):
    writer = store.begin(meta())

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer._bag._mcap, "add_message", refuse)
    for _ in range(2):
        with pytest.raises(BagWriteError, match="bytes free"):
            writer.write("/note", "std_msgs/msg/String", b"\0\1\0\0\1\0\0\0\0", 1)
    assert writer.error is not None
    assert writer.abort("disk") is None
    assert store.ids() == store.recording_ids() == []
    assert "No space left" in (store.quarantined / "e1" / "reason.txt").read_text()
    record(store, "e2")


def test_the_index_follows_the_folders_and_rebuilds_itself(store):
    record(store, "e1", seconds=2.0)
    record(store, "e2", seconds=1.0, meta={"task": "pack"})
    assert [r.outcome for r in store.rows()] == [Outcome.NONE, Outcome.NONE]
    label = store.set_label("e1", SUCCESS)
    store.decide("e1", decided(label))
    row = store.rows("insert")[0]
    assert (row.episode_return, row.accepted, row.threshold) == (1.0, True, 1.0)
    assert [r.episode_id for r in store.rows("pack")] == ["e2"]
    (store.root / "index.sqlite").write_bytes(b"rubbish" * 1000)
    assert [r.episode_id for r in store.rows()] == ["e1", "e2"]
    store.quarantine("e2", "test")
    assert [r.episode_id for r in store.rows()] == ["e1"]


def test_a_damaged_episode_does_not_hide_the_others(store):
    record(store, "e1")
    record(store, "e2")
    (store.path("e1") / "manifest.json").write_text("{}")
    assert [r.episode_id for r in store.rows()] == ["e2"]


def test_pruning_drops_the_oldest_rejected_and_nothing_else(store):
    for name, accepted in (("a", False), ("b", True), ("c", False), ("d", None)):
        record(store, name, seconds=0.3)
        label = store.set_label(name, SUCCESS)
        if accepted is not None:
            store.decide(name, decided(label, accepted))
    size = store.rows()[0].size
    assert store.prune(10 * size) == ()
    assert store.prune(int(3.5 * size)) == ("a",)
    assert store.prune(0) == ("c",)
    assert store.ids() == ["b", "d"]


def test_a_manifest_is_plain_json(store):
    record(store)
    data = json.loads((store.path("e1") / "manifest.json").read_text())
    assert data["meta"]["task"] == "insert"
    assert {f["name"] for f in data["files"]} == {"e1_0.mcap", "metadata.yaml"}
