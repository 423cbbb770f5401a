# SPDX-License-Identifier: Apache-2.0
"""Which episode a judgement means and what is refused; label_node over a real service."""

import time
from pathlib import Path

import pytest

from hiors_core.acceptance import Decision
from hiors_core.errors import InvalidValue, StateError, UnknownName
from hiors_core.label import Outcome
from hiors_core.manifest import EpisodeMeta
from hiors_core.store import EpisodeStore
from hiors_reward.desk import UNDO, Judgement, LabelDesk


def judgement(outcome=Outcome.SUCCESS, episode_id="", **fields):
    return Judgement(episode_id=episode_id, outcome=int(outcome), **fields)


def seal(store, *ids):
    for name in ids:
        store.begin(EpisodeMeta(episode_id=name, task="insert")).seal("done")


@pytest.fixture
def store(tmp_path: Path) -> EpisodeStore:
    return EpisodeStore(tmp_path / "store")


def test_an_empty_id_means_the_running_episode(store):
    seal(store, "a")
    desk = LabelDesk(store)
    writer = store.begin(EpisodeMeta(episode_id="b", task="insert"))
    desk.started("b")
    episode_id, label = desk.take(judgement(labeler="li"), 5)
    assert (episode_id, label.labeler, label.stamp) == ("b", "li", 5)
    writer.seal("labelled")
    desk.ended("b")
    assert store.label("b").outcome == Outcome.SUCCESS
    assert desk.take(judgement(), 6)[0] == "a"


def test_a_desk_that_starts_late_finds_the_running_episode(store):
    writer = store.begin(EpisodeMeta(episode_id="a", task="insert"))
    assert LabelDesk(store).take(judgement(), 1)[0] == "a"
    writer.abort("end of test")


def test_an_empty_id_means_the_newest_without_a_label(store):
    seal(store, "a", "b", "c")
    desk = LabelDesk(store)
    assert [desk.take(judgement(), 1)[0] for _ in range(3)] == ["c", "b", "a"]
    with pytest.raises(StateError, match="give an episode id"):
        desk.take(judgement(), 1)


def test_undo_goes_back_on_the_newest_label(store):
    seal(store, "a", "b")
    desk = LabelDesk(store)
    desk.take(judgement(episode_id="a"), 1)
    desk.take(judgement(Outcome.FAILURE, episode_id="a"), 2)
    assert desk.take(Judgement(episode_id="", outcome=UNDO), 3)[1].outcome == Outcome.SUCCESS
    assert store.label("b").outcome == Outcome.NONE


def test_a_damaged_episode_is_never_the_one_that_is_meant(store):
    seal(store, "a", "b")
    (store.path("b") / "label.json").write_text("{")
    assert LabelDesk(store).take(judgement(), 1)[0] == "a"


def test_a_consumed_label_is_neither_changed_nor_meant(store):
    seal(store, "a")
    desk = LabelDesk(store)
    label = desk.take(judgement(), 1)[1]
    store.decide("a", Decision(accepted=True, reasons=(), threshold=1.0, revision=label.revision))
    with pytest.raises(StateError, match="consumed"):
        desk.take(judgement(Outcome.FAILURE, episode_id="a"), 2)
    with pytest.raises(StateError, match="can be undone"):
        desk.take(Judgement(episode_id="", outcome=UNDO), 2)


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        (judgement(episode_id="../a"), InvalidValue),
        (judgement(episode_id="nobody"), UnknownName),
        (judgement(9, episode_id="a"), InvalidValue),
        (judgement(Outcome.RETURN, episode_id="a", episode_return=float("nan")), InvalidValue),
        (judgement(episode_id="a", labeler="<b>\n"), InvalidValue),
    ],
)
def test_a_senseless_judgement_is_refused(store, wish, error):
    seal(store, "a")
    with pytest.raises(error):
        LabelDesk(store).take(wish, 1)
    assert store.label("a").outcome == Outcome.NONE


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_service_labels_publishes_and_explains_refusals(store):
    rclpy = pytest.importorskip("rclpy")
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.parameter import Parameter
    from rclpy.signals import SignalHandlerOptions

    from hiors_interfaces.msg import EpisodeLabel, EpisodeStatus
    from hiors_interfaces.srv import LabelEpisode
    from hiors_reward.label_node import LabelNode
    from hiors_ros import qos

    seal(store, "a")
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node = LabelNode(parameter_overrides=[Parameter("store", value=str(store.root))])
    front = rclpy.create_node("front_end")
    labels: list[EpisodeLabel] = []
    statuses: list[EpisodeStatus] = []
    profile = qos.profile("episode/label")
    front.create_subscription(EpisodeLabel, "episode/label", labels.append, profile)
    front.create_subscription(EpisodeStatus, "episode/status", statuses.append, profile)
    client = front.create_client(LabelEpisode, "episode/label_episode")
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    executor.add_node(front)

    def until(true):
        end = time.monotonic() + 20.0
        while not true():
            assert time.monotonic() < end, "it did not happen in time"
            executor.spin_once(timeout_sec=0.05)

    def ask(**fields):
        until(client.service_is_ready)
        answer = client.call_async(LabelEpisode.Request(**fields))
        until(answer.done)
        return answer.result()

    try:
        done = ask(outcome=LabelEpisode.Request.SUCCESS, labeler="li", source="rqt")
        assert (done.success, done.episode_id, done.revision) == (True, "a", 1)
        until(lambda: labels and statuses)
        assert (labels[0].episode_return, labels[0].source) == (1.0, "rqt")
        assert (statuses[0].state, statuses[0].task) == (EpisodeStatus.LABELED, "insert")
        refused = ask(episode_id="b", outcome=LabelEpisode.Request.FAILURE)
        assert not refused.success
        assert "Allowed: a" in refused.message
        undone = ask(outcome=LabelEpisode.Request.UNDO)
        assert (undone.success, undone.revision) == (True, 2)
    finally:
        executor.shutdown()
        node.destroy_node()
        front.destroy_node()
        rclpy.try_shutdown()
    assert store.label("a").outcome == Outcome.NONE
