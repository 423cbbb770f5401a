# SPDX-License-Identifier: Apache-2.0
"""Tensors in safetensors files, one or several. Knows no names and no network."""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hiors_core.errors import IntegrityError, InvalidValue
from hiors_policy.tensor_file import KINDS, Place, read_places

Change = Callable[[str, Tensor], Tensor]

MODEL_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
_DTYPES = {kind: name for name, kind in KINDS.items()}


class TensorFiles(Mapping[str, Tensor]):
    """The tensors of a checkpoint, each read when it is asked for, and each time anew."""

    def __init__(self, path: Path) -> None:
        self.folder = path if path.is_dir() else path.parent
        self._stack = contextlib.ExitStack()
        self._places: dict[str, tuple[BufferedReader, Place]] = {}
        try:
            for file in _files(path):
                self._open(file)
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> "TensorFiles":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __getitem__(self, name: str) -> Tensor:
        """Read a tensor. It is in memory, not a map of the file, which may be replaced."""
        file, place = self._places[name]
        data = torch.empty(place.end - place.begin, dtype=torch.uint8)
        file.seek(place.begin)
        if file.readinto(data.numpy().data) != len(data):
            raise IntegrityError(f"{file.name} became shorter while it was read")
        return data.view(place.kind).view(place.shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of all tensors."""
        return {name: place.shape for name, (_, place) in self._places.items()}

    def outline(self, name: str) -> Tensor:
        """Return shape and type of a tensor, without content (device "meta")."""
        place = self._places[name][1]
        return torch.empty(place.shape, dtype=place.kind, device="meta")

    def _open(self, file: Path) -> None:
        try:
            opened = self._stack.enter_context(file.open("rb"))
            self._places |= {name: (opened, place) for name, place in read_places(file).items()}
        except (IntegrityError, OSError) as error:
            raise IntegrityError(f"{error}. Fetch it again.") from error


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if (path / MODEL_FILE).is_file():
        return [path / MODEL_FILE]
    if (path / INDEX_FILE).is_file():
        index = read_json(path / INDEX_FILE)
        names = sorted(set(index.get("weight_map", {}).values()))
        if any(Path(name).name != name for name in names):
            raise IntegrityError(f"{path / INDEX_FILE} names files outside its folder: {names}")
        return [path / name for name in names]
    raise InvalidValue(
        f"No checkpoint at {path}: expected a .safetensors file, or a folder with {MODEL_FILE} "
        f"or {INDEX_FILE}. A JAX checkpoint must first go through openpi's "
        "examples/convert_jax_model_to_pytorch.py."
    )


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON object, or an empty one when there is no such file."""
    if not path.is_file():
        return {}
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise IntegrityError(f"Cannot read {path}: {error}") from error
    if not isinstance(data, dict):
        raise IntegrityError(f"{path} must hold a JSON object")
    return data


def write_tensors(
    file: Path,
    tensors: Mapping[str, Tensor],
    change: Callable[[str, Tensor], Tensor] | None = None,
) -> None:
    """Write a safetensors file aside and rename it, so that no half file has the name.

    One tensor after the other, without the second copy of all that the format's own writer makes.

    Args:
        change: gives the tensor to be written under a name; it must keep the shape. Asked with an
            empty tensor, it tells the type.
    """
    aside = file.with_name(f".{file.name}.part")
    # As the format's own writer: larger elements first, so that each is aligned.
    kinds = {n: _kind(change, n, tensor) for n, tensor in tensors.items()}
    order = sorted(tensors, key=lambda name: (-kinds[name].itemsize, name))
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name in order:
        begin, end = end, end + tensors[name].numel() * kinds[name].itemsize
        shape = list(tensors[name].shape)
        header[name] = {
            "dtype": _DTYPES[kinds[name]], "shape": shape, "data_offsets": [begin, end],
        }  # fmt: skip
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    try:
        with aside.open("wb") as out:
            out.write(len(text).to_bytes(8, "little") + text)
            for name in order:
                tensor = change(name, tensors[name]) if change else tensors[name]
                flat = tensor.detach().to("cpu").contiguous().reshape(-1)
                out.write(flat.view(torch.uint8).numpy().data)
        aside.replace(file)
    finally:
        aside.unlink(missing_ok=True)


def _kind(change: Change | None, name: str, tensor: Tensor) -> torch.dtype:
    kind = change(name, tensor.new_empty(0)).dtype if change else tensor.dtype
    if kind not in _DTYPES:
        raise InvalidValue(f"The tensor {name} is of type {kind}, which is not written")
    return kind
