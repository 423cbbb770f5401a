# SPDX-License-Identifier: Apache-2.0
"""How much is under way at once: parts grow while answers come quickly and shrink on a slow link.

So a link of a few kilobytes a second never waits longer for one answer than the silence allowed.
"""

from dataclasses import dataclass

from hiors_core.clock import to_ns
from hiors_link.messages import MAX_DATA

SMALLEST = 16 * 1024
_QUICK, _SLOW = to_ns(0.2), to_ns(0.8)
WINDOW = 4
"""Parts under way at once."""


@dataclass(slots=True)
class Pace:
    """Size of the next part [bytes]."""

    size: int = 32 * SMALLEST

    def answered(self, after: int) -> None:
        """Take in how long a part was under way [ns]."""
        if after < _QUICK:
            self.size = min(2 * self.size, MAX_DATA)
        elif after > _SLOW:
            self.size = max(self.size // 2, SMALLEST)

    def lost(self) -> None:
        """Begin carefully again: an answer did not come in time."""
        self.size = SMALLEST
