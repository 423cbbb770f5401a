# SPDX-License-Identifier: Apache-2.0
"""A safetensors file read once: several threads read and hash its parts, and the tensors are views
of the very bytes that were hashed. Knows no names and no network.
"""

import json
import math
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hiors_core.errors import IntegrityError
from hiors_policy.hashes import HASHERS, THREADS, Hashes
from hiors_policy.rooms import Rooms

KINDS = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8,
    "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip
"""Number formats by their name in the file."""

_BLOCK = 1 << 20
"""Bytes read at once: they are hashed while they are in the processor's cache."""
_LENGTH = 8
_MAX_HEADER = 100_000_000
_ALIGNED = 64
"""Bytes, as torch allocates: elsewhere its kernels add in another order."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tensor lies. begin, end: bytes of the file."""

    kind: torch.dtype
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Content:
    """Content of a file, (size,) uint8, whose hashes were right."""

    path: Path
    data: Tensor

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors by name, aligned. Most share the memory of the content."""
        return {name: self._view(place) for name, place in self._places().items()}

    def _places(self) -> dict[str, Place]:
        size = len(self.data)
        length = int.from_bytes(self.data[:_LENGTH].numpy().tobytes(), "little")
        text = self.data[_LENGTH : _LENGTH + min(length, _MAX_HEADER)].numpy().tobytes()
        return places(self.path, size, length, text)

    def _view(self, place: Place) -> Tensor:
        part = self.data[place.begin : place.end]
        if part.data_ptr() % _ALIGNED:
            part = part.clone()
        return part.view(place.kind).view(place.shape)


def read_hashed(path: Path, expected: Hashes, rooms: Rooms | None = None) -> Content:
    """Read a file into memory on several threads, each of which hashes what it has read, or raise
    IntegrityError unless the hashes are those expected.
    """
    size, length = path.stat().st_size, expected.length
    if len(expected.parts) != -(-size // max(length, 1)):
        raise IntegrityError(
            f"{path}: {len(expected.parts)} hashes of {length} bytes each do not cover its {size}"
        )
    data = _room(path, size, rooms or Rooms())
    view = data.numpy().data

    def read(start: int) -> str:
        hasher, done, end = HASHERS[expected.kind](), start, min(start + length, size)
        while done < end and (
            count := os.preadv(descriptor, [view[done : min(done + _BLOCK, end)]], done)
        ):
            hasher.update(view[done : done + count])
            done += count
        if done < end:
            raise IntegrityError(f"{path} became shorter while it was read")
        return hasher.hexdigest()

    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with ThreadPoolExecutor(THREADS, thread_name_prefix="hash") as pool:
            found = list(pool.map(read, range(0, size, max(length, 1))))
    finally:
        os.close(descriptor)
    for number, (has, wanted) in enumerate(zip(found, expected.parts, strict=True)):
        if has != wanted:
            raise IntegrityError(
                f"{path} is damaged: {expected.kind} {has} instead of {wanted} from byte"
                f" {number * length} on"
            )
    return Content(path, data)


def _room(path: Path, size: int, rooms: Rooms) -> Tensor:
    """Return memory for a file in which its largest tensor is aligned, and so most large ones."""
    begin = 0
    with suppress(IntegrityError):
        # What is wrong with the header is said once the bytes are hashed.
        found = read_places(path).values()
        largest = max(found, key=lambda p: p.end - p.begin, default=None)
        begin = -largest.begin % _ALIGNED if largest else 0
    return rooms.take(begin + size)[begin:]


def read_places(path: Path) -> dict[str, Place]:
    """Return what a file holds, by name, without reading it."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH), "little")
        text = file.read(min(length, _MAX_HEADER))
    return places(path, path.stat().st_size, length, text)


def finite(tensor: Tensor) -> bool:
    """Say whether every value is a number. One pass: a sum shows NaN and infinity."""
    if not tensor.is_floating_point() or bool(torch.isfinite(tensor.sum())):
        return True
    return bool(torch.isfinite(tensor).all())


def places(path: Path, size: int, length: int, text: bytes) -> dict[str, Place]:
    """Return what the header says, or raise IntegrityError unless it is true of the file.

    Args:
        size: of the file. length: of the header as the file's first 8 bytes say. text: header.
    """
    try:
        if size < _LENGTH or len(text) != length:
            raise ValueError(f"a header of {length} bytes does not fit")
        header = json.loads(text)
        header.pop("__metadata__", None)
        found = {name: _place(entry, _LENGTH + length) for name, entry in header.items()}
        end = _LENGTH + length
        for place in sorted(found.values(), key=lambda p: (p.begin, p.end)):
            if place.begin != end:
                raise ValueError(f"its tensors leave a gap or overlap at byte {end}")
            end = place.end
        if end != size:
            raise ValueError(f"its tensors end at byte {end}, the file at {size}")
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise IntegrityError(f"{path} is not a whole safetensors file: {error}") from error
    return found


def _place(entry: Any, start: int) -> Place:
    kind = KINDS[entry["dtype"]]
    shape = tuple(int(side) for side in entry["shape"])
    begin, end = (start + int(offset) for offset in entry["data_offsets"])
    if min((*shape, begin - start), default=0) < 0:
        raise ValueError(f"a tensor of shape {shape} at byte {begin} cannot be")
    if end - begin != math.prod(shape) * kind.itemsize:
        raise ValueError(f"{end - begin} bytes are no {shape} of {entry['dtype']}")
    return Place(kind, shape, begin, end)
