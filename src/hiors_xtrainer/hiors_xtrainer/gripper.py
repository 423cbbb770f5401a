# SPDX-License-Identifier: Apache-2.0
"""Runs one gripper in a thread of its own, because a serial bus may take its time. The newest goal
wins.
"""

import threading
from dataclasses import dataclass

from hiors_core.clock import NS, Clock, to_s
from hiors_xtrainer.feetech import FeetechGripper, GripperSettings
from hiors_xtrainer.replies import LinkLost

_PERIOD = NS // 30
_DEADBAND = 0.002
PATIENCE = NS
"""Silence of the servo after which it counts as lost [ns]; a busy machine may well take 0.2 s."""


@dataclass(frozen=True, slots=True)
class GripperReading:
    """Measured opening [0 closed .. 1 open], its velocity [1/s], and when [ns]."""

    opening: float
    velocity: float
    stamp: int


class GripperLoop:
    """Sends the goal and reads the position at 30 Hz until closed or broken."""

    def __init__(self, settings: GripperSettings, clock: Clock, goal: float | None) -> None:
        self._clock = clock
        self._servo = FeetechGripper(settings)
        self._goal = goal
        self._failure: str | None = None
        self._running = True
        try:
            self._servo.start()
            self._reading = GripperReading(self._servo.read(), 0.0, clock.now())
        except LinkLost:
            self._servo.close()
            raise
        self._thread = threading.Thread(target=self._run, name="gripper", daemon=True)
        self._thread.start()

    @property
    def reading(self) -> GripperReading:
        """The newest reading."""
        return self._reading

    @property
    def failure(self) -> str | None:
        """Why the loop ended, None while it runs."""
        return self._failure

    def move(self, opening: float) -> None:
        """Set the goal; returns at once."""
        self._goal = opening

    def close(self) -> None:
        """End the thread and close the port."""
        self._running = False
        self._thread.join(2.0)
        self._servo.close()

    def _run(self) -> None:
        sent: float | None = None
        due = self._clock.now()
        while self._running and self._failure is None:
            goal = self._goal
            try:
                if goal is not None and (sent is None or abs(goal - sent) > _DEADBAND):
                    self._servo.move(goal)
                    sent = goal
                self._measure()
            except LinkLost as error:
                if self._clock.now() - self._reading.stamp > PATIENCE:
                    self._failure = str(error)
            due = max(due + _PERIOD, self._clock.now())
            self._clock.sleep_until(due)

    def _measure(self) -> None:
        opening, now = self._servo.read(), self._clock.now()
        last = self._reading
        seconds = max(to_s(now - last.stamp), 1e-3)
        self._reading = GripperReading(opening, (opening - last.opening) / seconds, now)
