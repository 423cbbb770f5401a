# SPDX-License-Identifier: Apache-2.0
"""What the bridge decides, sends and hears, from files alone."""

import json

import pytest
from bridge_samples import ROBOT, START, labelled, learn, publish, record

from hiors_bridge.bridge import Bridge, Change
from hiors_bridge.checkpoints import CheckpointWatch
from hiors_core.acceptance import AcceptanceRule, AcceptanceRules
from hiors_core.clock import NS
from hiors_core.errors import IntegrityError
from hiors_core.label import Outcome, judge
from hiors_core.link import Link
from hiors_core.store import EpisodeStore

LATER = START + 100 * NS


@pytest.fixture
def store(tmp_path):
    return EpisodeStore(tmp_path / "store")


@pytest.fixture
def link(tmp_path):
    return Link(tmp_path / "link")


def bridge(store, link, **rule):
    rules = AcceptanceRules(default=AcceptanceRule(**rule))
    return Bridge(store, link, rules, ROBOT, label_grace=1.0)


def notices(link):
    return sorted(path.stem for path in link.inbox.iterdir())


def test_an_accepted_episode_is_decided_and_sent_once_the_grace_is_over(store, link):
    labelled(store, "a")
    b = bridge(store, link)
    assert b.step(START + NS - 1) == []
    (event,) = b.step(START + NS)
    assert (event.change, event.decision.threshold, event.decision.stamp) == (
        Change.ACCEPTED,
        1.0,
        START + NS,
    )
    notice = json.loads((link.inbox / "a.json").read_text())
    assert notice["sha256"] == store.manifest_sha256("a")
    assert notice["path"] == str(store.path("a"))
    assert notice["task"] == "insert_moisturizer"
    assert store.decision("a") == event.decision
    assert b.step(LATER) == []


@pytest.mark.parametrize(
    ("outcome", "how", "change", "word"),
    [
        (Outcome.FAILURE, {}, Change.REJECTED, "below m"),
        (Outcome.DISCARD, {}, Change.DISCARDED, "discarded"),
        (Outcome.SUCCESS, {"seconds": 0.5}, Change.REJECTED, "L_min"),
        (Outcome.SUCCESS, {"speed": 0.0}, Change.REJECTED, "transitions move"),
    ],
)
def test_what_is_not_accepted_is_not_sent_and_says_why(store, link, outcome, how, change, word):
    labelled(store, "a", outcome, **how)
    (event,) = bridge(store, link).step(LATER)
    assert event.change == change
    assert any(word in reason for reason in event.decision.reasons)
    assert notices(link) == []


def test_without_a_label_nothing_is_decided(store, link):
    record(store, "a")
    assert bridge(store, link).step(LATER) == []
    assert store.decision("a") is None


