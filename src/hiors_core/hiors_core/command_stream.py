# SPDX-License-Identifier: Apache-2.0
"""From the arbiter's commands at one rate to a driver's set-points at another. Pure arithmetic,
for one thread.

Commands are played back a fixed delay after their own stamps and interpolated in between, so that
neither the two rates nor jitter on the way make the arm pulse.
"""

from bisect import bisect_right
from collections import deque

import numpy as np
from numpy.typing import NDArray

from hiors_core.clock import to_ns
from hiors_core.clock_offset import ClockOffset
from hiors_core.command import Command

Array = NDArray[np.float64]


class CommandStream:
    """Holds the last few commands and says where the robot should be at a given time."""

    def __init__(self, delay: float) -> None:
        self._delay = to_ns(delay)
        self._offset = ClockOffset()
        self._commands: deque[tuple[int, Command]] = deque(maxlen=16)
        self._arrival: int | None = None
        self._reported = -1

    def push(self, command: Command, now: int) -> None:
        """Take a command that arrived at ``now`` [ns]; one that is older than the last replaces
        all.
        """
        due = self._offset.to_local(command.stamp, now) + self._delay
        if self._commands and due <= self._commands[-1][0]:
            self._commands.clear()
        self._commands.append((due, command))
        self._arrival = now

    def clear(self) -> None:
        """Forget everything."""
        self._commands.clear()
        self._arrival = None

    def forget_before(self, command: Command) -> None:
        """Forget what came before this command: playback begins with it."""
        while self._commands and self._commands[0][1] is not command:
            self._commands.popleft()

    def age(self, now: int) -> float | None:
        """Return the time since the last command arrived [s], None when there is none."""
        return None if self._arrival is None else (now - self._arrival) / 1e9

    @property
    def newest(self) -> Command | None:
        """The command that arrived last."""
        return self._commands[-1][1] if self._commands else None

    def sample(self, now: int) -> Array | None:
        """Return (N,) where the robot should be at ``now`` [ns]; the last command holds beyond its
        time.
        """
        if not self._commands:
            return None
        after = bisect_right(self._commands, now, key=lambda entry: entry[0])
        if after == 0:
            return self._commands[0][1].position
        before, start = self._commands[after - 1]
        if after == len(self._commands):
            return start.position
        end_due, end = self._commands[after]
        share = (now - before) / (end_due - before)
        return start.position + share * (end.position - start.position)

    def take_due(self, now: int) -> Command | None:
        """Return the newest command whose time has come, once."""
        due = [command for stamp, command in self._commands if stamp <= now]
        if not due or due[-1].stamp == self._reported:
            return None
        self._reported = due[-1].stamp
        return due[-1]
