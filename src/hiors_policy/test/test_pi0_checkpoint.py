# SPDX-License-Identifier: Apache-2.0
"""pi0 in hiors' own checkpoints: whole or not at all, and refused when anything differs."""

from pathlib import Path

import numpy as np
import pytest
import torch

from hiors_core.checkpoints import MODEL
from hiors_core.durable import read_document, write_document
from hiors_core.errors import IntegrityError, InvalidValue, UnknownName
from hiors_core.robot import load_robot
from hiors_policy import checkpoint, pi0
from hiors_policy.canned import canned_observation, warm_up
from hiors_policy.manifest import Expectation
from hiors_policy.pi0.adapter import Pi0Policy
from hiors_policy.pi0.checkpoint import load_policy, save_checkpoint
from hiors_policy.pi0.codec import Pi0Settings
from hiors_policy.pi0.prompt import ByteTokenizer

ROBOT = load_robot(Path(__file__).resolve().parents[3] / "config/robots/xtrainer.yaml", ["left"])
CONFIG = pi0.tiny_config(layers=2)


def build(dtype: torch.dtype = torch.float32) -> Pi0Policy:
    columns = len(ROBOT.names)
    scale = pi0.Scale.make({"mean": np.zeros(columns), "std": np.full(columns, 0.05)})
    model = pi0.Pi0.random(CONFIG, std=0.1, dtype=dtype)
    settings = Pi0Settings(kind="ee", cameras=("top",), steps=4)
    normalizer = pi0.Normalizer(state=scale, action=scale)
    return Pi0Policy(ROBOT, model, settings, normalizer, ByteTokenizer())


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_checkpoint(tmp_path / "v000003", build(), version="v000003", step=3, data_ids=["e1"])
    return tmp_path / "v000003"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_comes_back_as_it_went(tmp_path: Path, dtype: torch.dtype) -> None:
    policy = build(dtype)
    manifest = save_checkpoint(tmp_path / "v000001", policy, version="v000001", step=1)
    again = load_policy(tmp_path / "v000001")
    assert manifest.architecture["name"] == "pi0"
    assert again.spec == policy.spec == manifest.spec
    observation = canned_observation(ROBOT, policy.spec)
    chunks = [p.predict(observation, "go", seed=2) for p in (policy, again)]
    assert np.array_equal(*chunks)
    assert [path.name for path in tmp_path.iterdir()] == ["v000001"]


def test_it_is_never_written_over(saved: Path) -> None:
    with pytest.raises(InvalidValue, match="never overwritten"):
        save_checkpoint(saved, build(), version="v000003", step=3)


def test_weights_that_are_no_numbers_are_not_published(tmp_path: Path) -> None:
    policy = build()
    with torch.no_grad():
        policy.model.native.action_out_proj.bias[0] = torch.inf
    with pytest.raises(IntegrityError, match=r"not finite: action_out_proj\.bias"):
        save_checkpoint(tmp_path / "v000001", policy, version="v000001", step=1)
    assert not list(tmp_path.iterdir())


def test_what_differs_from_the_expectation_is_named(saved: Path) -> None:
    assert load_policy(saved, Expectation(kind="ee", dt=0.05, architecture="pi0"))
    with pytest.raises(InvalidValue, match="kind: ee instead of joint"):
        load_policy(saved, Expectation(kind="joint"))
    with pytest.raises(InvalidValue, match="cameras: needs top"):
        load_policy(saved, Expectation(cameras=("front",)))


def test_a_flipped_bit_is_found(saved: Path) -> None:
    data = bytearray((saved / "model.safetensors").read_bytes())
    data[-100] ^= 1
    (saved / "model.safetensors").write_bytes(data)
    with pytest.raises(IntegrityError, match="is damaged"):
        load_policy(saved)
    (saved / "model.safetensors").unlink()
    with pytest.raises(IntegrityError, match="is missing"):
        load_policy(saved)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"name": "flow_mlp"}, UnknownName, "Unknown architecture 'flow_mlp'"),
        ({"architecture": {"width": 128}}, IntegrityError, "does not fit this pi0"),
        ({"settings": {}}, IntegrityError, "architecture"),
        ({"settings": {"kind": "ee", "dt": 0.05, "cameras": ["top"], "steps": 1}},
         IntegrityError, "another chunk"),
    ],
)  # fmt: skip
def test_another_meaning_of_the_same_weights_is_refused(
    saved: Path, change: dict[str, object], error: type[Exception], message: str
) -> None:
    document = read_document(saved / "manifest.json")
    document["architecture"] |= change
    write_document(saved / "manifest.json", document)
    with pytest.raises(error, match=message):
        load_policy(saved)


def test_whoever_loads_policies_gets_a_pi0_too(saved: Path) -> None:
    found = checkpoint.load_checkpoint(saved, Expectation(robot=ROBOT, architecture="pi0"))
    assert isinstance(found.policy, Pi0Policy)
    assert (found.manifest.version, found.manifest.step) == ("v000003", 3)
    observation = canned_observation(ROBOT, found.policy.spec)
    assert np.array_equal(
        found.policy.predict(observation, "go", seed=1), build().predict(observation, "go", seed=1)
    )
    assert warm_up(found.policy, "go") > 0.0
    again = saved.with_name("v000004")
    manifest = checkpoint.save_checkpoint(again, found.policy, version="v000004", step=4)
    assert checkpoint.read_manifest(again).sha256 == manifest.sha256


def test_a_published_checkpoint_is_not_mistaken_for_one_of_hiors(tmp_path: Path) -> None:
    pi0.save(tmp_path, build().model)
    with pytest.raises(IntegrityError, match="hiors convert --to hiors"):
        checkpoint.load_policy(tmp_path)


def test_a_flipped_bit_and_other_columns_are_refused_by_whoever_loads(saved: Path) -> None:
    with pytest.raises(InvalidValue, match=r"names: .* instead of left_joint1"):
        checkpoint.load_policy(saved, Expectation(names=("left_joint1",)))
    with pytest.raises(InvalidValue, match="architecture: pi0 instead of flow_mlp"):
        checkpoint.load_policy(saved, Expectation(architecture="flow_mlp"))
    file = saved / MODEL
    data = bytearray(file.read_bytes())
    data[-100] ^= 1
    file.write_bytes(data)
    with pytest.raises(IntegrityError, match="damaged"):
        checkpoint.load_policy(saved)
    file.write_bytes(data[:-64])
    with pytest.raises(IntegrityError, match="damaged"):
        checkpoint.load_policy(saved)
