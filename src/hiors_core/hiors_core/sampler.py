# SPDX-License-Identifier: Apache-2.0
"""When a transition is logged: the varied frequency of eq. 6.

Knows stamps and authorities, nothing of what is logged.
"""

import math

from hiors_core.authority import Authority
from hiors_core.clock import to_ns
from hiors_core.errors import InvalidValue

F_LOW = 0.5
"""f^low of eq. 6 [Hz]: every 2 s while the policy drives, as in the authors' code."""
F_HIGH = 10.0
"""f^high of eq. 6 [Hz]: every 0.1 s while a person drives, as in the authors' code."""


_JITTER = 0.005
"""By how much a member may be early [s], a twentieth of the period at most."""


class PacedStream:
    """Says which members of a stream to keep for a mean rate of ``rate_hz`` [Hz], without drift.

    The phase is kept: a late member does not push back the ones after it, and one that is early
    by no more than the jitter of a tick counts, or jitter would cost a whole tick. The first
    one, and one whose stamp lies before the last, start anew.
    """

    def __init__(self, rate_hz: float) -> None:
        self._period = to_ns(1.0 / rate_hz)
        self._slack = min(self._period // 20, to_ns(_JITTER))
        self._last: int | None = None
        self._next = 0

    def restart(self) -> None:
        """Forget the phase: the next member is kept."""
        self._last = None

    def due(self, stamp: int) -> bool:
        """Tell whether the member at ``stamp`` [ns] is kept."""
        if self._last is None or stamp < self._last:
            self._next = stamp
        self._last = stamp
        if stamp < self._next - self._slack:
            return False
        late = max(0, stamp - self._next)
        self._next += self._period if late < self._period else late + self._period
        return True


class VariableRateSampler:
    """f_t of eq. 6: f_high while a person drives, f_low while the policy does, else nothing.

    A change of authority to either gives a transition at once.
    """

    def __init__(self, f_low: float = F_LOW, f_high: float = F_HIGH) -> None:
        if not (math.isfinite(f_low) and math.isfinite(f_high) and 0.0 < f_low <= f_high):
            raise InvalidValue(
                f"The logging rates must satisfy 0 < f_low <= f_high [Hz], got f_low {f_low},"
                f" f_high {f_high}"
            )
        self._rates = {Authority.POLICY: f_low, Authority.HUMAN: f_high}
        self._streams = {a: PacedStream(rate) for a, rate in self._rates.items()}
        self._authority: Authority | None = None

    def rate(self, authority: Authority) -> float:
        """Return f_t [Hz] for the authority; 0 where nothing is logged."""
        return self._rates.get(authority, 0.0)

    def due(self, stamp: int, authority: Authority) -> bool:
        """Tell whether a transition is logged at ``stamp`` [ns]; call it once a control tick."""
        changed, self._authority = authority != self._authority, authority
        stream = self._streams.get(authority)
        if stream is None:
            return False
        if changed:
            stream.restart()
        return stream.due(stamp)
