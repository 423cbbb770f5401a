# SPDX-License-Identifier: Apache-2.0
"""One driver per arm: a lock file that the system frees when the process dies."""

import fcntl
import os
import re
import tempfile
from pathlib import Path

from hiors_core.errors import StateError


class ArmClaim:
    """An exclusive claim on the arm at ``host:port``, on this machine."""

    def __init__(self, host: str, port: int, folder: str | Path | None = None) -> None:
        name = re.sub(r"[^0-9A-Za-z.-]", "_", f"{host}-{port}")
        self._where = f"{host}:{port}"
        self._path = Path(folder or tempfile.gettempdir()) / f"hiors-arm-{name}.lock"
        self._descriptor = -1

    def take(self) -> None:
        """Take the claim, or raise StateError that names the process which has it."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self._path, flags, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise StateError(
                f"The arm at {self._where} is already driven by process {holder}."
                " Stop that driver first; two would fight over the arm."
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the claim back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
