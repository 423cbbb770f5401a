# SPDX-License-Identifier: Apache-2.0
"""Images, statistics and prompts on their way into pi0."""

import io
import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from hiors_core.errors import HiorsError, InvalidValue, UnknownName
from hiors_policy import pi0
from hiors_policy.pi0.images import camera_tensors, resize_with_padding
from hiors_policy.pi0.prompt import (
    ByteTokenizer,
    PaliGemmaTokenizer,
    cleaned,
    load_tokenizer,
    tokenize,
)


@pytest.fixture(scope="module")
def sentencepiece_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import sentencepiece

    words = ["put", "the", "block", "in", "box", "pick", "up", "cup", "and", "place", "it"]
    lines = [" ".join(words[i % 11 :] + words[: i % 11]) for i in range(200)]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=model, vocab_size=60, hard_vocab_limit=False,
        pad_id=0, eos_id=1, bos_id=2, unk_id=3, user_defined_symbols=["\n"],
        minloglevel=2, num_threads=1,
    )  # fmt: skip
    file = tmp_path_factory.mktemp("words") / "paligemma_tokenizer.model"
    file.write_bytes(model.getvalue())
    return file


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("OPENPI_DATA_HOME", str(tmp_path / "openpi"))
    monkeypatch.delenv("HIORS_PALIGEMMA_TOKENIZER", raising=False)
    return tmp_path


def test_a_wide_image_is_centred_between_black_borders() -> None:
    image = np.full((120, 160, 3), 200, dtype=np.uint8)
    framed = resize_with_padding(image, 56)
    assert framed.shape == (56, 56, 3)
    assert np.all(framed[:7] == 0)
    assert np.all(framed[49:] == 0)
    assert np.all(framed[7:49] == 200)
    tall = resize_with_padding(image.transpose(1, 0, 2), 56)
    assert np.array_equal(tall, framed.transpose(1, 0, 2))
    assert resize_with_padding(framed, 56) is framed


def test_shrinking_averages_instead_of_skipping_pixels() -> None:
    stripes = np.zeros((224, 224, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    middle = resize_with_padding(stripes, 56)[8:-8, 8:-8].astype(int)
    assert np.all(np.abs(middle - 127) < 20)


def test_pixels_run_from_minus_one_to_one_and_absent_cameras_are_black() -> None:
    white = np.full((56, 56, 3), 255, dtype=np.uint8)
    white[..., 0] = 0
    pixels, present = camera_tensors({"top": white}, ("top", "wrist"), 56)
    assert pixels.shape == (2, 3, 56, 56)
    assert present.tolist() == [True, False]
    assert torch.equal(pixels[0, 0], torch.full((56, 56), -1.0))
    assert torch.equal(pixels[0, 1], torch.ones(56, 56))
    assert torch.equal(pixels[1], torch.full((3, 56, 56), -1.0))


def test_what_is_no_image_is_refused() -> None:
    for bad in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)):
        with pytest.raises(InvalidValue, match="uint8"):
            resize_with_padding(bad, 56)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["mean_std", "quantile", "identity"])
def test_scaling_there_and_back(kind: pi0.normalization.Kind) -> None:
    random = np.random.default_rng(0)
    rows = random.normal(3.0, 2.0, (500, 7))
    scale = pi0.Scale.fit(rows)
    normalizer = pi0.Normalizer(state=scale, action=scale, kind=kind)
    scaled = normalizer.scale_actions(rows, 32)
    assert scaled.shape == (500, 32)
    assert np.all(scaled[:, 7:] == 0.0)
    assert normalizer.unscale_actions(scaled) == pytest.approx(rows, abs=1e-5)
    if kind == "mean_std":
        assert np.abs(scaled[:, :7].mean(0)).max() < 1e-5
        assert scaled[:, :7].std(0) == pytest.approx(np.ones(7), abs=1e-4)
    if kind == "quantile":
        assert np.mean(np.abs(scaled[:, :7]) <= 1.0) == pytest.approx(0.98, abs=0.01)
    copy = pi0.Normalizer.from_dict(normalizer.as_dict())
    assert np.array_equal(copy.scale_state(rows, 32), normalizer.scale_state(rows, 32))


