# SPDX-License-Identifier: Apache-2.0
"""Thumbnails and timelines of stored episodes, read in a thread beside the panel's."""

import threading
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from hiors_core.errors import HiorsError
from hiors_core.folder import read_manifest
from hiors_rqt.qt import QtCore, Signal
from hiors_seat.gallery import Span, thumbnail, timeline

WIDTH = 120


class Pictures(QtCore.QObject):  # type: ignore[misc]
    """Loads each episode once; emits its id when something new is there to show."""

    loaded = Signal(str)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._known: dict[str, tuple[bytes | None, tuple[Span, ...]]] = {}
        self._asked: set[str] = set()
        self._queue: SimpleQueue[tuple[str, str] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="pictures", daemon=True)
        self._thread.start()

    def of(self, episode_id: str, path: str) -> tuple[bytes | None, tuple[Span, ...]]:
        """Return (JPEG, timeline); asks for them when they are not known yet."""
        if episode_id not in self._asked and path:
            self._asked.add(episode_id)
            self._queue.put((episode_id, path))
        return self._known.get(episode_id, (None, ()))

    def forget(self, episode_id: str) -> None:
        """Look again next time: the episode has been sealed meanwhile."""
        if episode_id not in self._known:
            self._asked.discard(episode_id)

    def close(self) -> None:
        """End the thread."""
        self._queue.put(None)
        self._thread.join(2.0)

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            episode_id, path = job
            folder = Path(path)
            try:
                spans = timeline(read_manifest(folder))
                self._known[episode_id] = (thumbnail(folder, 2 * WIDTH), spans)
            except (HiorsError, OSError):
                # Not sealed yet, pruned, or on another machine: shown without a picture.
                continue
            self.loaded.emit(episode_id)
