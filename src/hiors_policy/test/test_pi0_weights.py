# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of all formats load bit by bit; a damaged or strange one is refused by name."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from hiors_core.errors import HiorsError, IntegrityError, InvalidValue, UnknownName
from hiors_policy import pi0
from hiors_policy.pi0.architecture import infer_config
from hiors_policy.pi0.keymaps import EMBEDDING, TIED, UNUSED
from hiors_policy.pi0.weights import expected_shapes

CONFIG = pi0.tiny_config()
P = "paligemma_with_expert.paligemma."


@pytest.fixture(scope="module")
def model() -> pi0.Pi0:
    return pi0.Pi0.random(CONFIG, std=0.1)


@pytest.fixture(scope="module")
def normalizer() -> pi0.Normalizer:
    generator = torch.Generator().manual_seed(0)
    rows = [torch.randn(50, 7, generator=generator).numpy() for _ in range(2)]
    return pi0.Normalizer(state=pi0.Scale.fit(rows[0]), action=pi0.Scale.fit(rows[1]))


@pytest.fixture
def folder(tmp_path: Path, model: pi0.Pi0) -> Path:
    pi0.save(tmp_path / "source", model)
    return tmp_path / "source"


def same(first: pi0.Pi0, second: pi0.Pi0) -> bool:
    pairs = zip(first.state_dict().items(), second.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


def change(folder: Path, edit: Callable[[dict[str, Tensor]], None]) -> Path:
    file = folder / "model.safetensors"
    tensors = {name: tensor.clone() for name, tensor in load_file(file).items()}
    edit(tensors)
    save_file(tensors, file)
    return folder


def drop(tensors: dict[str, Tensor], name: str) -> None:
    del tensors[name]


@pytest.mark.parametrize("fmt", pi0.FORMATS)
def test_every_format_is_read_back_bit_by_bit(
    tmp_path: Path, model: pi0.Pi0, normalizer: pi0.Normalizer, fmt: str
) -> None:
    pi0.save(tmp_path, model, normalizer=normalizer, fmt=fmt)
    found = pi0.load(tmp_path)
    assert found.config == CONFIG
    assert same(found, model)
    scales = pi0.load_normalizer(tmp_path)
    assert scales is not None
    assert scales.as_dict() == normalizer.as_dict()


@pytest.mark.parametrize("fmt", pi0.FORMATS)
def test_conversion_there_and_back_changes_nothing(
    tmp_path: Path, folder: Path, model: pi0.Pi0, fmt: str
) -> None:
    pi0.convert(folder, tmp_path / "there", fmt)
    pi0.convert(tmp_path / "there", tmp_path / "back", "openpi")
    before = load_file(folder / "model.safetensors")
    after = load_file(tmp_path / "back" / "model.safetensors")
    assert before.keys() == after.keys()
    assert all(torch.equal(after[n], t) for n, t in before.items())
    assert same(pi0.load(tmp_path / "there"), model)


def test_names_on_disk_are_those_of_each_format(tmp_path: Path, model: pi0.Pi0) -> None:
    rest = "layers.0.self_attn.q_proj.weight"
    expected = {
        "openpi": f"{P}model.language_model.{rest}",
        "transformers": f"{P}model.language_model.{rest}",
        "lerobot": f"model.{P}model.language_model.{rest}",
        "lerobot_legacy": f"model.{P}language_model.model.{rest}",
    }
    for fmt, name in expected.items():
        pi0.save(tmp_path / fmt, model, fmt=fmt)
        names = set(load_file(tmp_path / fmt / "model.safetensors"))
        assert name in names
        assert len(names) == len(expected_shapes(CONFIG)) + 1
    assert TIED in names or f"model.{P}language_model.lm_head.weight" in names
    assert EMBEDDING not in load_file(tmp_path / "openpi" / "model.safetensors")


def test_the_native_class_reads_ours_and_we_read_its(tmp_path: Path, model: pi0.Pi0) -> None:
    from transformers import PI0ForConditionalGeneration

    pi0.save(tmp_path / "ours", model, fmt="transformers")
    native, info = PI0ForConditionalGeneration.from_pretrained(
        tmp_path / "ours", output_loading_info=True
    )
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    native.save_pretrained(tmp_path / "theirs")
    assert same(pi0.load(tmp_path / "theirs"), model)
    save_file(
        {n: t.clone() for n, t in native.state_dict().items()}, tmp_path / "modules.safetensors"
    )
    sizes = {"vision_heads": 2, "horizon": 10, "prompt_tokens": 16}
    assert same(pi0.load(tmp_path / "modules.safetensors", sizes=sizes), model)
    fresh = PI0ForConditionalGeneration(native.config)
    fresh.save_pretrained(tmp_path / "fresh")
    norm = pi0.load(tmp_path / "fresh").native.model.dit.norm.weight
    assert torch.equal(norm, fresh.model.dit.norm.weight)


def test_shapes_alone_tell_the_sizes_of_the_published_network() -> None:
    shapes = expected_shapes(pi0.full_config())
    assert infer_config(shapes, {}) == pi0.full_config()
    assert len(shapes) == 776
    assert sum(torch.Size(shape).numel() for shape in shapes.values()) == 3_238_048_528
    assert shapes["action_time_mlp_in.weight"] == (1024, 2048)


def test_missing_tensors_are_named(folder: Path) -> None:
    change(folder, lambda t: drop(t, "state_proj.bias"))
    with pytest.raises(IntegrityError, match=r"1 missing: state_proj\.bias"):
        pi0.load(folder)


def test_unexpected_tensors_are_named(folder: Path) -> None:
    change(folder, lambda t: t.update({"third_arm.weight": torch.zeros(2)}))
    with pytest.raises(IntegrityError, match=r"1 unexpected: third_arm\.weight"):
        pi0.load(folder)


def test_misshapen_tensors_are_named_with_both_shapes(folder: Path) -> None:
    change(folder, lambda t: t.update({"action_out_proj.bias": torch.zeros(31)}))
    with pytest.raises(IntegrityError, match=r"action_out_proj\.bias is \(31,\), not \(32,\)"):
        pi0.load(folder)


def test_an_adapter_left_unmerged_is_not_dropped_in_silence(folder: Path) -> None:
    name = "paligemma_with_expert.gemma_expert.model.layers.0.mlp.up_proj.lora_A.weight"
    change(folder, lambda t: t.update({name: torch.zeros(2, 2)}))
    with pytest.raises(IntegrityError, match="lora_A"):
        pi0.load(folder)


def test_weights_that_are_no_numbers_are_refused(folder: Path) -> None:
    def spoil(tensors: dict[str, Tensor]) -> None:
        tensors["action_in_proj.weight"][3, 4] = torch.nan

    change(folder, spoil)
    with pytest.raises(IntegrityError, match=r"action_in_proj\.weight holds values"):
        pi0.load(folder)
    with pytest.raises(IntegrityError, match=r"action_in_proj\.weight holds values"):
        pi0.convert(folder, folder.parent / "other", "lerobot")


def test_a_truncated_or_garbled_file_is_refused(folder: Path) -> None:
    file = folder / "model.safetensors"
    whole = file.read_bytes()
    for bad in (whole[:-10], whole[:40], b"", b"\xff" * 8 + whole[8:]):
        file.write_bytes(bad)
        with pytest.raises(IntegrityError, match="not a whole safetensors file"):
            pi0.load(folder)


def test_other_networks_are_told_apart(folder: Path, tmp_path: Path) -> None:
    save_file({"encoder.weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(IntegrityError, match=r"is no pi0: .*encoder\.weight"):
        pi0.load(tmp_path / "other.safetensors")
    change(folder, lambda t: t.update({"time_mlp_in.weight": torch.zeros(2)}))
    with pytest.raises(InvalidValue, match=r"pi0\.5"):
        pi0.load(folder)
    with pytest.raises(InvalidValue, match="No checkpoint at"):
        pi0.load(tmp_path / "nowhere")


def test_the_embedding_may_come_under_either_name_or_both(folder: Path, model: pi0.Pi0) -> None:
    change(folder, lambda t: t.update({EMBEDDING: t[TIED].clone()}))
    assert same(pi0.load(folder), model)
    change(folder, lambda t: drop(t, TIED))
    assert same(pi0.load(folder), model)
    change(folder, lambda t: drop(t, UNUSED))
    assert same(pi0.load(folder), model)


def test_sharded_checkpoints_load(folder: Path, model: pi0.Pi0) -> None:
    file = folder / "model.safetensors"
    tensors = load_file(file)
    file.unlink()
    names = sorted(tensors)
    parts = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for part, members in parts.items():
        save_file({n: tensors[n] for n in members}, folder / part)
    index = {"weight_map": {n: part for part, members in parts.items() for n in members}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert same(pi0.load(folder), model)
    index["weight_map"][names[0]] = "../outside.safetensors"
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(IntegrityError, match="outside its folder"):
        pi0.load(folder)


def test_bfloat16_keeps_what_openpi_keeps(folder: Path) -> None:
    state = pi0.load(folder, dtype=torch.bfloat16).native.state_dict()
    exact = {name for name, tensor in state.items() if tensor.dtype == torch.float32}
    kept = ("patch_embedding", "position_embedding", "layernorm\\.weight", "\\.norm\\.", "embed_a")
    pattern = "|".join((*kept, "action_out"))
    assert exact == {
        n for n in state if re.search(pattern, n) and "vision_tower.post_layernorm" not in n
    }


def test_a_loaded_network_does_not_hang_on_its_file(folder: Path, model: pi0.Pi0) -> None:
    loaded = pi0.load(folder)
    with (folder / "model.safetensors").open("r+b") as file:
        file.seek(20000)
        file.write(b"\0" * 50000)
    assert same(loaded, model)


def test_statistics_of_lerobot_old_and_new_are_found(
    tmp_path: Path, model: pi0.Pi0, normalizer: pi0.Normalizer
) -> None:
    pi0.save(tmp_path / "new", model, normalizer=normalizer, fmt="lerobot")
    (tmp_path / "new" / "pi0.json").unlink()
    shutil.rmtree(tmp_path / "new" / "assets")
    for pipeline in ("policy_preprocessor", "policy_postprocessor"):
        steps = json.loads((tmp_path / "new" / f"{pipeline}.json").read_text())["steps"]
        (stored,) = [step["state_file"] for step in steps if "state_file" in step]
        assert "action.mean" in load_file(tmp_path / "new" / stored)
    pi0.save(tmp_path / "old", model, fmt="lerobot_legacy")
    buffers = {
        "model.normalize_inputs.buffer_observation_state": normalizer.state,
        "model.unnormalize_outputs.buffer_action": normalizer.action,
    }
    named = {
        f"{key.removeprefix('model.')}.{stat}": torch.tensor(getattr(scale, stat))
        for key, scale in buffers.items()
        for stat in ("mean", "std")
    }
    change(tmp_path / "old", lambda t: t.update(named))
    assert same(pi0.load(tmp_path / "old"), model)
    for name in ("new", "old"):
        found = pi0.load_normalizer(tmp_path / name)
        assert found is not None
        assert found.action.mean == pytest.approx(normalizer.action.mean)
        assert found.state.std == pytest.approx(normalizer.state.std)


def test_one_of_several_assets_must_be_named(folder: Path, normalizer: pi0.Normalizer) -> None:
    for asset in ("droid", "trossen"):
        place = folder / "assets" / asset
        place.mkdir(parents=True)
        (place / "norm_stats.json").write_text(json.dumps(normalizer.as_dict()))
    with pytest.raises(InvalidValue, match="'droid', 'trossen'"):
        pi0.load_normalizer(folder)
    with pytest.raises(UnknownName, match="Did you mean 'droid'"):
        pi0.load_normalizer(folder, "droit")
    assert pi0.load_normalizer(folder, "droid") is not None
    (folder / "assets" / "droid" / "norm_stats.json").write_text("{")
    with pytest.raises(HiorsError, match="Cannot read"):
        pi0.load_normalizer(folder, "droid")


def test_an_unknown_format_or_the_same_place_is_refused(folder: Path) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'openpi'"):
        pi0.convert(folder, folder.parent / "x", "openpie")
    with pytest.raises(InvalidValue, match="Source and destination"):
        pi0.convert(folder, folder, "openpi")


def test_sizes_are_checked() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'horizon'"):
        pi0.tiny_config(horizn=3)
    with pytest.raises(InvalidValue, match="image_size must be a multiple of patch_size"):
        pi0.tiny_config(image_size=57)
    with pytest.raises(InvalidValue, match="layers must be above 0"):
        pi0.tiny_config(layers=0)


def test_an_unusual_number_of_heads_is_asked_for_aloud(
    folder: Path, model: pi0.Pi0, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "pi0.json").unlink()
    pi0.load(folder)
    assert "SigLIP heads of this unusual width 32: taking 16" in caplog.text
    caplog.clear()
    (folder / "config.json").write_text('{"vision_heads": 2, "action_horizon": 10}')
    found = pi0.load(folder)
    assert (found.config.vision_heads, found.config.horizon) == (2, 10)
    assert not caplog.text
    assert same(found, model)
