# SPDX-License-Identifier: Apache-2.0
"""Loads checkpoints on a thread of its own while another one keeps serving. Knows no ROS."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from hiors_core.errors import HiorsError
from hiors_policy.checkpoint import Checkpoint

Load = Callable[[Path], Checkpoint]


class CheckpointSwap:
    """Holds the newest checkpoint that was loaded and checked until somebody takes it."""

    def __init__(self, load: Load, refused: Callable[[Path, str], None]) -> None:
        """Take how a checkpoint is loaded and checked, and who hears why one was refused."""
        self._load, self._refused = load, refused
        self._requests: queue.Queue[tuple[Path, Future[Checkpoint]] | None] = queue.Queue()
        self._lock = threading.Lock()
        self._ready: Checkpoint | None = None
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
        self._thread.start()

    def request(self, folder: Path) -> "Future[Checkpoint]":
        """Load a checkpoint in the background; the future has it, or the HiorsError that refused
        it.
        """
        future: Future[Checkpoint] = Future()
        self._requests.put((folder, future))
        return future

    def take(self) -> Checkpoint | None:
        """Return the checkpoint that waits to take over, once."""
        with self._lock:
            ready, self._ready = self._ready, None
        return ready

    def close(self) -> None:
        """End the thread."""
        self._requests.put(None)
        self._thread.join(timeout=5.0)

    def _run(self) -> None:
        while (request := self._requests.get()) is not None:
            folder, future = request
            try:
                loaded = self._load(folder)
            except Exception as error:  # noqa: BLE001 the thread must live; the reason is told
                known = isinstance(error, HiorsError | OSError)
                reason = str(error) if known else f"{type(error).__name__}: {error}"
                self._refused(folder, reason)
                future.set_exception(HiorsError(reason))
                continue
            with self._lock:
                self._ready = loaded
            future.set_result(loaded)
