# SPDX-License-Identifier: Apache-2.0
"""Exactly once, whatever dies when: notices, ledger, refused episodes (reliability: rows 15, 18
and 24).
"""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from dying import die_at
from learner_scene import announce, ledger, policy, record

from hiors_core.clock import FakeClock
from hiors_core.durable import sha256_file
from hiors_core.errors import IntegrityError
from hiors_core.folder import bag_file
from hiors_core.label import Outcome
from hiors_core.store import EpisodeStore
from hiors_learner.data import SampleReader
from hiors_learner.ingest import Ingest


@pytest.fixture
def store(tmp_path: Path) -> EpisodeStore:
    return EpisodeStore(tmp_path / "store")


def ingest(run: Path) -> Ingest:
    return Ingest(run / "link", SampleReader(policy(), 1e-3), FakeClock(5))


def refusals(run: Path) -> dict[str, str]:
    found = (json.loads(p.read_text()) for p in (run / "link" / "refused").glob("*.json"))
    return {r["episode_id"]: r["reason"] for r in found}


def test_a_notice_becomes_samples_and_a_ledger_line(tmp_path: Path, store: EpisodeStore):
    folder = record(store, "e1")
    notice = announce(tmp_path, folder)
    (taken,) = ingest(tmp_path).notices()
    assert len(taken.samples) == taken.entry.transitions >= 5
    assert not notice.exists()
    (line,) = ledger(tmp_path)
    assert line["episode_id"] == "e1"
    assert line["sha256"] == sha256_file(folder / "manifest.json")
    assert line["kind"] == "online"


def test_the_samples_are_the_episodes_transitions(tmp_path: Path, store: EpisodeStore):
    announce(tmp_path, record(store, "e1"))
    (taken,) = ingest(tmp_path).notices()
    rows = taken.samples
    assert rows.states.shape[1] == len(policy().encoder.names)
    assert np.all(rows.weight == 1.0)
    assert rows.mask[0].all()
    assert not rows.mask[-1].all(), "the last chunk reaches beyond the end"
    assert rows.actions[0, 0, 6] == 1.0
    assert rows.actions[-1, -1, 6] == 0.0


def test_no_ops_are_left_out(tmp_path: Path, store: EpisodeStore):
    moving = SampleReader(policy(), 1e-3).read(record(store, "e1", seconds=2.0))
    resting = SampleReader(policy(), 1e-3).read(record(store, "e2", seconds=2.0, rest=1.0))
    assert len(resting) < len(moving)


def test_what_led_to_a_take_over_is_left_out(store: EpisodeStore):
    folder = record(store, "e1", seconds=3.0, alone=2.2)
    everything = SampleReader(policy(), 1e-3).read(folder)
    rest = SampleReader(policy(), 1e-3, lead_up=1.5).read(folder)
    gone = [row for row in everything.states if not (rest.states == row).all(axis=1).any()]
    assert 0 < len(gone) == len(everything) - len(rest)
    late = SampleReader(policy(), 1e-3, lead_up=9.0).read(folder)
    assert np.array_equal(late.states, everything.states[-len(late) :]), "only the person's stay"
    assert len(late) < len(rest)


def test_the_same_notice_again_changes_nothing(tmp_path: Path, store: EpisodeStore):
    folder = record(store, "e1")
    one = ingest(tmp_path)
    announce(tmp_path, folder)
    assert len(list(one.notices())) == 1
    notice = announce(tmp_path, folder)
    assert list(one.notices()) == []
    assert not notice.exists()
    assert len(ledger(tmp_path)) == 1
    assert one.refused == 0


def test_after_a_restart_everything_is_there_once(tmp_path: Path, store: EpisodeStore):
    for name in ("e1", "e2"):
        announce(tmp_path, record(store, name))
    first = [t.samples.states for t in ingest(tmp_path).notices()]
    again = ingest(tmp_path)
    restored = list(again.restore())
    assert [t.entry.episode_id for t in restored] == ["e1", "e2"]
    assert all(np.array_equal(a, t.samples.states) for a, t in zip(first, restored, strict=True))
    assert list(again.notices()) == []


@pytest.mark.parametrize("point", ["ingest:loaded", "ingest:ledger", "ingest:notice"])
def test_a_crash_at_any_point_takes_it_in_exactly_once(
    tmp_path: Path, store: EpisodeStore, point: str
):
    announce(tmp_path, record(store, "e1"))
    die_at(point, lambda: list(ingest(tmp_path).notices()))
    after = ingest(tmp_path)
    taken = [*after.restore(), *after.notices()]
    assert [t.entry.episode_id for t in taken] == ["e1"]
    assert len(ledger(tmp_path)) == 1
    assert not list((tmp_path / "link" / "inbox").glob("*.json"))


