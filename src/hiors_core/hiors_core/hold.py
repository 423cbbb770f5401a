# SPDX-License-Identifier: Apache-2.0
"""A reason why no new episode may begin, such as a full spool. It ends with the process that gave
it, so that a crash never leaves a robot idle.
"""

from dataclasses import asdict
from pathlib import Path

from hiors_core.durable import read_json, write_document
from hiors_core.errors import HiorsError
from hiors_core.owner import read_owner, this_process

HOLD = "hold.json"


class Hold:
    """The file hold.json of a store."""

    def __init__(self, root: Path) -> None:
        self._path = root / HOLD

    def set(self, reason: str) -> None:
        """Let no episode begin, for the reason given."""
        write_document(self._path, {**asdict(this_process()), "reason": reason}, "hold")

    def clear(self) -> None:
        """Let episodes begin again."""
        self._path.unlink(missing_ok=True)

    @property
    def reason(self) -> str:
        """Why no episode may begin, or ""."""
        owner = read_owner(self._path.parent, HOLD)
        if owner is None or not owner.alive():
            return ""
        try:
            return str(read_json(self._path).get("reason", ""))
        except (OSError, HiorsError):
            return ""
