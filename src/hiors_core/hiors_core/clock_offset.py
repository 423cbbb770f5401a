# SPDX-License-Identifier: Apache-2.0
"""Stamps of another clock on this machine's clock: the least delay ever seen is taken for the true
offset.
"""

from hiors_core.clock import NS

_JUMP = NS // 2
_LEAK_PER_S = 200_000
"""Growth of the offset per second [ns]: lets it follow a clock that drifts."""


class ClockOffset:
    """Maps foreign stamps to local ones. A late arrival keeps its early stamp, so a backlog shows
    its age.
    """

    def __init__(self) -> None:
        self._offset: int | None = None
        self._stamp = 0
        self._arrival = 0

    def to_local(self, stamp: int, arrival: int) -> int:
        """Return the foreign ``stamp`` [ns], which arrived at ``arrival`` [ns], on the local
        clock.
        """
        apparent = arrival - stamp
        # Foreign time going back, or running far ahead of ours between arrivals, is a set clock.
        ahead = (stamp - self._stamp) - (arrival - self._arrival)
        jumped = stamp < self._stamp or ahead > _JUMP
        if self._offset is None or jumped:
            self._offset = apparent
        else:
            leak = _LEAK_PER_S * (arrival - self._arrival) // NS
            self._offset = min(self._offset + leak, apparent)
        self._stamp, self._arrival = stamp, arrival
        return stamp + self._offset