def test_a_line_that_was_cut_off_is_taken_in_again(tmp_path: Path, store: EpisodeStore):
    folder = record(store, "e1")
    announce(tmp_path, folder)
    list(ingest(tmp_path).notices())
    path = tmp_path / "link" / "ledger.jsonl"
    path.write_bytes(path.read_bytes() + b'{"episode_id": "e2", "sha')
    announce(tmp_path, record(store, "e2"))
    after = ingest(tmp_path)
    assert [t.entry.episode_id for t in (*after.restore(), *after.notices())] == ["e1", "e2"]
    assert [line["episode_id"] for line in ledger(tmp_path)] == ["e1", "e2"]


def test_a_ledger_that_is_no_ledger_stops_everything(tmp_path: Path):
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "ledger.jsonl").write_text('{"what": 1}\n')
    with pytest.raises(IntegrityError, match=r"ledger\.jsonl, line 1"):
        ingest(tmp_path)


def flip_bag(folder: Path) -> None:
    data = bytearray(bag_file(folder).read_bytes())
    data[len(data) // 2] ^= 1
    bag_file(folder).write_bytes(data)


def cut_bag(folder: Path) -> None:
    os.truncate(bag_file(folder), 100)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (flip_bag, "damaged"),
        (cut_bag, "100 bytes"),
        (lambda f: (f / "manifest.json").write_text("{}"), "announced was"),
        (lambda f: (f / "manifest.json").unlink(), "No such file"),
    ],
)
def test_a_damaged_episode_is_put_aside_and_the_next_goes_in(
    tmp_path: Path, store: EpisodeStore, damage, reason: str
):
    folder = record(store, "e1")
    notice = announce(tmp_path, folder)
    damage(folder)
    announce(tmp_path, record(store, "e2"))
    one = ingest(tmp_path)
    assert [t.entry.episode_id for t in one.notices()] == ["e2"]
    assert one.refused == 1
    assert reason in refusals(tmp_path)["e1"]
    assert not notice.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x04\x95 pickle",
        b"[]",
        b"{}",
        b'{"episode_id": 3, "path": "x", "sha256": "y"}',
        b'{"episode_id": "../../etc/passwd", "path": "x", "sha256": "y"}',
        b'{"episode_id": "e9", "path": "x", "sha256": "y"}',
        b"[" * 100000,
        b"",
    ],
)
def test_a_bad_notice_is_refused_and_never_fatal(tmp_path: Path, content: bytes):
    one = ingest(tmp_path)
    path = tmp_path / "link" / "inbox" / "bad.json"
    path.write_bytes(content)
    assert list(one.notices()) == []
    assert one.refused == 1
    assert not path.exists()
    assert list(refusals(tmp_path)) == ["bad"]


def test_a_notice_whose_name_is_no_id_is_refused_under_another(tmp_path: Path):
    one = ingest(tmp_path)
    (tmp_path / "link" / "inbox" / "-.json").write_text("{}")
    assert list(one.notices()) == []
    assert list(refusals(tmp_path)) == ["unnamed-5"]


def test_an_episode_that_changed_is_refused(tmp_path: Path, store: EpisodeStore):
    folder = record(store, "e1")
    announce(tmp_path, folder)
    one = ingest(tmp_path)
    list(one.notices())
    announce(tmp_path, folder, sha256="0" * 64)
    assert list(one.notices()) == []
    assert "never change" in refusals(tmp_path)["e1"]


def test_a_notice_may_not_point_to_another_folder(tmp_path: Path, store: EpisodeStore):
    folder = record(store, "e1")
    announce(tmp_path, folder, episode_id="e2")
    one = ingest(tmp_path)
    assert list(one.notices()) == []
    assert "not the folder of episode e2" in refusals(tmp_path)["e2"]


def test_what_is_damaged_after_it_was_taken_in_is_left_out(tmp_path: Path, store: EpisodeStore):
    for name in ("e1", "e2"):
        announce(tmp_path, record(store, name))
    list(ingest(tmp_path).notices())
    flip_bag(store.path("e1"))
    again = ingest(tmp_path)
    assert [t.entry.episode_id for t in again.restore()] == ["e2"]
    assert again.refused == 1


def test_only_successful_demonstrations_are_taken_once(tmp_path: Path):
    demos = EpisodeStore(tmp_path / "demos")
    record(demos, "d1")
    record(demos, "d2", outcome=Outcome.FAILURE)
    record(demos, "d3", outcome=Outcome.NONE)
    one = ingest(tmp_path)
    assert [t.entry.kind for t in one.demonstrations(tmp_path / "demos")] == ["demonstration"]
    assert list(one.demonstrations(tmp_path / "demos")) == []
    assert [line["episode_id"] for line in ledger(tmp_path)] == ["d1"]