def test_a_label_that_is_changed_within_the_grace_counts(store, link):
    labelled(store, "a")
    b = bridge(store, link)
    b.step(START)
    store.set_label("a", judge(Outcome.FAILURE, stamp=START + NS // 2))
    assert b.step(START + NS) == []
    (event,) = b.step(START + 2 * NS)
    assert event.change == Change.REJECTED


def test_a_restart_loses_nothing_and_sends_nothing_twice(store, link):
    labelled(store, "a")
    labelled(store, "b")
    bridge(store, link).step(LATER)
    (link.inbox / "a.json").unlink()
    learn(link.root, "a")
    (link.inbox / "b.json").unlink()
    assert bridge(store, link).step(LATER) == []
    assert notices(link) == ["b"]


def test_a_crash_between_decision_and_notice_is_made_good(store, link, monkeypatch):
    labelled(store, "a")
    monkeypatch.setattr(link, "send", lambda notice: (_ for _ in ()).throw(OSError("disk full")))
    b = bridge(store, link)
    assert b.step(LATER) == []
    assert "disk full" in b.troubled["a"]
    monkeypatch.undo()
    b.step(LATER)
    assert notices(link) == ["a"]
    assert b.troubled == {}


def test_learned_is_told_once_and_not_of_demonstrations(store, link):
    labelled(store, "a")
    b = bridge(store, link)
    b.step(LATER)
    learn(link.root, "demo", kind="demonstration")
    learn(link.root, "a")
    learn(link.root, "a")
    events = b.step(LATER)
    assert [(e.change, e.episode_id) for e in events] == [(Change.LEARNED, "a")]
    assert events[0].manifest.task == "insert_moisturizer"
    assert b.step(LATER) == []


def test_a_damaged_episode_is_quarantined_and_stops_nothing(store, link):
    labelled(store, "a")
    labelled(store, "b")
    path = store.path("a") / "a_0.mcap"
    path.write_bytes(path.read_bytes()[:-1])
    events = bridge(store, link).step(LATER)
    assert [(e.change, e.episode_id) for e in events] == [
        (Change.QUARANTINED, "a"),
        (Change.ACCEPTED, "b"),
    ]
    assert notices(link) == ["b"]


def test_a_damaged_label_troubles_only_its_own_episode(store, link):
    labelled(store, "a")
    labelled(store, "b")
    (store.path("a") / "label.json").write_text("{")
    b = bridge(store, link)
    assert [e.episode_id for e in b.step(LATER)] == ["b"]
    assert list(b.troubled) == ["a"]


def test_the_progressive_threshold_rises_with_what_was_accepted(store, link):
    b = bridge(store, link, schedule="progressive", thresholds=(0.5, 0.9), stage_episodes=1)
    for name in ("a", "b"):
        record(store, name)
        label = judge(Outcome.RETURN, episode_return=0.6, stamp=START)
        store.set_label(name, label)
    first, second = b.step(LATER)
    assert (first.change, first.decision.threshold) == (Change.ACCEPTED, 0.5)
    assert (second.change, second.decision.threshold) == (Change.REJECTED, 0.9)


def test_the_quantile_threshold_follows_the_last_returns(store, link):
    b = bridge(store, link, schedule="quantile", threshold=0.1, quantile=1.0)
    levels = []
    for name, value in (("a", 0.6), ("b", 0.4), ("c", 0.7)):
        record(store, name)
        store.set_label(name, judge(Outcome.RETURN, episode_return=value, stamp=START))
        (event,) = b.step(LATER)
        levels.append((event.change, event.decision.threshold))
    assert levels == [(Change.ACCEPTED, 0.1), (Change.REJECTED, 0.6), (Change.ACCEPTED, 0.6)]


def test_a_checkpoint_is_announced_once_when_it_is_whole(tmp_path):
    watch = CheckpointWatch(tmp_path)
    assert watch.new() is None
    publish(tmp_path, "v000120")
    found = watch.new()
    assert (found.version, found.step, found.parent) == ("v000120", 120, "v000000")
    assert (found.kind, found.horizon, found.dt) == ("joint", 10, 0.1)
    assert found.path == tmp_path / "v000120"
    assert watch.new() is None
    publish(tmp_path, "v000240")
    assert watch.new().version == "v000240"


@pytest.mark.parametrize(
    "changes", [{"size": 7}, {"version": "v9"}, {"spec": {}}, {"step": "many"}]
)
def test_a_damaged_checkpoint_is_refused_once_and_the_next_one_is_taken(tmp_path, changes):
    watch = CheckpointWatch(tmp_path)
    publish(tmp_path, "v000120", **changes)
    with pytest.raises(IntegrityError):
        watch.new()
    assert watch.new() is None
    publish(tmp_path, "v000240")
    assert watch.new().version == "v000240"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": "../../etc"}', '{"version": "v1"}'])
def test_a_damaged_pointer_is_an_integrity_error(tmp_path, text):
    (tmp_path / "latest.json").write_text(text)
    with pytest.raises(IntegrityError):
        CheckpointWatch(tmp_path).new()
