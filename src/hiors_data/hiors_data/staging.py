# SPDX-License-Identifier: Apache-2.0
"""Episodes that come from elsewhere enter a store all at once: written aside, then renamed in.

Whatever fails before that leaves the store as it was.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hiors_core.errors import InvalidValue, StateError
from hiors_core.store import EpisodeStore

ASIDE = ".importing"


class Staging:
    """A store aside of ``target``, whose episodes will be moved there."""

    def __init__(self, target: EpisodeStore, aside: EpisodeStore) -> None:
        self.target, self.store = target, aside

    def check_new(self, episode_id: str) -> None:
        """Raise StateError when the target holds the episode: it was imported before."""
        for folder in (self.target.episodes, self.target.quarantined, self.target.recording):
            if (folder / episode_id).exists():
                raise StateError(
                    f"Episode {episode_id} is in {folder} already: this recording was imported"
                    " before. Nothing was changed."
                )

    def publish(self) -> tuple[str, ...]:
        """Move every episode into the target and return their ids."""
        ids = tuple(self.store.ids())
        for episode_id in ids:
            self.check_new(episode_id)
        for episode_id in ids:
            self.target.publish(self.store.episodes / episode_id)
        return ids


@contextmanager
def staging(root: str | Path) -> Iterator[Staging]:
    """Open a place aside of the store at ``root``; it is gone afterwards, come what may."""
    path = checked_folder(root, "episode store")
    target = EpisodeStore(path)
    target.claim()
    aside = path / ASIDE
    shutil.rmtree(aside, ignore_errors=True)
    try:
        yield Staging(target, EpisodeStore(aside))
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        target.close()


def checked_folder(path: str | Path, what: str) -> Path:
    """Return the path when a folder is there or can be made there, or raise InvalidValue."""
    folder = Path(path)
    for place in (folder, *folder.parents):
        if place.is_dir():
            return folder
        if place.exists() or place.is_symlink():
            raise InvalidValue(f"{place} is a file; the {what} {folder} must be a folder.")
    return folder
