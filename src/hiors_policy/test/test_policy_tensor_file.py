# SPDX-License-Identifier: Apache-2.0
"""Safetensors files as this package reads them, against the format's own library."""

import dataclasses
import json
from pathlib import Path

import pytest
import safetensors.torch
import torch

from hiors_core.durable import sha256_file
from hiors_core.errors import IntegrityError
from hiors_policy.hashes import HASHERS, Hashes, hashes_of
from hiors_policy.rooms import Rooms
from hiors_policy.tensor_file import Content, finite, read_hashed, read_places

TENSORS = {
    "a": torch.arange(12, dtype=torch.float32).view(3, 4),
    "b": torch.tensor(7, dtype=torch.int64),
    "c": torch.ones(3, dtype=torch.bfloat16),
    "d": torch.tensor([True, False, True]),
    "e": torch.zeros(0, 5),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    safetensors.torch.save_file(TENSORS, path, {"format": "pt"})
    return path


def read(path: Path, rooms: Rooms | None = None) -> Content:
    """Read a file, expecting the hash that it has as a whole."""
    return read_hashed(path, hashes(max(1, path.stat().st_size), *whole(path)), rooms)


def hashes(length: int, *parts: str) -> Hashes:
    return Hashes(kind="sha256", length=length, parts=parts)


def whole(path: Path) -> tuple[str, ...]:
    return (sha256_file(path),) if path.stat().st_size else ()


@pytest.mark.parametrize("kind", HASHERS)
@pytest.mark.parametrize("length", [1, 100, 1 << 20])
def test_it_reads_what_the_formats_own_library_wrote(file: Path, length: int, kind: str):
    tensors = read_hashed(file, hashes_of(file.read_bytes(), length, kind)).tensors()
    assert tensors.keys() == TENSORS.keys() == read_places(file).keys()
    for name, tensor in tensors.items():
        assert tensor.dtype == TENSORS[name].dtype
        assert torch.equal(tensor, TENSORS[name]), name


def test_tensors_are_aligned_and_the_large_ones_are_not_copied(tmp_path: Path):
    path = tmp_path / "model.safetensors"
    sizes = {"a": 7, "b": 64, "c": 4096, "d": 128, "e": 3, "f": 64}
    safetensors.torch.save_file({n: torch.ones(k) for n, k in sizes.items()}, path)
    found = read(path)
    inside = range(found.data.data_ptr(), found.data.data_ptr() + len(found.data))
    tensors = found.tensors()
    assert all(tensor.data_ptr() % 64 == 0 for tensor in tensors.values())
    assert {n for n, t in tensors.items() if t.data_ptr() in inside} >= {"b", "c", "d"}


def test_another_hash_is_damage(file: Path):
    with pytest.raises(IntegrityError, match=r"is damaged: sha256 .* instead of 0000"):
        read_hashed(file, hashes(file.stat().st_size, "0" * 64))


def test_hashes_of_another_kind_are_damage(file: Path):
    found = hashes_of(file.read_bytes(), kind="blake3")
    with pytest.raises(IntegrityError, match="is damaged: sha256"):
        read_hashed(file, dataclasses.replace(found, kind="sha256"))


@pytest.mark.parametrize(
    ("kind", "digest"), [("blake3", "6437b3ac38465133"), ("sha256", "ba7816bf8f01cfea")]
)
def test_a_hash_is_what_its_name_says(kind: str, digest: str):
    (part,) = hashes_of(b"abc", kind=kind).parts
    assert part.startswith(digest)


@pytest.mark.parametrize("kind", HASHERS)
def test_a_flipped_bit_in_any_part_is_damage(file: Path, kind: str):
    data = file.read_bytes()
    expected = hashes_of(data, 64, kind)
    for place in range(0, len(data), 40):
        file.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(IntegrityError, match=f"from byte {place // 64 * 64} on"):
            read_hashed(file, expected)


@pytest.mark.parametrize("length", [0, -1, 1, 10**9])
def test_hashes_that_leave_bytes_out_are_refused(file: Path, length: int):
    with pytest.raises(IntegrityError, match="do not cover"):
        read_hashed(file, hashes(length, *("0" * 64,) * 3))


def test_memory_is_used_again_once_no_tensor_of_it_is_left(file: Path):
    rooms = Rooms()
    first = read(file, rooms).tensors()["a"]
    rooms.prepare()
    second = read(file, rooms).tensors()["a"]
    assert first.data_ptr() != second.data_ptr()
    place, kept = second.data_ptr(), first[1:]
    del second, first
    again = read(file, rooms).tensors()["a"]
    assert again.data_ptr() == place
    third = read(file, rooms).tensors()["a"]
    assert third.data_ptr() not in (place, kept.data_ptr() - 16)
    assert torch.equal(kept, TENSORS["a"][1:])


def header(file: Path, change) -> None:
    """Write the file anew with a changed header."""
    data = file.read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    content = json.loads(data[8:end])
    change(content)
    text = json.dumps(content).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + data[end:])


@pytest.mark.parametrize(
    "change",
    [
        lambda h: h["a"].update(shape=[3, 5]),
        lambda h: h["a"].update(shape=[-3, -4]),
        lambda h: h["a"].update(dtype="F4"),
        lambda h: h["a"].update(data_offsets=[0, 48]),
        lambda h: h["a"].update(data_offsets=[10**15, 10**15 + 48]),
        lambda h: h.pop("a"),
        lambda h: h.update(x=dict(h["a"])),
        lambda h: h.update(a="text"),
    ],
)
def test_a_header_that_is_not_true_is_refused(file: Path, change):
    header(file, change)
    with pytest.raises(IntegrityError, match="not a whole safetensors file"):
        read(file).tensors()
    with pytest.raises(IntegrityError, match="not a whole safetensors file"):
        read_places(file)


@pytest.mark.parametrize("data", [b"", b"12345", b"\xff" * 8, b"\x02" + 7 * b"\0" + b"[]"])
def test_what_is_no_such_file_is_refused(tmp_path: Path, data: bytes):
    path = tmp_path / "x.safetensors"
    path.write_bytes(data)
    for use in (lambda: read(path).tensors(), lambda: read_places(path)):
        with pytest.raises(IntegrityError, match="not a whole safetensors file"):
            use()


def test_what_is_no_number_is_found_and_a_sum_too_large_is_one():
    assert finite(torch.full((4,), 3e38))
    assert not finite(torch.tensor([1.0, float("nan")]))
    assert not finite(torch.tensor([float("inf"), float("-inf")]))
    assert finite(torch.tensor([1, 2]))
