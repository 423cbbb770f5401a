# SPDX-License-Identifier: Apache-2.0
"""Training states on the disk: a folder each, there as a whole or not at all, checked by digests.
Knows no optimiser and no process group.
"""

import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import safetensors.torch
from safetensors import safe_open
from torch import Tensor

from hiors_core.durable import (
    crash_point,
    fsync_path,
    read_document,
    sha256_file,
    write_document,
)
from hiors_core.errors import IntegrityError, InvalidValue

HEADER = "state.json"
_FILE = ".safetensors"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a state is of.

    Attributes:
        step: optimiser steps done. moments: steps that the optimiser's moments have seen.
        world: ranks that trained; any number may go on.
    """

    step: int
    moments: int
    world: int


class State:
    """One state that is whole. Tensors are read one at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        document = read_document(path / HEADER)
        try:
            self.digests: dict[str, str] = dict(document.pop("files"))
            self.header = Header(**document)
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError(f"{path / HEADER} is not that of a state: {error}") from error

    @classmethod
    def numbered(cls, folder: Path, number: int) -> "State":
        """Return the state with this number, which another process has found."""
        for path in _whole(folder):
            if _number(path) == number:
                return cls(path)
        raise IntegrityError(f"{folder} has no training state with the number {number}")

    @property
    def number(self) -> int:
        """1, 2, ... in the order of writing."""
        return _number(self.path)

    def check(self, part: str, names: Iterable[str]) -> None:
        """Raise InvalidValue unless a part holds tensors of these names."""
        found: set[str] = set()
        if (file := f"{part}{_FILE}") in self.digests:
            with safe_open(self.path / file, framework="pt") as opened:
                found = set(opened.keys())
        if others := sorted(found ^ set(names)):
            raise InvalidValue(
                f"The training state {self.path} is of another network or tuning.mode: {part} "
                f"differ in {', '.join(others[:3])} and {max(0, len(others) - 3)} more. Set what "
                "it was trained with, or begin a new run with --start"
            )

    def verify(self) -> None:
        """Raise IntegrityError unless every file is what was written."""
        for name, digest in self.digests.items():
            if sha256_file(self.path / name) != digest:
                raise IntegrityError(f"{self.path / name} is damaged: its SHA-256 has changed")

    def read(self, part: str) -> Iterator[tuple[str, Tensor]]:
        """Return the tensors of a part by name; none when it was not written."""
        if f"{part}{_FILE}" not in self.digests:
            return
        with safe_open(self.path / f"{part}{_FILE}", framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - safe_open is no mapping
                yield name, file.get_tensor(name)


def write_state(
    folder: Path,
    header: Header,
    parts: Iterable[tuple[str, Mapping[str, Tensor]]],
    *,
    same: State | None = None,
    unchanged: str = "",
    keep: int = 2,
) -> State:
    """Write a state beside those that are there; then leave ``keep`` of them.

    Args:
        parts: names and tensors, taken one at a time.
        same, unchanged: a state and the part of it that has not changed since: it is linked.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(".step*"):
        shutil.rmtree(left, ignore_errors=True)
    name = f"step{header.step:06d}-{1 + max(map(_number, folder.glob('*step*')), default=0):06d}"
    aside = folder / f".{name}"
    aside.mkdir()
    digests = {}
    if same and (file := f"{unchanged}{_FILE}") in same.digests:
        os.link(same.path / file, aside / file)
        digests[file] = same.digests[file]
    for part, tensors in parts:
        if not tensors:
            continue
        path = aside / f"{part}{_FILE}"
        safetensors.torch.save_file(dict(tensors), path)
        fsync_path(path)
        digests[path.name] = sha256_file(path)
        crash_point(f"state:{part}")
    write_document(aside / HEADER, {**asdict(header), "files": digests}, "state")
    aside.rename(folder / name)
    crash_point("state:renamed")
    fsync_path(folder)
    for old in _whole(folder)[:-keep]:
        shutil.rmtree(old, ignore_errors=True)
    return State(folder / name)


def newest_state(folder: Path) -> State | None:
    """Return the newest state whose digests hold; damaged ones are put aside and logged."""
    for path in reversed(_whole(folder)):
        try:
            state = State(path)
            state.verify()
        except (IntegrityError, OSError) as error:
            log.error("training state %s cannot be used: %s", path.name, error)
            with suppress(OSError):
                path.rename(folder / f"damaged-{path.name}")
            continue
        return state
    return None


def _whole(folder: Path) -> list[Path]:
    return sorted((p for p in folder.glob("step*") if p.is_dir()), key=_number)


def _number(path: Path) -> int:
    # In the order of writing: after a damaged state the steps go back.
    number = path.name.rpartition("-")[2]
    return int(number) if number.isdigit() else 0
