# SPDX-License-Identifier: Apache-2.0
"""Files that survive a crash: fsync, atomic replacement, JSON with its own digest.

Knows nothing of what the files mean.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hiors_core.errors import IntegrityError

CRASH_VARIABLE = "HIORS_CRASH_AT"
CRASH_STATUS = 86
_MAX_DOCUMENT = 16 * 1024 * 1024
_BLOCK = 1 << 20


def crash_point(name: str) -> None:
    """End the process on the spot when the environment asks for it here (crash tests)."""
    if os.environ.get(CRASH_VARIABLE) == name:
        os._exit(CRASH_STATUS)


def fsync_path(path: Path) -> None:
    """Bring a file or a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_all(paths: Iterable[Path]) -> None:
    """Bring files and folders to the disk at once, so that the file system does it in one go."""
    waiting = list(paths)
    with ThreadPoolExecutor(max(1, len(waiting))) as pool:
        list(pool.map(fsync_path, waiting))


def write_atomic(path: Path, data: bytes, point: str = "write", *, sync: bool = True) -> None:
    """Replace ``path`` by a file with ``data``.

    A crash leaves the old file or the new one, never a part.

    Args:
        sync: bring it to the disk. Without, that holds for a crash of the process only: for what
            can be had again after a power cut.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with aside.open("wb") as file:
            file.write(data)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        crash_point(f"{point}:aside")
        os.replace(aside, path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
    crash_point(f"{point}:replaced")
    if sync:
        fsync_path(path.parent)


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def write_document(
    path: Path, content: Mapping[str, Any], point: str = "write", *, sync: bool = True
) -> None:
    """Write JSON atomically with a digest, so that read_document sees every flipped bit."""
    body = {**content, "digest": _digest(content)}
    text = json.dumps(body, indent=1, allow_nan=False, ensure_ascii=False)
    write_atomic(path, f"{text}\n".encode(), point, sync=sync)


def read_document(path: Path) -> dict[str, Any]:
    """Read what write_document wrote, or raise IntegrityError.

    A missing file is FileNotFoundError.
    """
    try:
        data = read_json(path)
        digest = data.pop("digest", None)
        if digest != _digest(data):
            raise IntegrityError(f"{path} is damaged: its digest is not that of its content")
    except (TypeError, ValueError) as error:
        raise IntegrityError(f"{path} is damaged: {error}") from error
    return data


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object of bounded size, or raise IntegrityError.

    A missing file is FileNotFoundError.
    """
    if path.stat().st_size > _MAX_DOCUMENT:
        raise IntegrityError(f"{path} is larger than the {_MAX_DOCUMENT} bytes allowed")
    try:
        data = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise IntegrityError(f"{path} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise IntegrityError(f"{path} must hold a JSON object")
    return data


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
