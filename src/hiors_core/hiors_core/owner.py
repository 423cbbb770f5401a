# SPDX-License-Identifier: Apache-2.0
"""Which process records: the claim on a store and the owner of a folder.

Pids are told from reused ones by start time.
"""

import fcntl
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from hiors_core.durable import read_json, write_document
from hiors_core.errors import HiorsError, StateError

OWNER = "owner.json"
_START_FIELD = 19
"""Place of starttime in /proc/<pid>/stat, counted after the command in parentheses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A process: its pid, its start [clock ticks since boot] and the boot it belongs to."""

    pid: int
    start: int
    boot: str

    def alive(self) -> bool:
        """Tell whether this very process still runs."""
        return self.boot == _boot() and self.start == _start(self.pid)


def this_process() -> Owner:
    """Return this process as an owner."""
    pid = os.getpid()
    return Owner(pid=pid, start=_start(pid), boot=_boot())


def write_owner(folder: Path) -> None:
    """Write this process into the folder as its owner."""
    write_document(folder / OWNER, asdict(this_process()))


def read_owner(folder: Path, name: str = OWNER) -> Owner | None:
    """Return the owner of a folder, or None when it has none that can be read."""
    try:
        data = read_json(folder / name)
        return Owner(pid=int(data["pid"]), start=int(data["start"]), boot=str(data["boot"]))
    except (OSError, HiorsError, KeyError, TypeError, ValueError):
        return None


class Claim:
    """An exclusive lock that the system releases when the process dies.

    May be taken several times by its holder.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._count = 0
        self._descriptor = -1

    def take(self) -> None:
        """Take the lock once more, or raise StateError naming the process that has it."""
        if self._count == 0:
            busy = f"The store {self._path.parent} is being recorded into by process {{holder}};"
            self._descriptor = lock_file(self._path, f"{busy} stop that one first")
        self._count += 1

    def release(self) -> None:
        """Undo one take()."""
        self._count -= 1
        if self._count == 0:
            os.close(self._descriptor)


def lock_file(path: Path, busy: str) -> int:
    """Take an exclusive lock that the system frees when the process dies; return its descriptor.

    The file holds the pid of its holder. When another process has it, StateError says ``busy``
    with that pid in place of ``{holder}``.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise StateError(busy.replace("{holder}", holder)) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def _start(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return int(text.rpartition(")")[2].split()[_START_FIELD])
    except (OSError, IndexError, ValueError):
        return -1


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
