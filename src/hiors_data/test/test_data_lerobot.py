# SPDX-License-Identifier: Apache-2.0
"""Episodes as a LeRobotDataset v3.0, held against the described layout."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from data_samples import ROOT, robot, task

from hiors_core.authority import Authority
from hiors_core.episode import load_episode, transitions
from hiors_core.errors import HiorsError, IntegrityError, InvalidValue, StateError, UnknownName
from hiors_core.label import Outcome, judge
from hiors_core.store import EpisodeStore
from hiors_data import extras
from hiors_data.lerobot.dataset_import import DatasetImport, import_dataset
from hiors_data.lerobot.export import Export, Exported, export
from hiors_data.lerobot.resampling import resample

sys.path.insert(0, str(ROOT / "src/hiors_core/test"))
from episode_samples import record

FPS = 10


@pytest.fixture
def store(tmp_path: Path) -> EpisodeStore:
    store = EpisodeStore(tmp_path / "store")
    image = np.full((16, 24, 3), 128, np.uint8)
    both = lambda t: Authority.HUMAN if t > 1.0 else Authority.POLICY  # noqa: E731
    record(store, "good", authority=both, image=image)
    record(store, "more", seconds=1.0, image=image)
    record(store, "bad", image=image)
    for name, outcome in (("good", 1), ("more", 1), ("bad", 2)):
        store.set_label(name, judge(Outcome(outcome)))
    return store


def write(store: EpisodeStore, out: Path, **wish: object) -> Exported:
    return export(store, out, Export(fps=FPS, **wish), lambda done, count: None)


def test_frames_follow_the_executed_actions_in_time(store: EpisodeStore) -> None:
    episode = load_episode(store.path("good"))
    frames = resample(episode, store.label("good"), FPS, ("box",), ("top",))
    assert len(frames) == 21
    chunk = transitions(episode, "joint", 4, 1.0 / FPS, robot())[0]
    assert np.allclose(frames.columns["action"][:4], chunk.actions, atol=1e-5)
    stamps = frames.columns["observation.stamp_ns"]
    assert set(stamps) <= set(episode.joints.stamps), "true stamps, not the grid"
    assert np.all(stamps <= frames.stamps)
    intervention = frames.columns["intervention"]
    assert intervention.tolist() == [False] * 11 + [True] * 10
    assert frames.columns["next.success"].tolist() == [False] * 20 + [True]
    assert frames.columns["next.reward"].sum() == 1.0
    assert len(list(frames.images("top"))) == 21


def test_without_pyarrow_the_message_says_how_to_get_it(
    store: EpisodeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(HiorsError, match="make setup EXTRAS=export"):
        write(store, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    name = extras.INSTALL.partition("EXTRAS=")[2]
    assert (ROOT / "requirements" / f"{name}.lock").is_file()


def test_what_is_refused_leaves_nothing(store: EpisodeStore, tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="exists already"):
        write(store, store.root)
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidValue, match="is a file"):
        write(store, tmp_path / "file" / "out")
    with pytest.raises(InvalidValue, match="fps"):
        export(store, tmp_path / "out", Export(fps=0), lambda done, count: None)
    pytest.importorskip("pyarrow")
    empty = EpisodeStore(tmp_path / "empty")
    with pytest.raises(InvalidValue, match="no accepted episodes"):
        write(empty, tmp_path / "out")
    with pytest.raises(InvalidValue, match="no image of left_wrist"):
        write(store, tmp_path / "out", cameras=("left_wrist",))
    with pytest.raises(InvalidValue, match="no pose of cup"):
        write(store, tmp_path / "out", objects=("cup",), cameras=())
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".*"))


def test_the_layout_with_images_in_the_tables(store: EpisodeStore, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    from pyarrow import parquet

    out = tmp_path / "out"
    assert write(store, out, video=False) == Exported(episodes=2, frames=32)
    info = json.loads((out / "meta/info.json").read_text())
    assert info["codebase_version"] == "v3.0"
    assert (info["total_episodes"], info["total_frames"], info["fps"]) == (2, 32, FPS)
    assert info["splits"] == {"train": "0:2"}
    assert info["features"]["action"]["names"] == list(robot().names)
    assert info["features"]["next.success"] == {"dtype": "bool", "shape": [1], "names": None}
    assert info["features"]["observation.images.top"]["dtype"] == "image"
    table = parquet.read_table(out / "data/chunk-000/file-000.parquet")
    assert table.column_names == list(info["features"])
    assert str(table.schema.field("action").type) == "fixed_size_list<element: float>[7]"
    assert table["index"].to_pylist() == list(range(32))
    assert table["episode_index"].to_pylist() == [0] * 21 + [1] * 11
    assert table["timestamp"].to_pylist()[:3] == pytest.approx([0.0, 0.1, 0.2])
    first = table["observation.images.top"].to_pylist()[0]
    assert first["bytes"].startswith(b"\x89PNG")
    episodes = parquet.read_table(out / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    assert [(e["dataset_from_index"], e["dataset_to_index"]) for e in episodes] == [
        (0, 21), (21, 32),
    ]  # fmt: skip
    tasks = parquet.read_table(out / "meta/tasks.parquet")
    assert tasks["task"].to_pylist() == ["insert it"]
    stats = json.loads((out / "meta/stats.json").read_text())
    assert set(stats["action"]) == {
        "min", "max", "mean", "std", "count", "q01", "q10", "q50", "q90", "q99",
    }  # fmt: skip
    assert np.shape(stats["observation.images.top"]["mean"]) == (3, 1, 1)
    assert stats["observation.images.top"]["mean"][0][0][0] == pytest.approx(0.5, abs=0.01)


def test_the_video_has_every_frame_of_every_episode(store: EpisodeStore, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    av = pytest.importorskip("av")
    from pyarrow import parquet

    out = tmp_path / "out"
    write(store, out, everything=True)
    with av.open(str(out / "videos/observation.images.top/chunk-000/file-000.mp4")) as file:
        stream = file.streams.video[0]
        assert stream.codec_context.codec.canonical_name == "av1"
        times = [float(frame.time) for frame in file.decode(stream)]
    assert times == pytest.approx([i / FPS for i in range(21 + 21 + 11)])
    rows = parquet.read_table(out / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    key = "videos/observation.images.top/"
    spans = [(r[key + "from_timestamp"], r[key + "to_timestamp"]) for r in rows]
    assert [pytest.approx(s) for s in spans] == [(0.0, 2.1), (2.1, 4.2), (4.2, 5.3)]
    assert (
        "observation.images.top"
        not in parquet.read_table(out / "data/chunk-000/file-000.parquet").column_names
    )


@pytest.mark.parametrize("video", [False, True])
def test_an_exported_dataset_comes_back_as_episodes(
    store: EpisodeStore, tmp_path: Path, video: bool
) -> None:
    pytest.importorskip("pyarrow")
    pytest.importorskip("av")
    out = tmp_path / "out"
    write(store, out, everything=True, video=video)
    job = DatasetImport(root=out, robot=robot(), task=task(), operator="ann")
    done = import_dataset(job, tmp_path / "back")
    back = EpisodeStore(tmp_path / "back")
    assert sorted(m.episode_id for m in done.episodes) == back.ids()
    outcomes = sorted(back.label(i).outcome.name for i in back.ids())
    assert outcomes == ["FAILURE", "SUCCESS", "SUCCESS"]
    (mixed,) = [m for m in done.episodes if 0.0 < m.human_fraction < 1.0]
    before = load_episode(store.path("good"))
    after = load_episode(back.path(mixed.episode_id))
    expected = before.actions.interpolate(after.stamps)
    assert np.allclose(after.executed, expected, atol=5e-3)
    seen = after.observation(2, images=True)
    assert seen.images["top"].mean() == pytest.approx(128, abs=4)
    assert seen.objects.keys() == {"box", "hole"}
    with pytest.raises(StateError, match="imported before"):
        import_dataset(job, tmp_path / "back")


def test_what_is_no_dataset_or_of_another_robot_is_refused(
    store: EpisodeStore, tmp_path: Path
) -> None:
    pytest.importorskip("pyarrow")

    def bring() -> None:
        import_dataset(DatasetImport(root=out, robot=robot(), task=task()), tmp_path / "back")

    out = tmp_path / "out"
    with pytest.raises(InvalidValue, match="no LeRobot dataset"):
        bring()
    write(store, out, video=False)
    path = out / "meta/info.json"
    whole = path.read_text()
    path.write_text(whole.replace("v3.0", "v2.1"))
    with pytest.raises(InvalidValue, match=r"version v2\.1"):
        bring()
    path.write_text(whole.replace("left_joint3", "elbow"))
    with pytest.raises(UnknownName, match="left_joint3"):
        bring()
    path.write_text(whole)
    data = out / "data/chunk-000/file-000.parquet"
    data.write_bytes(data.read_bytes()[:-200])
    with pytest.raises(IntegrityError, match="cannot be read"):
        bring()
    assert not EpisodeStore(tmp_path / "back").ids()
