# SPDX-License-Identifier: Apache-2.0
"""Files of one folder as one run of bytes, so that one number says how far a transfer is.

Knows no socket and not what the files mean.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hiors_core.errors import InvalidValue

_PIECE = 1 << 16
"""Bytes written at once. ext4 keeps a write of 2 MiB in one large page, and a virtual machine may
have to ask its host for each of those: 500 MB then took 1.6 s of processor time, and 0.2 so.
"""


@dataclass(frozen=True, slots=True)
class Bundle:
    """Names and sizes [bytes] of files, in the order of the run."""

    files: tuple[tuple[str, int], ...]

    def __post_init__(self) -> None:
        names = [name for name, _ in self.files]
        if not names or len(set(names)) != len(names):
            raise InvalidValue(f"A transfer needs files of different names, got {names}")
        if empty := [name for name, size in self.files if size < 1]:
            raise InvalidValue(f"A file of a transfer must not be empty: {', '.join(empty)}")

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(size for _, size in self.files)

    @property
    def names(self) -> frozenset[str]:
        """Names of the files."""
        return frozenset(name for name, _ in self.files)

    def rows(self) -> list[list[str | int]]:
        """Return the files as a message has them."""
        return [[name, size] for name, size in self.files]

    def read(self, folder: Path, offset: int, size: int) -> bytes:
        """Return bytes of the run; fewer at its end, or when a file became shorter."""
        parts = []
        for name, start, count in self._pieces(offset, size):
            descriptor = os.open(folder / name, os.O_RDONLY | os.O_CLOEXEC)
            try:
                parts.append(os.pread(descriptor, count, start))
            finally:
                os.close(descriptor)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def write(self, folder: Path, offset: int, data: memoryview | bytes) -> None:
        """Write bytes of the run; InvalidValue when they go beyond its end."""
        if offset + len(data) > self.size:
            raise InvalidValue(
                f"{offset} + {len(data)} bytes are more than the {self.size} agreed"
            )
        view, done = memoryview(data), 0
        for name, start, count in self._pieces(offset, len(data)):
            flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(folder / name, flags, 0o644)
            try:
                _write_all(descriptor, view[done : done + count], start)
            finally:
                os.close(descriptor)
            done += count

    def present(self, folder: Path) -> int:
        """Return how many bytes of the run, from its start, are in the folder."""
        done = 0
        for name, size in self.files:
            path = folder / name
            found = path.stat().st_size if path.is_file() else 0
            if found > size:
                path.unlink()
                return done
            done += found
            if found < size:
                break
        return done

    def _pieces(self, offset: int, size: int) -> Iterator[tuple[str, int, int]]:
        begin = 0
        for name, length in self.files:
            start, end = max(offset, begin), min(offset + size, begin + length)
            if start < end:
                yield name, start - begin, end - start
            begin += length


def bundle_of(folder: Path, names: Sequence[str]) -> Bundle:
    """Return the bundle of those files of a folder."""
    return Bundle(tuple((name, (folder / name).stat().st_size) for name in names))


def _write_all(descriptor: int, data: memoryview, start: int) -> None:
    done = 0
    while done < len(data):
        done += os.pwrite(descriptor, data[done : done + _PIECE], start + done)
