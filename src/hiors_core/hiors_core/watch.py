# SPDX-License-Identifier: Apache-2.0
"""Wakes who waits when a file was renamed into a folder: inotify of Linux, no looking in between.

A folder on a network gives no notices of what other machines do there, and a kernel may have none
left to give: who uses this looks by itself now and then, too.
"""

import ctypes
import os
import select
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_MOVED_TO = 0x80
_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC
_MANY = 1 << 16
_BREATH = 0.2
"""After which a thread looks whether it is to end [s]."""


class FolderWatch:
    """Hears of files that are renamed into ``folder``, which is made when it is not there."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._inotify = _inotify(folder)

    @property
    def descriptors(self) -> list[int]:
        """What to wait for being readable; empty where the kernel gives no notices."""
        return [] if self._inotify is None else [self._inotify]

    def wait(self, timeout: float) -> bool:
        """Wait for at most ``timeout`` [s]; return whether a file has come meanwhile."""
        waiting = select.poll()
        for descriptor in self.descriptors:
            waiting.register(descriptor, select.POLLIN)
        waiting.poll(1000.0 * timeout)
        return self.read()

    def read(self) -> bool:
        """Return whether a file has come since the last call."""
        found = False
        with suppress(BlockingIOError):
            while self._inotify is not None and os.read(self._inotify, _MANY):
                found = True
        return found

    def close(self) -> None:
        """Hear of nothing more."""
        if self._inotify is not None:
            os.close(self._inotify)
            self._inotify = None


class FolderBell:
    """Calls ``ring`` on a thread of its own when a file was renamed into ``folder``."""

    def __init__(self, folder: Path, ring: Callable[[], object]) -> None:
        self._watch, self._ring = FolderWatch(folder), ring
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="folder", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        self._thread.join()
        self._watch.close()

    def _run(self) -> None:
        while not self._ended.is_set():
            if self._watch.wait(_BREATH):
                self._ring()


def _inotify(folder: Path) -> int | None:
    libc = ctypes.CDLL(None)
    descriptor = int(libc.inotify_init1(_FLAGS))
    if descriptor < 0:
        return None
    if libc.inotify_add_watch(descriptor, os.fsencode(folder), _MOVED_TO) < 0:
        os.close(descriptor)
        return None
    return descriptor
