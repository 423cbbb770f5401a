# SPDX-License-Identifier: Apache-2.0
"""A serial device on a pseudo-terminal: the pty, its thread, and a name of it that stays.

What the bytes mean is the subclass's.
"""

import os
import select
import threading
import time
import tty
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path

from hiors_core.errors import HiorsError


class PtyDevice(ABC):
    """Serves one port; use as a context manager, or start() and stop().

    ``link`` is a symbolic link to make to the pty; ``port`` is what a client opens.
    """

    def __init__(self, name: str, link: str | Path | None = None) -> None:
        self._name = name
        self._link = Path(link) if link else None
        self._running = False
        self._thread: threading.Thread | None = None
        self.port = ""

    @abstractmethod
    def answer(self, data: bytes) -> Iterable[bytes]:
        """Take bytes as they arrive; give the segments to send back."""

    def start(self) -> None:
        """Open the pty and serve it from a thread of its own."""
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        if self._link:
            self._make_link(self._link)
        self._running = True
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the pty and take the link away."""
        self._running = False
        if self._thread:
            self._thread.join(5.0)
            os.close(self._master)
            os.close(self._slave)
            self._thread = None
            if self._link and self._link.is_symlink():
                self._link.unlink()

    def __enter__(self) -> "PtyDevice":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _make_link(self, link: Path) -> None:
        if link.exists() and not link.is_symlink():
            raise HiorsError(f"{link} exists and is no symbolic link. Choose another name for it.")
        link.parent.mkdir(parents=True, exist_ok=True)
        aside = link.with_name(f".{link.name}.{os.getpid()}")
        aside.unlink(missing_ok=True)
        aside.symlink_to(self.port)
        aside.replace(link)
        self.port = str(link)

    def _run(self) -> None:
        while self._running:
            ready, _, _ = select.select([self._master], [], [], 0.1)
            if not ready:
                continue
            try:
                data = os.read(self._master, 4096)
            except OSError:
                # EIO: for a moment nobody holds the other end.
                time.sleep(0.01)
                continue
            for segment in self.answer(data):
                os.write(self._master, segment)
