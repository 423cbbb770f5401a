# SPDX-License-Identifier: Apache-2.0
"""The episodes that checkpoints are compared on, with the weight of their success."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hiors_core.episode import Episode, load_episode
from hiors_core.errors import HiorsError, InvalidValue
from hiors_core.folder import MANIFEST, METADATA
from hiors_core.label import Label, Outcome
from hiors_core.store import EpisodeStore
from hiors_data.recording import SUFFIXES


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedEpisode:
    """An episode and what was said of it. weight: of its errors in the score, see ``weigh``."""

    episode: Episode
    label: Label
    weight: float

    @property
    def success(self) -> bool | None:
        """Whether it counts as a success; None when nobody said."""
        if self.label.outcome in (Outcome.NONE, Outcome.DISCARD):
            return None
        return self.label.episode_return > 0.0


def load_judged(root: str | Path, limit: int | None = None) -> tuple[JudgedEpisode, ...]:
    """Read the episodes of a store, at most ``limit`` (the first ones), discarded ones left out.

    Raises InvalidValue when there are none, or the folder is no store.
    """
    store = open_store(root)
    read: list[tuple[Episode, Label]] = []
    for episode_id in store.ids():
        label = store.label(episode_id)
        if label.outcome is Outcome.DISCARD:
            continue
        if limit is not None and len(read) == limit:
            break
        try:
            read.append((load_episode(store.path(episode_id)), label))
        except HiorsError as error:
            raise InvalidValue(f"Episode {episode_id}: {error}") from error
    if not read:
        raise InvalidValue(f"{root} holds no sealed episodes (other than discarded ones).")
    weights = weigh([label for _, label in read])
    return tuple(
        JudgedEpisode(episode=episode, label=label, weight=weight)
        for (episode, label), weight in zip(read, weights, strict=True)
    )


def open_store(root: str | Path) -> EpisodeStore:
    """Open a store for reading: its root, or the folder ``episodes`` in it."""
    path = Path(root)
    if path.name == "episodes" and path.is_dir():
        path = path.parent
    if not (path / "episodes").is_dir():
        inside = [p for p in ("store", "demos") if (path / p / "episodes").is_dir()]
        hint = f" Give {' or '.join(str(path / p) for p in inside)}." if inside else ""
        if (path / MANIFEST).is_file():
            hint = " It is one episode; give its store."
        elif (path / METADATA).is_file() or path.suffix in SUFFIXES:
            hint = (
                " A recording made without hiors is imported first, by `hiors import bag`;"
                " `hiors eval` takes it as it is with --map."
            )
        raise InvalidValue(f"{path} is no episode store: it has no folder 'episodes'.{hint}")
    return EpisodeStore(path)


def weigh(labels: Sequence[Label]) -> list[float]:
    """Return each episode's weight: its return over the largest, nothing below 0.

    A failure weighs nothing: to err from it is no fault. Without any success all weigh the same.
    """
    returns = [
        0.0 if math.isnan(label.episode_return) else max(0.0, label.episode_return)
        for label in labels
    ]
    largest = max(returns, default=0.0)
    return [r / largest for r in returns] if largest > 0.0 else [1.0] * len(returns)