def test_a_column_that_hardly_moves_is_not_blown_up() -> None:
    rows = np.random.default_rng(0).normal(0.0, 1.0, (100, 2))
    rows[:, 1] = 0.5 + 1e-9 * rows[:, 1]
    scale = pi0.Scale.fit(rows, floor=1e-2)
    for kind in ("mean_std", "quantile"):
        normalizer = pi0.Normalizer(state=scale, action=scale, kind=kind)
        assert np.abs(normalizer.scale_state([0.0, 0.51], 2)[1]) < 1.1


def test_statistics_that_do_not_fit_are_refused() -> None:
    normalizer = pi0.Normalizer.identity(7, 7)
    with pytest.raises(InvalidValue, match="8 columns, its statistics have 7"):
        normalizer.scale_state(np.zeros(8), 32)
    with pytest.raises(InvalidValue, match="network takes 4"):
        normalizer.scale_state(np.zeros(7), 4)
    with pytest.raises(InvalidValue, match="std >= 0"):
        pi0.Scale.make({"mean": [0.0], "std": [-1.0]})
    with pytest.raises(InvalidValue, match="finite"):
        pi0.Scale.make({"mean": [np.nan], "std": [1.0]})
    with pytest.raises(InvalidValue, match="mean and std"):
        pi0.Scale.make({"mean": [0.0]})
    with pytest.raises(InvalidValue, match="'state' and 'actions'"):
        pi0.Normalizer.from_dict({"norm_stats": {}})
    with pytest.raises(UnknownName, match="quantile"):
        pi0.Normalizer.from_dict({**normalizer.as_dict(), "kind": "minmax"})


def test_prompts_start_end_and_are_padded(sentencepiece_file: Path) -> None:
    tokenizer = PaliGemmaTokenizer(sentencepiece_file)
    ids = tokenizer.encode(" put_the block\nin the box ")
    assert ids == tokenizer.encode("put the block in the box")
    newline = tokenizer.encode("")[1:]
    assert ids[0] == 2
    assert ids[-len(newline) :] == newline
    tokens, mask = tokenize(tokenizer, ["put the cup", ""], 16, 320)
    assert tokens.shape == mask.shape == (2, 16)
    assert int(mask[0].sum()) > int(mask[1].sum())
    assert bool((tokens[~mask] == 0).all())


def test_a_long_prompt_is_cut_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        tokens, mask = tokenize(ByteTokenizer(), ["x" * 40], 16, 320)
    assert tokens.shape == (1, 16)
    assert bool(mask.all())
    assert "cut to 16" in caplog.text


def test_tokens_the_network_does_not_know_are_refused() -> None:
    with pytest.raises(InvalidValue, match="another model's tokenizer"):
        tokenize(ByteTokenizer(), ["ü"], 16, 100)


def test_cleaning_puts_an_instruction_on_one_line() -> None:
    assert cleaned("  pick_up\nit ") == "pick up it"


def test_the_tokenizer_is_found_beside_the_checkpoint_or_by_name(
    nowhere: Path, sentencepiece_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = load_tokenizer(checkpoint=sentencepiece_file.parent)
    assert found.encode("cup") == PaliGemmaTokenizer(sentencepiece_file).encode("cup")
    assert load_tokenizer(sentencepiece_file).encode("cup") == found.encode("cup")
    monkeypatch.setenv("HIORS_PALIGEMMA_TOKENIZER", str(sentencepiece_file))
    assert load_tokenizer().encode("cup") == found.encode("cup")


def test_without_the_gated_file_the_message_says_how_to_get_it(nowhere: Path) -> None:
    with pytest.raises(HiorsError) as caught:
        load_tokenizer()
    for part in ("paligemma-3b-pt-224", "big_vision", "HIORS_PALIGEMMA_TOKENIZER", str(nowhere)):
        assert part in str(caught.value)
    with pytest.raises(HiorsError, match="No tokenizer at"):
        load_tokenizer(nowhere / "missing.model")
    (nowhere / "tokenizer.model").write_bytes(b"not a model")
    with pytest.raises(HiorsError, match="is not a tokenizer file"):
        load_tokenizer(nowhere)
