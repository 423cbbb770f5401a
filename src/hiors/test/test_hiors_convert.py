# SPDX-License-Identifier: Apache-2.0
"""`hiors convert`: between formats there and back without a changed bit, and into a policy."""

from pathlib import Path

import numpy as np
import pytest
import torch

from hiors.cli import main
from hiors_core.authority import Authority
from hiors_core.clock import to_ns
from hiors_core.manifest import EpisodeMeta
from hiors_core.recording import start_recording
from hiors_core.robot import load_robot
from hiors_core.store import EpisodeStore
from hiors_policy import pi0
from hiors_policy.canned import canned_observation
from hiors_policy.checkpoint import load_checkpoint
from hiors_policy.pi0.tensors import MODEL_FILE, TensorFiles

ROBOT = load_robot(Path(__file__).parents[3] / "config" / "robots" / "xtrainer.yaml", ["left"])


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("demos")
    meta = EpisodeMeta(
        episode_id="d1", task="t", robot="xtrainer", arms=("left",), names=ROBOT.names
    )
    recording = start_recording(EpisodeStore(root), meta)
    for tick in range(61):
        stamp = 1_700_000_000 * 10**9 + to_ns(tick / 30)
        position = ROBOT.home + 0.002 * tick
        position[-1] = 1.0
        recording.joint_state(stamp, position)
        recording.executed(stamp, tick=tick, epoch=1, authority=Authority.HUMAN, position=position)
    recording.finish("done")
    return root


def read(folder: Path) -> dict[str, torch.Tensor]:
    with TensorFiles(folder / MODEL_FILE) as files:
        return {name: files[name].clone() for name in files}


@pytest.mark.parametrize("fmt", ["lerobot", "lerobot_legacy", "transformers"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_there_and_back_changes_no_bit(tmp_path: Path, fmt: str, dtype: torch.dtype):
    model = pi0.Pi0.random(pi0.tiny_config(layers=2), std=0.1, dtype=dtype)
    pi0.save(tmp_path / "a", model, normalizer=pi0.Normalizer.identity(7, 7))
    assert main(["convert", str(tmp_path / "a"), str(tmp_path / "b"), "--to", fmt]) == 0
    assert main(["convert", str(tmp_path / "b"), str(tmp_path / "c"), "--to", "openpi"]) == 0
    first, last = read(tmp_path / "a"), read(tmp_path / "c")
    assert first.keys() == last.keys()
    assert all(torch.equal(first[n], t) and first[n].dtype == t.dtype for n, t in last.items())
    bytes_of = [(tmp_path / n / MODEL_FILE).read_bytes() for n in "ac"]
    assert bytes_of[0] == bytes_of[1]


def test_a_tiny_policy_is_made_used_and_taken_out_again(
    tmp_path: Path, demos: Path, capsys: pytest.CaptureFixture[str]
):
    policy = tmp_path / "v000000-start"
    words = ["--to", "hiors", "--demos", str(demos), "--cameras", "top", "--dt", "0.1"]
    assert main(["convert", "tiny", str(policy), *words, "--horizon", "16"]) == 0
    assert "16 rows of 0.1 s, cameras top" in capsys.readouterr().out
    loaded = load_checkpoint(policy)
    spec = loaded.policy.spec
    assert (spec.kind, spec.horizon, spec.names) == ("joint", 16, ROBOT.names)
    chunk = loaded.policy.predict(canned_observation(ROBOT, spec), "insert it", 0)
    assert np.isfinite(chunk).all()

    assert main(["convert", str(policy), str(tmp_path / "out"), "--to", "openpi"]) == 0
    again = pi0.load(tmp_path / "out")
    own = loaded.policy.network.state_dict()
    assert all(torch.equal(t, own[name]) for name, t in again.state_dict().items())
    stats = pi0.load_normalizer(tmp_path / "out")
    assert stats is not None
    assert len(stats.action.mean) == 7
    back = ["convert", str(tmp_path / "out"), str(tmp_path / "back"), "--to", "hiors"]
    tokenizer = tmp_path / "no-tokenizer"
    assert main([*back, "--tokenizer", str(tokenizer)]) == 2
    assert "No tokenizer at" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tiny", "{}/x", "--to", "hiors"], "give --demos STORE"),
        (["tiny", "{}/x", "--to", "hiors", "--demos", "{}/no"], "no episode store"),
        (["{}/no", "{}/x", "--to", "openpi"], "No checkpoint at"),
        (["{}/no", "{}", "--to", "openpi"], "nothing is overwritten"),
        (["{}/no", "{}/x", "--to", "openpi", "--dt", "0.1"], "Only --to hiors takes --dt"),
    ],
)
def test_what_does_not_fit_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
):
    assert main(["convert", *(word.format(tmp_path) for word in words)]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
