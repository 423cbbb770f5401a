# SPDX-License-Identifier: Apache-2.0
"""Recordings made without hiors, imported by the command and trained on by the real learner."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rosbags")
from rosbags.rosbag2 import StoragePlugin

from hiors import cli

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src/hiors_data/test"))
from data_samples import MAP, write_bag  # noqa: E402


def train(store: Path, steps: int, out: Path) -> Path:
    words = ["train", "--demos", store, "--steps", steps, "--out", out]
    done = subprocess.run(
        [ROOT / "bin/hiors", *map(str, words)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_policy_learns_from_a_strangers_bags(tmp_path: Path) -> None:
    (tmp_path / "map.yaml").write_text(MAP)
    mapped = ["--map", str(tmp_path / "map.yaml")]
    store = tmp_path / "store"
    kinds = {"mcap": StoragePlugin.MCAP, "sqlite": StoragePlugin.SQLITE3}
    for seconds, (name, storage) in zip((5.0, 6.0), kinds.items(), strict=True):
        bag = write_bag(tmp_path / name, seconds=seconds, storage=storage)
        assert cli.main(["import", "bag", str(bag), *mapped, "--to", str(store)]) == 0
    early = train(store, 5, tmp_path / "v000005")
    late = train(store, 400, tmp_path / "v000400")
    held_out = write_bag(tmp_path / "held_out", seconds=4.0)
    words = ["--episodes", str(held_out), *mapped, "--policy", str(early), str(late)]
    assert cli.main(["eval", "offline", *words, "--out", str(tmp_path / "report")]) == 0
    found = json.loads((tmp_path / "report" / "metrics.json").read_text())["checkpoints"]
    score = {name: values["score_m"] for name, values in found.items()}
    found_mm = {name: f"{1e3 * value:.1f} mm" for name, value in score.items()}
    print(found_mm)
    assert score["v000400"] < 0.5 * score["v000005"]
