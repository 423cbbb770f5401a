# SPDX-License-Identifier: Apache-2.0
"""Back-pressure: a full spool lets no episode begin, says so, and loses nothing."""

import pytest
from bridge_samples import record

from hiors_bridge.spool import Spool
from hiors_core.errors import StateError
from hiors_core.link import Link, Notice
from hiors_core.manifest import EpisodeMeta
from hiors_core.store import EpisodeStore


@pytest.fixture
def store(tmp_path):
    return EpisodeStore(tmp_path / "store")


@pytest.fixture
def link(tmp_path):
    return Link(tmp_path / "link")


def wait_for_learner(store, link, name):
    record(store, name, seconds=0.5)
    path, sha256 = str(store.path(name)), store.manifest_sha256(name)
    link.send(Notice(episode_id=name, path=path, sha256=sha256, task="insert_moisturizer"))


def test_a_full_spool_holds_the_recorder_until_the_learner_has_taken_episodes(store, link):
    wait_for_learner(store, link, "a")
    spool = Spool(link, store.hold, limit=2 * store.manifest("a").size)
    assert (spool.look().episodes, spool.look().full) == (1, "")
    wait_for_learner(store, link, "b")
    full = spool.look()
    assert full.episodes == 2
    assert "2 accepted episodes" in full.full
    with pytest.raises(StateError, match="No episode may begin: the spool is full"):
        store.begin(EpisodeMeta(episode_id="c", task="t"))
    assert store.ids() == ["a", "b"]
    assert link.waiting() == ["a", "b"]
    link.settle("a")
    assert spool.look().full == ""
    store.begin(EpisodeMeta(episode_id="c", task="t")).abort("test")


def test_no_limit_is_no_limit(store, link):
    wait_for_learner(store, link, "a")
    waiting = Spool(link, store.hold, limit=0).look()
    assert waiting.full == ""
    assert "1 episodes wait" in waiting.text


def test_the_end_of_the_bridge_lets_the_recorder_go_on(store, link):
    wait_for_learner(store, link, "a")
    spool = Spool(link, store.hold, limit=1)
    assert spool.look().full
    assert store.hold.reason
    spool.close()
    assert not store.hold.reason
