# SPDX-License-Identifier: Apache-2.0
"""The thread of one leader arm: opens its port, reads it at a steady rate, keeps its motors as the
session wants them, and opens the port anew when it was lost.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hiors_core.clock import Clock, to_ns, to_s
from hiors_core.errors import HiorsError
from hiors_xtrainer.leader_bus import LeaderBus
from hiors_xtrainer.leader_buttons import Gesture, Gestures
from hiors_xtrainer.leader_mapping import Ticks
from hiors_xtrainer.leader_session import LeaderSession
from hiors_xtrainer.leader_settings import LeaderSettings
from hiors_xtrainer.replies import LinkLost

RETRY = 2.0
"""Time between attempts to open a port [s]."""
_SHARE = 2
"""Every so many readings the buttons are asked for."""


class LeaderLink:
    """Runs one leader.

    Args:
        rate: of readings [Hz]. patience: silence after which the leader counts as lost [s].
        on_reading: called from the thread after every reading, and when the leader is lost.
        on_gesture: called from the thread when a person pressed a button.
    """

    def __init__(
        self,
        name: str,
        settings: LeaderSettings,
        session: LeaderSession,
        clock: Clock,
        *,
        rate: float,
        patience: float = 0.2,
        on_reading: Callable[["LeaderLink"], None],
        on_gesture: Callable[["LeaderLink", Gesture], None],
    ) -> None:
        self.name = name
        self.readings = self.misses = 0
        self.hint = ""
        self._settings, self._session, self._clock = settings, session, clock
        self._period = to_ns(1.0 / rate)
        self._patience = patience
        self._on_reading, self._on_gesture = on_reading, on_gesture
        self._gestures = Gestures()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._torque = False
        self._heard = 0
        self._thread = threading.Thread(target=self._run, name=f"leader {name}", daemon=True)

    @contextmanager
    def session(self) -> Iterator[LeaderSession]:
        """Give the session to one thread at a time."""
        with self._lock:
            yield self._session

    def start(self) -> None:
        """Begin to open the port."""
        self._thread.start()

    def close(self) -> None:
        """Let the leader go limp and end the thread."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(3.0)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                bus = LeaderBus(self._settings)
            except HiorsError as error:
                self._lose(str(error))
                self._ended.wait(RETRY)
                continue
            self.hint = bus.latency_hint
            try:
                self._serve(bus)
            except HiorsError as error:
                self._lose(str(error))
            except Exception as error:  # noqa: BLE001 - the thread's boundary
                self._lose(f"{type(error).__name__}: {error}")
            finally:
                bus.close()

    def _serve(self, bus: LeaderBus) -> None:
        self._torque, self._heard = False, self._clock.now()
        self._gestures = Gestures()
        due = self._heard
        while not self._ended.is_set():
            if (ticks := self._read(bus)) is not None:
                self._drive(bus, ticks)
            due = max(due + self._period, self._clock.now())
            self._clock.sleep_until(due)

    def _read(self, bus: LeaderBus) -> Ticks | None:
        try:
            ticks, handle = bus.read()
        except LinkLost:
            self.misses += 1
            # A serial bus loses an answer now and then.
            if to_s(self._clock.now() - self._heard) > self._patience:
                raise
            return None
        self._heard = self._clock.now()
        self.readings += 1
        with self._lock:
            self._session.on_reading(ticks, handle)
        self._on_reading(self)
        if self._settings.board != "none" and self.readings % _SHARE == 0:
            for gesture in self._gestures.update(bus.buttons(), self._heard):
                self._on_gesture(self, gesture)
        return ticks

    def _drive(self, bus: LeaderBus, ticks: Ticks) -> None:
        with self._lock:
            torque, goal = self._session.torque, self._session.goal
        if torque and not self._torque:
            bus.hold(ticks)
        if torque and goal is not None:
            bus.drive(goal, ticks)
        if self._torque and not torque:
            bus.release()
        self._torque = torque

    def _lose(self, reason: str) -> None:
        with self._lock:
            self._session.lost(reason)
        self._on_reading(self)
