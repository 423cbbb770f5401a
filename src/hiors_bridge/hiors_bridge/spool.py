# SPDX-License-Identifier: Apache-2.0
"""What waits for the learner on the robot's disk, and back-pressure when that is too much.

Nothing is ever dropped: a full spool lets no new episode begin. Knows no ROS.
"""

from dataclasses import dataclass, field
from pathlib import Path

from hiors_core.errors import HiorsError
from hiors_core.folder import read_manifest
from hiors_core.hold import Hold
from hiors_core.link import Link

_GIB = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Accepted episodes that the learner does not have yet. full: why none may begin, or ""."""

    episodes: int
    bytes: int
    full: str

    @property
    def text(self) -> str:
        """What to tell people."""
        return self.full or f"{self.episodes} episodes wait ({self.bytes / _GIB:.2f} GiB)"


@dataclass(slots=True)
class Spool:
    """Watches the inbox; ``limit`` in bytes, 0: none."""

    link: Link
    hold: Hold
    limit: int
    _sizes: dict[str, int] = field(default_factory=dict)
    _holds: bool = False

    def look(self) -> Waiting:
        """Count what waits, and hold the recorder or let it go on."""
        found = self.link.waiting()
        self._sizes = {episode_id: self._size(episode_id) for episode_id in found}
        total = sum(self._sizes.values())
        full = self._reason(len(found), total) if 0 < self.limit <= total else ""
        if full:
            self.hold.set(full)
        elif self._holds:
            self.hold.clear()
        self._holds = bool(full)
        return Waiting(episodes=len(found), bytes=total, full=full)

    def close(self) -> None:
        """Let the recorder go on: nobody watches any more."""
        if self._holds:
            self.hold.clear()

    def _reason(self, episodes: int, total: int) -> str:
        return (
            f"the spool is full: {episodes} accepted episodes ({total / _GIB:.2f} GiB) wait for"
            f" the learner, {self.limit / _GIB:.2f} GiB are allowed. None is lost. Bring the"
            " learner back, or raise spool_limit_gib"
        )

    def _size(self, episode_id: str) -> int:
        known = self._sizes.get(episode_id)
        if known is not None:
            return known
        notice = self.link.notice(episode_id)
        try:
            return read_manifest(Path(notice.path)).size if notice else 0
        except (OSError, HiorsError):
            return 0
