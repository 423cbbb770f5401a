# SPDX-License-Identifier: Apache-2.0
"""Bags that are not what they should be: every command says so in one line and leaves nothing."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("rosbags")
from rosbags.rosbag2 import StoragePlugin

from hiors import cli
from hiors_policy.checkpoint import save_checkpoint
from hiors_policy.flow_policy import FlowPolicy, FlowSettings
from hiors_policy.network import NetworkSettings

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src/hiors_data/test"))
from data_samples import MAP, robot, write_bag  # noqa: E402

KINDS = {".mcap": StoragePlugin.MCAP, ".db3": StoragePlugin.SQLITE3}
Damage = Callable[[Path], Path]


def data_file(folder: Path) -> Path:
    (file,) = (p for p in folder.iterdir() if p.suffix in KINDS)
    return file


def cut(folder: Path, share: float) -> Path:
    file = data_file(folder)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(share * len(whole))])
    return folder


def overwrite(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name if name else data_file(folder)
    path.write_bytes(data)
    return folder


def without_data(folder: Path) -> Path:
    data_file(folder).unlink()
    return folder


def text_file(folder: Path) -> Path:
    shutil.rmtree(folder)
    folder.write_text("no bag")
    return folder


def nothing_in_it(folder: Path) -> Path:
    shutil.rmtree(folder)
    folder.mkdir()
    return folder


UNREADABLE: dict[str, tuple[Damage, str]] = {
    "truncated": (lambda p: cut(p, 0.7), "cannot be read"),
    "cut at its beginning": (lambda p: cut(p, 0.01), "cannot be read"),
    "of no length": (lambda p: overwrite(p, "", b""), "cannot be read"),
    "of other bytes": (lambda p: overwrite(p, "", b"x" * 9000), "cannot be read"),
    "with a damaged metadata.yaml": (
        lambda p: overwrite(p, "metadata.yaml", b"a: ["), "cannot be read",
    ),
    "without its data": (without_data, "cannot be read"),
    "a file": (text_file, "is not a recording"),
    "an empty folder": (nothing_in_it, "no metadata.yaml"),
}  # fmt: skip


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy that has learnt nothing."""
    folder = tmp_path_factory.mktemp("policy") / "v000001"
    network = NetworkSettings(width=16, blocks=1)
    policy = FlowPolicy(robot(), FlowSettings(horizon=4, objects=("box", "hole"), network=network))
    save_checkpoint(folder, policy, version=folder.name, step=0)
    return folder


class Desk:
    """The commands that read bags, and what each of them would write."""

    def __init__(self, folder: Path, checkpoint: Path) -> None:
        self.map, self.store, self.report = folder / "map.yaml", folder / "store", folder / "out"
        self.map.write_text(MAP)
        self.checkpoint = checkpoint

    def words(self, command: str, bag: Path) -> list[str]:
        """Return the command line."""
        mapped = ["--map", str(self.map)]
        if command == "import":
            return ["import", "bag", str(bag), *mapped, "--to", str(self.store)]
        if command == "eval":
            read = ["--episodes", str(bag), "--policy", str(self.checkpoint)]
            return ["eval", "offline", *read, *mapped, "--out", str(self.report)]
        return ["replay", str(bag), "--topics", "/arm/state", "--wait", "0", "--rate", "100"]

    def left(self) -> list[Path]:
        """Return what a refused command must not have left."""
        written = [p for p in self.store.rglob("*") if p.is_file() and p.parent != self.store]
        return [*written, *self.report.rglob("*")]


@pytest.fixture
def desk(tmp_path: Path, checkpoint: Path) -> Desk:
    """The commands, in a folder of their own."""
    return Desk(tmp_path, checkpoint)


def refused(desk: Desk, words: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 2
    said = capsys.readouterr().err.strip()
    assert reason in said, said
    assert len(said.splitlines()) == 1
    assert desk.left() == []


@pytest.mark.parametrize("command", ["import", "eval", "replay"])
@pytest.mark.parametrize("suffix", KINDS)
@pytest.mark.parametrize("damage", UNREADABLE)
def test_a_bag_that_cannot_be_read(
    tmp_path: Path, desk: Desk, damage: str, suffix: str, command: str, capsys
) -> None:
    spoil, reason = UNREADABLE[damage]
    bag = spoil(write_bag(tmp_path / "bag", seconds=1.0, rate=20.0, storage=KINDS[suffix]))
    refused(desk, desk.words(command, bag), reason, capsys)


@pytest.mark.parametrize("command", ["import", "eval"])
@pytest.mark.parametrize("suffix", KINDS)
@pytest.mark.parametrize(
    ("change", "values", "reason"),
    [
        (("/arm/state", "/arm/stat"), {}, "Did you mean '/arm/state'"),
        (("/seen/box", "/hand/width"), {}, "no pose"),
        (("/eye/image", "/arm/state"), {}, "carries sensor_msgs"),
        (("", ""), {"rate": 2.0}, "at 2.0 Hz"),
        (("", ""), {"keep": lambda t: not 1 < t < 2}, "without a message"),
        (("", ""), {"scale": 57.3}, "0.017453293"),
    ],
    ids=["no topic", "no pose", "no image", "slow", "gap", "degrees"],
)
def test_a_bag_of_another_kind(
    tmp_path: Path,
    desk: Desk,
    change,
    values: dict,
    reason: str,
    suffix: str,
    command: str,
    capsys,
) -> None:
    desk.map.write_text(MAP.replace(*change) if change[0] else MAP)
    bag = write_bag(tmp_path / "bag", storage=KINDS[suffix], **values)
    refused(desk, desk.words(command, bag), reason, capsys)


def test_replay_names_topics_and_types_that_are_not_there(
    tmp_path: Path, desk: Desk, capsys
) -> None:
    bag = write_bag(tmp_path / "bag", seconds=0.5)
    words = ["replay", str(bag), "--topics", "/arm/stat"]
    refused(desk, words, "Did you mean '/arm/state'", capsys)


def test_files_where_folders_should_be(tmp_path: Path, desk: Desk, capsys) -> None:
    bag = write_bag(tmp_path / "bag", seconds=1.0)
    desk.store.write_text("mine")
    refused(desk, desk.words("import", bag), "is a file", capsys)
    desk.report.write_text("mine")
    refused(desk, desk.words("eval", bag), "is a file", capsys)
    assert desk.store.read_text() == desk.report.read_text() == "mine"


def test_a_recording_is_no_store_of_episodes(tmp_path: Path, desk: Desk, capsys) -> None:
    bag = write_bag(tmp_path / "bag", seconds=1.0)
    words = desk.words("eval", bag)
    del words[words.index("--map") : words.index("--map") + 2]
    refused(desk, words, "--map", capsys)
