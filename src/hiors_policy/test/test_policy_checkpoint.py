# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: whole or not there, and every fault refused with what differs (reliability: rows 15
and 19).
"""

import dataclasses
import hashlib
import json
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from dying import die_at
from policy_scene import observation, robot, shake, state_policy, vision_policy

from hiors_core.checkpoints import MANIFEST, MODEL
from hiors_core.clock import FakeClock
from hiors_core.durable import read_document, write_document
from hiors_core.errors import HiorsError, IntegrityError, InvalidValue, UnknownName
from hiors_policy import checkpoint, restoring
from hiors_policy.checkpoint import load_checkpoint, load_policy, read_latest, save_checkpoint
from hiors_policy.hashes import hashes_of
from hiors_policy.manifest import Expectation, expect_spec


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    target = tmp_path / "v000120"
    save_checkpoint(
        target,
        shake(state_policy()),
        version="v000120",
        step=120,
        parent="v000100",
        data_ids=("e1", "e2"),
        clock=FakeClock(77),
    )
    return target


def retell(folder: Path, **changes) -> None:
    """Change the manifest as somebody would who also makes its digest right."""
    path = folder / MANIFEST
    write_document(path, {**read_document(path), **changes})


def reweigh(folder: Path, change) -> None:
    """Change the weights and put their hash right in the manifest, as one hash of the whole."""
    tensors = safetensors.torch.load_file(folder / MODEL)
    change(tensors)
    data = safetensors.torch.save(tensors)
    (folder / MODEL).write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    retell(folder, sha256=sha256, size=len(data), part_size=0, parts=[])


def test_what_is_loaded_is_what_was_saved(folder: Path):
    loaded = load_checkpoint(folder)
    seen = observation(3)
    expected = shake(state_policy()).predict(seen, seed=3)
    np.testing.assert_array_equal(loaded.policy.predict(seen, seed=3), expected)
    manifest = loaded.manifest
    assert (manifest.version, manifest.step, manifest.parent) == ("v000120", 120, "v000100")
    assert manifest.data_ids == ("e1", "e2")
    assert manifest.created == 77
    assert manifest.spec == state_policy().spec
    assert list(manifest.features["names"]) == list(state_policy().encoder.names)


def test_no_random_weights_are_drawn_only_to_be_replaced(folder: Path, monkeypatch):
    made = []
    build = restoring._build

    def watched(*how):
        before = torch.get_rng_state()
        monkeypatch.setattr(torch.random, "fork_rng", lambda **_: nullcontext())
        monkeypatch.setattr(torch, "manual_seed", lambda seed: None)
        made.append(build(*how))
        assert torch.equal(torch.get_rng_state(), before)
        return made[0]

    monkeypatch.setattr(restoring, "_build", watched)
    assert load_policy(folder) is made[0]


def test_a_policy_on_images_survives_as_well(tmp_path: Path):
    policy = shake(vision_policy())
    save_checkpoint(tmp_path / "v1", policy, version="v1", step=0)
    seen = observation(cameras=("top", "left_wrist"))
    again = load_policy(tmp_path / "v1").predict(seen, seed=1)
    np.testing.assert_array_equal(again, policy.predict(seen, seed=1))


def test_the_normalisation_is_inside(tmp_path: Path):
    policy = shake(state_policy())
    policy.network.action_std.fill_(0.25)
    save_checkpoint(tmp_path / "v1", policy, version="v1", step=0)
    assert torch.all(load_policy(tmp_path / "v1").network.action_std == 0.25)


def test_a_checkpoint_is_never_overwritten(folder: Path):
    with pytest.raises(InvalidValue, match="exists"):
        save_checkpoint(folder, state_policy(), version="v000120", step=1)


def test_a_version_with_a_path_in_it_is_refused(tmp_path: Path):
    with pytest.raises(InvalidValue, match="not allowed"):
        save_checkpoint(tmp_path / "x", state_policy(), version="../x", step=1)


@pytest.mark.parametrize("place", [0.02, 0.3, 0.7, 0.999])
def test_a_flipped_bit_is_refused(folder: Path, place: float):
    path = folder / MODEL
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 1
    path.write_bytes(data)
    with pytest.raises(IntegrityError, match="is damaged: sha256"):
        load_policy(folder)


def test_a_flipped_bit_in_the_manifest_is_refused(folder: Path):
    path = folder / MANIFEST
    path.write_bytes(path.read_bytes().replace(b'"step": 120', b'"step": 121'))
    with pytest.raises(IntegrityError, match="digest"):
        load_policy(folder)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
@pytest.mark.parametrize("name", [MODEL, MANIFEST])
def test_a_truncated_file_is_refused(folder: Path, name: str, share: float):
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: int(share * len(data))])
    with pytest.raises(IntegrityError, match=name.split(".")[0]):
        load_policy(folder)


@pytest.mark.parametrize("name", [MODEL, MANIFEST])
def test_a_missing_file_is_refused(folder: Path, name: str):
    (folder / name).unlink()
    with pytest.raises(IntegrityError, match=name):
        load_policy(folder)


def test_weights_that_are_not_finite_are_refused(folder: Path):
    reweigh(folder, lambda t: t["field.norm.bias"].fill_(float("nan")))
    with pytest.raises(IntegrityError, match=r"not finite: field\.norm\.bias"):
        load_policy(folder)


def test_weights_that_are_not_finite_explain_any_other_trouble(folder: Path, monkeypatch):
    def fails(*_):
        raise InvalidValue("the trial failed")

    monkeypatch.setattr(restoring, "chunk_difference", fails)
    with pytest.raises(InvalidValue, match="the trial failed"):
        load_policy(folder)
    reweigh(folder, lambda t: t["field.norm.bias"].fill_(float("nan")))
    with pytest.raises(IntegrityError, match="not finite"):
        load_policy(folder)


def test_weights_that_are_not_finite_are_not_even_saved(tmp_path: Path):
    policy = state_policy()
    with torch.no_grad():
        policy.network.field.norm.bias.fill_(float("inf"))
    with pytest.raises(IntegrityError, match="not finite"):
        save_checkpoint(tmp_path / "v1", policy, version="v1", step=1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("field.norm.bias"), r"missing field\.norm\.bias"),
        (lambda t: t.update(more=torch.zeros(1)), "unexpected more"),
        (lambda t: t.update(state_mean=torch.zeros(3)), r"state_mean is \(3,\).*instead of"),
        (lambda t: t.update(state_mean=t["state_mean"].half()), "float16.*instead of.*float32"),
    ],
)
def test_other_weights_are_refused(folder: Path, change, message: str):
    reweigh(folder, change)
    with pytest.raises(IntegrityError, match=message):
        load_policy(folder)


def test_another_architecture_is_refused(folder: Path):
    retell(folder, architecture={"name": "flow_mpl"})
    with pytest.raises(UnknownName, match=r"architecture 'flow_mpl'.*Did you mean 'flow_mlp'"):
        load_policy(folder)


def test_another_size_of_the_same_architecture_is_refused(folder: Path):
    wider = {**read_document(folder / MANIFEST)["architecture"], "width": 48}
    retell(folder, architecture=wider)
    with pytest.raises(IntegrityError, match="instead of"):
        load_policy(folder)


def test_features_that_this_code_does_not_compute_are_refused(folder: Path):
    features = read_document(folder / MANIFEST)["features"]
    retell(folder, features={**features, "names": features["names"][::-1]})
    with pytest.raises(IntegrityError, match="features"):
        load_policy(folder)


def test_columns_of_another_robot_are_refused(folder: Path):
    spec = read_document(folder / MANIFEST)["spec"]
    retell(folder, spec={**spec, "names": ["arm" + n for n in spec["names"]]})
    with pytest.raises(IntegrityError, match="armleft_x"):
        load_policy(folder)


def test_a_canned_observation_shows_that_the_code_has_changed(folder: Path, monkeypatch):
    encode = state_policy().encoder.__class__.encode
    monkeypatch.setattr(
        "hiors_policy.observation.StateEncoder.encode", lambda self, o: encode(self, o) + 0.1
    )
    with pytest.raises(IntegrityError, match="canned observation"):
        load_policy(folder)


SPEC = state_policy().spec


@pytest.mark.parametrize(
    ("expect", "message"),
    [
        (Expectation(kind="joint"), "kind: ee instead of joint"),
        (Expectation(names=("a", "b")), "names: left_x.*instead of a, b"),
        (Expectation(units=("m",)), "units: m, m, m, rad.*instead of m"),
        (Expectation(horizon=16), "horizon: 8 instead of 16"),
        (Expectation(dt=0.05), r"dt: 0\.1 instead of 0\.05"),
        (Expectation(architecture="pi0"), "architecture: flow_mlp instead of pi0"),
        (Expectation(objects=("box",)), "objects: needs hole, there is box"),
        (Expectation(robot=robot("right")), "arms: left instead of right"),
        (Expectation(horizon=16, dt=0.2), "horizon.*; dt"),
    ],
)
def test_what_was_not_expected_is_named(folder: Path, expect: Expectation, message: str):
    with pytest.raises(InvalidValue, match=message):
        load_policy(folder, expect)


def test_another_home_is_another_robot(folder: Path):
    arm = robot().arms[0]
    moved = dataclasses.replace(arm, home=arm.home + 0.1)
    other = dataclasses.replace(robot(), arms=(moved,))
    with pytest.raises(InvalidValue, match="robot: home of arm 'left'"):
        load_policy(folder, Expectation(robot=other))


def test_the_same_robot_and_spec_are_welcome(folder: Path):
    load_policy(folder, expect_spec(SPEC, robot()))


def save_one(folder: Path) -> None:
    save_checkpoint(folder / "v1", state_policy(), version="v1", step=1)


@pytest.mark.parametrize("point", ["checkpoint-model:aside", "checkpoint:aside"])
def test_a_crash_while_saving_leaves_nothing(tmp_path: Path, point: str):
    die_at(point, lambda: save_one(tmp_path))
    assert not (tmp_path / "v1").exists()
    save_one(tmp_path)
    load_policy(tmp_path / "v1")


def test_a_crash_after_the_rename_leaves_all_of_it(tmp_path: Path):
    die_at("checkpoint:renamed", lambda: save_one(tmp_path))
    load_policy(tmp_path / "v1")


def test_latest_names_the_newest(tmp_path: Path):
    assert read_latest(tmp_path) is None
    manifest = save_checkpoint(tmp_path / "v1", state_policy(), version="v1", step=1)
    checkpoint.write_latest(tmp_path, tmp_path / "v1", manifest)
    assert read_latest(tmp_path) == tmp_path / "v1"
    content = json.loads((tmp_path / "latest.json").read_text())
    assert content["sha256"] == manifest.sha256
    write_document(tmp_path / "latest.json", {"version": "../../etc"})
    with pytest.raises(HiorsError, match="not allowed"):
        read_latest(tmp_path)


@pytest.mark.parametrize("parts", [{"part_size": 0}, {"parts": ["0" * 64] * 9}, {"parts": []}])
def test_the_hash_of_the_whole_is_enough(folder: Path, parts):
    retell(folder, **parts)
    load_checkpoint(folder)
    retell(folder, **parts, sha256="0" * 64)
    with pytest.raises(IntegrityError, match="is damaged: sha256"):
        load_checkpoint(folder)


def test_parts_are_hashed_as_the_manifest_says_and_an_old_one_means_sha256(folder: Path):
    manifest = read_document(folder / MANIFEST)
    assert manifest["part_hash"] == "blake3"
    data = (folder / MODEL).read_bytes()
    parts = list(hashes_of(data, 1000, "sha256").parts)
    del manifest["part_hash"]
    old = {**manifest, "part_size": 1000, "parts": parts, "sha256": "0" * 64}
    write_document(folder / MANIFEST, old)
    load_checkpoint(folder)
    retell(folder, part_hash="blake3")
    with pytest.raises(IntegrityError, match="is damaged"):
        load_checkpoint(folder)


@pytest.mark.parametrize("kind", ["blake", "", None, ["sha256"]])
def test_a_hash_that_nobody_knows_is_refused(folder: Path, kind):
    retell(folder, part_hash=kind)
    with pytest.raises(IntegrityError, match=r"Unknown part_hash.*Allowed: blake3, sha256"):
        load_checkpoint(folder)


def test_a_number_of_bytes_that_is_none_is_refused(folder: Path):
    retell(folder, part_size="x")
    with pytest.raises(IntegrityError, match="not complete"):
        load_checkpoint(folder)
