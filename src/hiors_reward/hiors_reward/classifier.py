# SPDX-License-Identifier: Apache-2.0
"""A learned judge as a proposer of labels: what it would say of a sealed episode. Knows no ROS; a
person's judgement is never touched.
"""

from dataclasses import dataclass
from pathlib import Path

from hiors_core.episode import load_episode
from hiors_core.label import Outcome
from hiors_core.store import EpisodeStore
from hiors_policy.success import load_judge
from hiors_reward.desk import Judgement

NAME = "classifier"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What the classifier would say; ``probability`` of success."""

    episode_id: str
    outcome: Outcome
    probability: float

    def judgement(self) -> Judgement:
        """Return it as a judgement for the desk."""
        return Judgement(
            episode_id=self.episode_id, outcome=int(self.outcome), labeler=NAME, source=NAME
        )


class Proposer:
    """Proposes labels for the episodes of a store."""

    def __init__(self, store: EpisodeStore, path: Path) -> None:
        """Read the classifier, or raise IntegrityError."""
        self._store, self._judge = store, load_judge(path)

    def propose(self, episode_id: str) -> Proposal | None:
        """Return what the classifier says of a sealed episode, None when it is labelled; raise
        HiorsError when it cannot be judged.
        """
        if self._store.label(episode_id).outcome is not Outcome.NONE:
            return None
        chance = self._judge.probability(load_episode(self._store.path(episode_id)))
        outcome = Outcome.SUCCESS if chance >= self._judge.threshold else Outcome.FAILURE
        return Proposal(episode_id=episode_id, outcome=outcome, probability=chance)
