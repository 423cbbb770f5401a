# SPDX-License-Identifier: Apache-2.0
"""A stranger's bag becomes an episode that the learner reads, or nothing at all."""

from pathlib import Path

import numpy as np
import pytest
from data_samples import MAP, position, robot, task, write_bag
from rosbags.rosbag2 import StoragePlugin

from hiors_core.authority import Authority
from hiors_core.episode import load_episode, transitions
from hiors_core.errors import HiorsError, IntegrityError, InvalidValue, StateError, UnknownName
from hiors_core.label import Outcome
from hiors_core.store import EpisodeStore
from hiors_data.bag_import import BagImport, Imported, import_bag
from hiors_data.topic_map import load_topic_map


def bring(bag: Path, store: Path, text: str = MAP, **other: object) -> Imported:
    path = store.parent / "map.yaml"
    path.write_text(text)
    topics = load_topic_map(path, robot())
    job = BagImport(bag=bag, topics=topics, robot=robot(), task=task(), **other)
    return import_bag(job, store)


def whole(store: Path) -> list[Path]:
    """Everything in the store but what an empty one has."""
    return [p for p in store.rglob("*") if p.is_file() and p.parent != store]


@pytest.mark.parametrize("storage", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
def test_a_strangers_bag_becomes_a_demonstration(tmp_path: Path, storage: StoragePlugin) -> None:
    bag = write_bag(tmp_path / "bag", storage=storage)
    done = bring(bag, tmp_path / "store", operator="ann")
    store = EpisodeStore(tmp_path / "store")
    (name,) = store.ids()
    assert [m.episode_id for m in done.episodes] == [name]
    store.verify(name)
    assert store.label(name).outcome is Outcome.SUCCESS
    assert store.label(name).labeler == "ann"
    episode = load_episode(store.path(name))
    assert episode.names == robot().names
    assert set(episode.authority) == {Authority.HUMAN}
    assert len(episode.stamps) == pytest.approx(91, abs=1)
    t = (episode.stamps - 1_700_000_000 * 10**9) / 1e9
    expected = np.array([position(min(x + 0.1, 3.0)) for x in t])
    assert np.allclose(episode.executed[:, :6], expected, atol=2e-3)
    assert np.allclose(episode.executed[[0, -1], 6], [1.0, 0.25], atol=1e-6)
    assert len(episode.marks) == pytest.approx(30, abs=1)
    seen = episode.observation(10, images=True)
    assert seen.objects["box"][0] == pytest.approx(1.0, abs=0.03)
    assert seen.images["top"].shape == (12, 16, 3)
    assert seen.images["top"][..., 2].mean() > 30, "blue comes from the first channel of bgr8"


def test_what_is_imported_makes_training_targets(tmp_path: Path) -> None:
    bring(write_bag(tmp_path / "bag"), tmp_path / "store")
    store = EpisodeStore(tmp_path / "store")
    episode = load_episode(store.path(store.ids()[0]))
    found = transitions(episode, "ee", 8, 0.1, robot())
    assert len(found) >= 28
    assert all(t.mask.any() and np.isfinite(t.actions).all() for t in found)


def test_commands_cuts_authority_and_outcomes_of_the_map(tmp_path: Path) -> None:
    text = MAP + (
        "executed:\n  - topic: /arm/state\n    columns: {"
        + ", ".join(f"left_joint{i}: {i - 1}" for i in range(1, 7))
        + "}\n    values: position\n  - topic: /hand/width\n"
        "    columns: {left_gripper: {at: 0, scale: 12.5}}\n"
        "authority: policy\n"
        "episodes:\n  - {from: 0.0, to: 1.4}\n  - {from: 1.5, to: 3.0, outcome: failure}\n"
    )
    done = bring(write_bag(tmp_path / "bag"), tmp_path / "store", text)
    store = EpisodeStore(tmp_path / "store")
    outcomes = {store.label(i).outcome for i in store.ids()}
    assert outcomes == {Outcome.SUCCESS, Outcome.FAILURE}
    assert [m.human_fraction for m in done.episodes] == [0.0, 0.0]
    first = load_episode(store.path(store.ids()[0]))
    assert np.allclose(first.executed[15, :6], position(0.5), atol=2e-3)


def test_the_same_recording_enters_once(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "bag")
    bring(bag, tmp_path / "store")
    with pytest.raises(StateError, match="imported before"):
        bring(bag, tmp_path / "store")
    assert len(EpisodeStore(tmp_path / "store").ids()) == 1


def truncated(folder: Path, suffix: str) -> Path:
    (file,) = folder.glob(f"*{suffix}")
    file.write_bytes(file.read_bytes()[:-5000])
    return folder


@pytest.mark.parametrize(
    ("make", "text", "error", "words"),
    [
        (lambda p: truncated(write_bag(p), "mcap"), MAP, IntegrityError, "mcap recover"),
        (
            lambda p: truncated(write_bag(p, storage=StoragePlugin.SQLITE3), "db3"),
            MAP, IntegrityError, "cannot be read",
        ),
        (write_bag, MAP.replace("/arm/state", "/arm/stat"), UnknownName, "/arm/state"),
        (write_bag, MAP.replace("/arm/state", "/seen/hole"), InvalidValue, "values:"),
        (write_bag, MAP.replace("/seen/box", "/rosout"), InvalidValue, "no messages"),
        (write_bag, MAP.replace("/seen/box", "/hand/width"), InvalidValue, "no pose"),
        (write_bag, MAP.replace("/eye/image", "/arm/state"), InvalidValue, "carries sensor_msgs"),
        (write_bag, MAP.replace("joint_a1", "joint_b1"), UnknownName, "joint_a1"),
        (lambda p: write_bag(p, rate=2.0), MAP, InvalidValue, "at 2.0 Hz"),
        (lambda p: write_bag(p, keep=lambda t: not 1 < t < 2), MAP, InvalidValue, "1.00 s pass"),
        (lambda p: write_bag(p, scale=57.3), MAP, InvalidValue, "0.017453293"),
        (lambda p: write_bag(p, image_encoding="32FC1"), MAP, UnknownName, "32FC1"),
        (lambda p: write_bag(p, seconds=0.2), MAP, InvalidValue, "must last"),
        (lambda p: p, MAP, InvalidValue, "There is no recording"),
    ],
)  # fmt: skip
def test_a_bad_bag_is_refused_and_leaves_nothing(
    tmp_path: Path, make, text: str, error: type[HiorsError], words: str
) -> None:
    bag = make(tmp_path / "bag")
    with pytest.raises(error, match=words):
        bring(bag, tmp_path / "store", text)
    assert not whole(tmp_path / "store")


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "bag")
    (tmp_path / "store").write_text("")
    with pytest.raises(InvalidValue, match="is a file"):
        bring(bag, tmp_path / "store")
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(InvalidValue, match="not a recording"):
        bring(tmp_path / "notes.txt", tmp_path / "other")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s + "mesured: []\n", "Did you mean 'measured'"),
        (lambda s: s.replace("left_joint1:", "left_jiont1:"), "left_joint1"),
        (lambda s: s.replace("left_joint1: joint_a1, ", ""), "gives no left_joint1"),
        (lambda s: s.replace("top:", "tpo:"), "Did you mean 'top'"),
        (lambda s: s + "clock: wall\n", "Allowed: header, received"),
        (lambda s: s.replace("scale: 12.5", "scale: x"), "must be a number"),
        (lambda s: s + "episodes: [{from: 2, to: 1}]\n", "within 2"),
        (lambda s: "measured: 3", "list of sources"),
        (lambda s: "a: [", "Cannot read"),
        (lambda s: s.replace("box: /seen/box", "box: {topic: /a, transform: [0,0,0,1,1,0,0]}"),
         "length 1.414"),
    ],
)  # fmt: skip
def test_a_bad_map_is_refused_by_name(tmp_path: Path, change, words: str) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(change(MAP))
    with pytest.raises(HiorsError, match=words):
        load_topic_map(path, robot())
