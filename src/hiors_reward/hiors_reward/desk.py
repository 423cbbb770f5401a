# SPDX-License-Identifier: Apache-2.0
"""The label desk: which episode a judgement means, and what becomes of it. Knows no ROS."""

from dataclasses import dataclass

from hiors_core.errors import HiorsError, StateError
from hiors_core.label import Label, Outcome, judge
from hiors_core.owner import read_owner
from hiors_core.store import EpisodeStore

UNDO = 5
"""LabelEpisode.UNDO."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a front end sends; ``episode_id`` may be empty."""

    episode_id: str
    outcome: int
    episode_return: float = 0.0
    stage_rewards: tuple[float, ...] = ()
    labeler: str = ""
    source: str = ""


class LabelDesk:
    """Takes judgements and keeps them in the store."""

    def __init__(self, store: EpisodeStore) -> None:
        self._store = store
        self._running = ""

    def started(self, episode_id: str) -> None:
        """Note the episode that is being recorded."""
        self._running = episode_id

    def ended(self, episode_id: str) -> None:
        """Note that an episode is no longer recorded."""
        if self._running == episode_id:
            self._running = ""

    def take(self, judgement: Judgement, stamp: int) -> tuple[str, Label]:
        """Put a judgement in force; returns the episode and its label, or raises HiorsError."""
        undo = judgement.outcome == UNDO
        episode_id = judgement.episode_id or self._meant(labelled=undo)
        if undo:
            return episode_id, self._store.undo_label(episode_id)
        label = judge(
            judgement.outcome,
            episode_return=judgement.episode_return,
            stage_rewards=judgement.stage_rewards,
            labeler=judgement.labeler,
            source=judgement.source,
            stamp=stamp,
        )
        return episode_id, self._store.set_label(episode_id, label)

    def _meant(self, *, labelled: bool) -> str:
        """Return the running episode, else the newest without a label (with one, to undo it)."""
        running = self._alive()
        if running:
            return running
        for episode_id in reversed(self._store.ids()):
            if self._fits(episode_id, labelled=labelled):
                return episode_id
        kind = "whose label can be undone" if labelled else "without a label"
        raise StateError(f"No episode is running and there is none {kind}: give an episode id")

    def _fits(self, episode_id: str, *, labelled: bool) -> bool:
        try:
            has = self._store.label(episode_id).outcome != Outcome.NONE
            return has is labelled and self._store.decision(episode_id) is None
        except HiorsError:
            # A damaged episode is never the one that is meant.
            return False

    def _alive(self) -> str:
        recorded = self._store.recording_ids()
        if self._running in recorded:
            return self._running
        for episode_id in reversed(recorded):
            owner = read_owner(self._store.recording / episode_id)
            if owner is not None and owner.alive():
                return episode_id
        return ""
