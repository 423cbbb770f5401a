# SPDX-License-Identifier: Apache-2.0
"""The errors of hiors. A message says what was wrong, what is allowed and what to do."""

import difflib
from collections.abc import Iterable


class HiorsError(Exception):
    """Root of every error that hiors raises on purpose."""


class InvalidValue(HiorsError):
    """A value is outside what is allowed (range, unit, shape, NaN)."""


class UnknownName(HiorsError):
    """A name is not one of the names that exist; the message lists them and the nearest."""

    def __init__(self, kind: str, name: str, allowed: Iterable[str], hint: str = "") -> None:
        names = sorted(allowed)
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        guess = f" Did you mean '{near[0]}'?" if near else ""
        tail = f" {hint}" if hint else ""
        super().__init__(
            f"Unknown {kind} '{name}'. Allowed: {', '.join(names) or '(none)'}.{guess}{tail}"
        )


class IntegrityError(HiorsError):
    """Stored data is damaged, incomplete or not what its manifest says."""


class StateError(HiorsError):
    """The request is not legal in the present state."""
