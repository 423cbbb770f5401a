# SPDX-License-Identifier: Apache-2.0
"""One driver per arm: a lock file that the system frees when the process dies."""

import os
import re
import tempfile
from pathlib import Path

from hiors_core.owner import lock_file


class ArmClaim:
    """An exclusive claim on the arm at ``host:port``, on this machine."""

    def __init__(self, host: str, port: int, folder: str | Path | None = None) -> None:
        name = re.sub(r"[^0-9A-Za-z.-]", "_", f"{host}-{port}")
        self._where = f"{host}:{port}"
        self._path = Path(folder or tempfile.gettempdir()) / f"hiors-arm-{name}.lock"
        self._descriptor = -1

    def take(self) -> None:
        """Take the claim, or raise StateError that names the process which has it. Taking it twice
        is once.
        """
        if self._descriptor >= 0:
            return
        self._descriptor = lock_file(
            self._path,
            f"The arm at {self._where} is already driven by process {{holder}}."
            " Stop that driver first; two would fight over the arm.",
        )

    def release(self) -> None:
        """Give the claim back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
