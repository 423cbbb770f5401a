# SPDX-License-Identifier: Apache-2.0
"""Announced episodes are taken in on a thread of its own: training goes on while one is read, and
none waits for the end of a step. Knows neither training nor how an episode is read.
"""

import queue
import threading
from contextlib import suppress

from hiors_learner.ingest import Ingest, Taken

_LOOK = 0.02
"""Between two looks at the inbox [s]."""
_AHEAD = 2
"""Episodes that may wait, read, for the training loop."""


class Intake:
    """Hands over what an Ingest takes in, in its order. Begins with the first call of ``next``."""

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest
        self._found: queue.Queue[Taken | Exception] = queue.Queue(_AHEAD)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)

    def next(self) -> Taken | None:
        """Return an episode that is in the ledger now, or None; raises what ended the thread."""
        if self._thread.ident is None:
            self._thread.start()
        try:
            found = self._found.get_nowait()
        except queue.Empty:
            return None
        if isinstance(found, Exception):
            raise found
        return found

    def close(self) -> None:
        """Take nothing more in. What was not handed over is in the ledger and comes again."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=1.0)

    def _run(self) -> None:
        try:
            while not self._stop.wait(_LOOK):
                for taken in self._ingest.notices():
                    self._hand_over(taken)
                    if self._stop.is_set():
                        return
        except Exception as error:  # noqa: BLE001 the training loop must end with the reason
            self._hand_over(error)

    def _hand_over(self, found: Taken | Exception) -> None:
        while not self._stop.is_set():
            with suppress(queue.Full):
                self._found.put(found, timeout=0.1)
                return
