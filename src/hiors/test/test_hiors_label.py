# SPDX-License-Identifier: Apache-2.0
"""`hiors label`: through the service of a graph, and in a store at rest."""

import subprocess
import sys
from pathlib import Path

import pytest

from hiors import cli
from hiors_core.bag import encode, make
from hiors_core.label import Outcome
from hiors_core.manifest import EpisodeMeta
from hiors_core.store import EpisodeStore


@pytest.fixture
def store(tmp_path: Path) -> EpisodeStore:
    """A store with the sealed episodes a and b."""
    store = EpisodeStore(tmp_path / "store")
    data = encode("std_msgs/msg/String", make("std_msgs/msg/String", data="x"))
    for name in ("a", "b"):
        writer = store.begin(EpisodeMeta(episode_id=name, task="insert"))
        writer.write("/word", "std_msgs/msg/String", data, 1_000_000_000)
        writer.seal("ended")
    store.close()
    return store


def label(store: EpisodeStore, *words: str) -> int:
    return cli.main(["label", *words, "--store", str(store.root), "--labeler", "ann"])


def test_an_episode_is_labelled_changed_and_undone(store: EpisodeStore) -> None:
    assert label(store, "a", "--success") == 0
    assert store.label("a").outcome is Outcome.SUCCESS
    assert store.label("a").labeler == "ann"
    assert label(store, "a", "--return", "0.25") == 0
    assert store.label("a").episode_return == 0.25
    assert label(store, "a", "--undo") == 0
    assert store.label("a").outcome is Outcome.SUCCESS


def test_without_a_name_the_newest_unlabelled_is_meant(store: EpisodeStore) -> None:
    assert label(store, "--failure") == 0
    assert label(store, "--discard") == 0
    assert store.label("b").outcome is Outcome.FAILURE
    assert store.label("a").outcome is Outcome.DISCARD
    assert label(store, "--success") == 2


def test_an_unknown_episode_or_store_is_refused(
    store: EpisodeStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert label(store, "c", "--success") == 2
    assert "c" in capsys.readouterr().err
    assert cli.main(["label", "--success", "--store", str(tmp_path / "none")]) == 2
    assert not (tmp_path / "none").exists()


def test_the_service_of_a_graph_gets_the_judgement(ros: None) -> None:
    rclpy = pytest.importorskip("rclpy")
    from hiors_interfaces.srv import LabelEpisode

    asked: list[LabelEpisode.Request] = []

    def serve(
        request: LabelEpisode.Request, response: LabelEpisode.Response
    ) -> LabelEpisode.Response:
        asked.append(request)
        response.success = request.outcome == LabelEpisode.Request.RETURN
        response.message = "only returns are taken"
        response.episode_id = "e1"
        return response

    node = rclpy.create_node("label", namespace="robot1")
    node.create_service(LabelEpisode, "episode/label_episode", serve)
    base = [sys.executable, "-m", "hiors.cli", "label", "--namespace", "robot1", "--wait", "20"]
    codes, texts = [], []
    for words in (["--return", "0.5"], ["e1", "--success"]):
        process = subprocess.Popen([*base, *words], stdout=-1, stderr=subprocess.STDOUT, text=True)
        while process.poll() is None:
            rclpy.spin_once(node, timeout_sec=0.1)
        codes.append(process.returncode)
        texts.append(process.communicate()[0])
    node.destroy_node()
    assert codes == [0, 2], texts
    assert "e1: taken" in texts[0]
    assert "only returns are taken" in texts[1]
    assert [(r.outcome, r.episode_return, r.episode_id) for r in asked] == [
        (LabelEpisode.Request.RETURN, 0.5, ""),
        (LabelEpisode.Request.SUCCESS, 0.0, "e1"),
    ]
