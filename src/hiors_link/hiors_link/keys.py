# SPDX-License-Identifier: Apache-2.0
"""Curve key pairs in a folder: NAME.key is private (0600), NAME.pub may be shown to anybody.

The learner's folder holds learner.key and the .pub of every robot that may join; a robot's holds
its own .key and learner.pub. Knows no socket.
"""

import json
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

import zmq
from zmq.utils import z85

from hiors_core.durable import read_json
from hiors_core.errors import HiorsError, InvalidValue, StateError, UnknownName

LEARNER = "learner"
"""Name of the learner's own pair."""
PRIVATE, PUBLIC = ".key", ".pub"

_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,31}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A pair of keys in ZeroMQ's Z85 letters (40 each)."""

    name: str
    public: bytes
    secret: bytes

    def __repr__(self) -> str:
        return f"Identity({self.name}, {self.public.decode()})"


def check_name(name: str) -> str:
    """Return the name of a robot or of its keys, or raise InvalidValue."""
    if not _NAME.fullmatch(name):
        raise InvalidValue(
            f"'{name[:80]}' is no name: 1 to 32 letters, digits, '_' or '-', as robot1"
        )
    return name


def new_identity(folder: Path, name: str) -> Identity:
    """Make a pair and write both files; StateError when there is one of that name."""
    public, secret = zmq.curve_keypair()
    identity = Identity(name=check_name(name), public=public, secret=secret)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise InvalidValue(
            f"{folder} cannot be made ({error.strerror}): keys need a folder that you may write"
        ) from error
    private = {"name": name, "public": public.decode(), "secret": secret.decode()}
    _write_new(folder / f"{name}{PRIVATE}", private, 0o600)
    shown = {key: value for key, value in private.items() if key != "secret"}
    _write_new(folder / f"{name}{PUBLIC}", shown, 0o644)
    return identity


def read_identity(folder: Path, name: str) -> Identity:
    """Return a private pair; refused when other users may read its file."""
    path = folder / f"{check_name(name)}{PRIVATE}"
    data = _read(path, name)
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise InvalidValue(f"{path} may be read by others (mode {mode:o}): chmod 600 {path}")
    return Identity(
        name=name, public=_key(data, "public", path), secret=_key(data, "secret", path)
    )


def read_public(folder: Path, name: str) -> bytes:
    """Return the public key of that name."""
    path = folder / f"{check_name(name)}{PUBLIC}"
    return _key(_read(path, name), "public", path)


def public_keys(folder: Path) -> dict[bytes, str]:
    """Return the names of all public keys of a folder; a file that is none is left out."""
    found = {}
    for path in sorted(folder.glob(f"*{PUBLIC}")):
        try:
            found[read_public(folder, path.stem)] = path.stem
        except (HiorsError, OSError):
            continue
    return found


def _read(path: Path, name: str) -> dict[str, object]:
    try:
        data = read_json(path)
    except FileNotFoundError as error:
        there = [p.name for p in path.parent.glob("*") if p.suffix in (PRIVATE, PUBLIC)]
        raise UnknownName(
            f"key file in {path.parent}", path.name, there, "`hiors keys --help` says how."
        ) from error
    if data.get("name") != name:
        raise InvalidValue(f"{path} holds the key of '{data.get('name')}': give it that name")
    return data


def _key(data: dict[str, object], field: str, path: Path) -> bytes:
    text = data.get(field)
    try:
        key = str(text).encode("ascii")
        if len(key) == 40 and len(z85.decode(key)) == 32:
            return key
    except (ValueError, KeyError):
        pass
    raise InvalidValue(f"{path}: '{field}' must be a Curve key of 40 Z85 letters")


def _write_new(path: Path, content: dict[str, str], mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except FileExistsError as error:
        raise StateError(
            f"{path} exists: keys are never overwritten. Delete the pair first, and on the other"
            " side the old .pub"
        ) from error
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(json.dumps(content, indent=1) + "\n")
        file.flush()
        os.fsync(file.fileno())
