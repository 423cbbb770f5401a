# SPDX-License-Identifier: Apache-2.0
"""label_node: takes judgements from whatever front end. Thin over LabelDesk."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hiors_core.errors import HiorsError
from hiors_core.label import Label, Outcome
from hiors_core.manifest import Manifest
from hiors_core.store import EpisodeStore
from hiors_interfaces.msg import EpisodeLabel, EpisodeStatus
from hiors_interfaces.srv import LabelEpisode
from hiors_reward.desk import Judgement, LabelDesk
from hiors_reward.parameters import LabelParameters
from hiors_ros.diagnostics import Level
from hiors_ros.episodes import label_message, status_message
from hiors_ros.node import HiorsNode, run_node

if TYPE_CHECKING:
    from hiors_reward.classifier import Proposer


class LabelNode(HiorsNode):
    """Serves episode/label_episode; keeps each label in the store and publishes it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("label_node", **kwargs)
        self._settings = self.declare_all(LabelParameters)
        self.finish_parameters()
        self._store = EpisodeStore(self._settings.store)
        self._desk = LabelDesk(self._store)
        self._proposer = self._learned()
        self._labels = self.advertise(EpisodeLabel, "episode/label")
        self._statuses = self.advertise(EpisodeStatus, "episode/status")
        self.subscribe(EpisodeStatus, "episode/status", self._on_status)
        self.create_service(LabelEpisode, "episode/label_episode", self._on_request)
        self.diagnostics.set("labels", Level.OK, "ready")

    def _on_status(self, message: EpisodeStatus) -> None:
        if message.state == EpisodeStatus.RECORDING:
            self._desk.started(message.episode_id)
        elif message.state != EpisodeStatus.LABELED:
            self._desk.ended(message.episode_id)
        if message.state == EpisodeStatus.SEALED and self._proposer is not None:
            self._propose(message.episode_id)

    def _learned(self) -> "Proposer | None":
        if not self._settings.classifier:
            return None
        # Torch takes seconds to load, and most runs have no classifier.
        from hiors_reward.classifier import Proposer

        return Proposer(self._store, Path(self._settings.classifier))

    def _propose(self, episode_id: str) -> None:
        if self._proposer is None:
            return
        try:
            proposal = self._proposer.propose(episode_id)
            if proposal is None:
                return
            said = f"{episode_id}: {proposal.outcome.name}, p {proposal.probability:.2f}"
            self.diagnostics.set("classifier", Level.OK, said)
            if self._settings.proposals == "label":
                stamp = self.now_ns()
                self._tell(*self._desk.take(proposal.judgement(), stamp), stamp)
        except (HiorsError, OSError) as error:
            self.diagnostics.set("classifier", Level.WARN, f"{episode_id}: {error}")

    def _on_request(
        self, request: LabelEpisode.Request, response: LabelEpisode.Response
    ) -> LabelEpisode.Response:
        judgement = Judgement(
            episode_id=request.episode_id,
            outcome=request.outcome,
            episode_return=request.episode_return,
            stage_rewards=tuple(request.stage_rewards),
            labeler=request.labeler,
            source=request.source,
        )
        stamp = self.now_ns()
        try:
            episode_id, label = self._desk.take(judgement, stamp)
        except (HiorsError, OSError) as error:
            response.message = str(error)
            self.diagnostics.set("labels", Level.WARN, f"refused: {error}")
            return response
        self._tell(episode_id, label, stamp)
        response.success = True
        response.message = Outcome(label.outcome).name
        response.episode_id = episode_id
        response.revision = label.revision
        return response

    def _tell(self, episode_id: str, label: Label, stamp: int) -> None:
        self._labels.publish(label_message(episode_id, label))
        self._statuses.publish(
            status_message(
                EpisodeStatus.LABELED,
                episode_id,
                stamp,
                manifest=self._manifest(episode_id),
                label=label,
                path=str(self._store.episodes / episode_id),
            )
        )
        name = Outcome(label.outcome).name
        self.diagnostics.set("labels", Level.OK, f"{episode_id}: {name}", by=label.labeler)

    def _manifest(self, episode_id: str) -> Manifest | None:
        try:
            return self._store.manifest(episode_id)
        except HiorsError:
            return None


def main() -> int:
    """Run label_node."""
    return run_node(LabelNode)


if __name__ == "__main__":
    sys.exit(main())
