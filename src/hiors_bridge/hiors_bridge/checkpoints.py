# SPDX-License-Identifier: Apache-2.0
"""Which checkpoint the learner published last, if it is complete. Knows no ROS, no weights."""

from dataclasses import dataclass
from pathlib import Path

from hiors_core.checkpoints import LATEST, MANIFEST, MODEL
from hiors_core.durable import read_document, read_json
from hiors_core.errors import IntegrityError, InvalidValue
from hiors_core.names import check_version


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A published checkpoint; ``dt`` in [s]."""

    version: str
    path: Path
    sha256: str
    step: int
    parent: str
    kind: str
    names: tuple[str, ...]
    horizon: int
    dt: float


class CheckpointWatch:
    """Looks at checkpoints/latest.json; a file that has not changed is not read again."""

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self._seen: tuple[int, int] | None = None

    def new(self) -> Published | None:
        """Return the newest checkpoint when it is a new one, or raise IntegrityError once."""
        latest = self._folder / LATEST
        try:
            status = latest.stat()
        except FileNotFoundError:
            return None
        mark = (status.st_mtime_ns, status.st_ino)
        if mark == self._seen:
            return None
        self._seen = mark
        try:
            return read_published(self._folder, str(read_json(latest).get("version", "")))
        except (OSError, InvalidValue) as error:
            raise IntegrityError(f"{latest} names no checkpoint: {error}") from error


def read_published(folder: Path, version: str) -> Published:
    """Read a checkpoint's manifest and compare the size of its weights with it.

    The policy node hashes the bytes that it loads; to read them here as well would cost a second
    for each gigabyte.
    """
    path = folder / check_version(version)
    data = read_document(path / MANIFEST)
    size = (path / MODEL).stat().st_size
    if data.get("size") != size:
        raise IntegrityError(
            f"{path / MODEL} has {size} bytes, the manifest says {data.get('size')}"
        )
    if data.get("version") != version:
        raise IntegrityError(f"{path} holds version {data.get('version')}")
    try:
        spec = data["spec"]
        return Published(
            version=version,
            path=path.absolute(),
            sha256=str(data["sha256"]),
            step=int(data["step"]),
            parent=str(data["parent"]),
            kind=str(spec["kind"]),
            names=tuple(str(n) for n in spec["names"]),
            horizon=int(spec["horizon"]),
            dt=float(spec["dt"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError(f"{path / MANIFEST} is not complete: {error!r}") from error
