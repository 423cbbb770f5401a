# SPDX-License-Identifier: Apache-2.0
"""Finds processes by a mark in their environment (Linux).

Every process that a marked one starts inherits the mark, also in another session or after its
parent has died: that is how the workers of a launcher are found when the launcher is gone.
"""

import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path

VARIABLE = "HIORS_SUPERVISED"


def marked(mark: str) -> list[int]:
    """Return the ids of the living processes with the mark; other users' are not seen."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                # A zombie's environment is empty.
                if mark.encode() in _marks((folder / "environ").read_bytes()):
                    found.append(int(folder.name))
    return found


def send_group(group: int, number: signal.Signals) -> None:
    """Send the signal to a process group, if it is still there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def with_mark(mark: str) -> str:
    """Return the variable's value for a child: the marks of this process, then its own."""
    return f"{os.environ.get(VARIABLE, '')} {mark}".strip()


def _marks(environ: bytes) -> list[bytes]:
    start = f"{VARIABLE}=".encode()
    for entry in environ.split(b"\0"):
        if entry.startswith(start):
            return entry.removeprefix(start).split()
    return []


def send(processes: Iterable[int], number: signal.Signals) -> None:
    """Send the signal to those of the processes that are still there."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process, number)
