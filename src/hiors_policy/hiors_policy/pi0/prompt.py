# SPDX-License-Identifier: Apache-2.0
"""Instructions as tokens: PaliGemma's tokenizer, found on disk, and a stand-in for tests."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from hiors_core.errors import HiorsError, InvalidValue

_LOG = logging.getLogger(__name__)
_NAMES = ("paligemma_tokenizer.model", "tokenizer.model", "tokenizer.json")
_VARIABLE = "HIORS_PALIGEMMA_TOKENIZER"
_BOS, _NEWLINE_ID = 2, 108


class Tokenizer(Protocol):
    """What a prompt needs of a tokenizer."""

    def encode(self, text: str) -> list[int]:
        """Return the tokens of an instruction: start, text, newline; no padding."""


class PaliGemmaTokenizer:
    """The published tokenizer, from a SentencePiece file or a tokenizers JSON file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        try:
            if file.suffix == ".json":
                from tokenizers import Tokenizer as Fast

                fast = Fast.from_file(str(file))
                self._pieces = lambda text: list(fast.encode(text, add_special_tokens=False).ids)
            else:
                from sentencepiece import SentencePieceProcessor

                processor = SentencePieceProcessor(model_file=str(file))
                self._pieces = lambda text: list(processor.encode(text))
        except ImportError as error:
            raise HiorsError(f"The tokenizer {file} needs the package '{error.name}'") from error
        except Exception as error:  # both libraries raise bare Exception or RuntimeError
            raise HiorsError(f"{file} is not a tokenizer file: {error}") from error
        self._newline = self._pieces("\n")

    def encode(self, text: str) -> list[int]:
        return [_BOS, *self._pieces(cleaned(text)), *self._newline]


class ByteTokenizer:
    """Stand-in without a file: one token per byte. For tests and the tiny network only."""

    def encode(self, text: str) -> list[int]:
        return [_BOS, *(3 + byte for byte in cleaned(text).encode()), _NEWLINE_ID]


def cleaned(text: str) -> str:
    """Return an instruction on one line, as openpi cleans it."""
    return text.strip().replace("_", " ").replace("\n", " ")


def load_tokenizer(path: str | Path | None = None, checkpoint: Path | None = None) -> Tokenizer:
    """Find PaliGemma's tokenizer: at ``path``, beside the checkpoint, or in a known cache."""
    if path is not None:
        chosen = _in_folder(Path(path))
        if chosen is None:
            raise HiorsError(f"No tokenizer at {path}: expected one of {', '.join(_NAMES)}")
        return PaliGemmaTokenizer(chosen)
    places = _places(checkpoint)
    for place in places:
        if (file := _in_folder(place)) is not None:
            return PaliGemmaTokenizer(file)
    looked = ", ".join(str(place) for place in places)
    raise HiorsError(
        "PaliGemma's tokenizer is not on this machine, and it is not part of a pi0 checkpoint. "
        "Get it once, either without an account: gs://big_vision/paligemma_tokenizer.model "
        "(https://storage.googleapis.com/big_vision/paligemma_tokenizer.model), or after agreeing "
        "to its licence on the Hugging Face hub: huggingface.co/google/paligemma-3b-pt-224. Put "
        f"the file beside the checkpoint or name it in {_VARIABLE}. Looked in: {looked}."
    )


def tokenize(
    tokenizer: Tokenizer, texts: Sequence[str], length: int, vocab: int
) -> tuple[Tensor, Tensor]:
    """Return (B, length) int64 tokens padded with 0 on the right, and (B, length) bool."""
    tokens = torch.zeros(len(texts), length, dtype=torch.int64)
    mask = torch.zeros(len(texts), length, dtype=torch.bool)
    for row, text in enumerate(texts):
        ids = tokenizer.encode(text)
        if len(ids) > length:
            _LOG.warning("The instruction has %d tokens, cut to %d: %r", len(ids), length, text)
            ids = ids[:length]
        if max(ids) >= vocab:
            raise InvalidValue(
                f"The tokenizer gives token {max(ids)}, the network knows {vocab}: "
                "it is another model's tokenizer"
            )
        tokens[row, : len(ids)] = torch.tensor(ids)
        mask[row, : len(ids)] = True
    return tokens, mask


def _places(checkpoint: Path | None) -> list[Path]:
    home = Path.home() / ".cache"
    hub = Path(os.environ.get("HF_HOME", home / "huggingface")) / "hub"
    snapshots = sorted((hub / "models--google--paligemma-3b-pt-224" / "snapshots").glob("*"))
    openpi = Path(os.environ.get("OPENPI_DATA_HOME", home / "openpi"))
    named = os.environ.get(_VARIABLE)
    return [
        *([Path(named)] if named else []),
        *([checkpoint] if checkpoint else []),
        openpi / "big_vision",
        *snapshots,
    ]


def _in_folder(place: Path) -> Path | None:
    if place.is_file():
        return place
    return next((place / name for name in _NAMES if (place / name).is_file()), None)
