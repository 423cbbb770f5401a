# SPDX-License-Identifier: Apache-2.0
"""bridge_node: accepted episodes to the learner, status and checkpoints back. Thin over Bridge."""

import sys
from pathlib import Path
from typing import Any

from hiors_bridge.bridge import Bridge, Change, Event
from hiors_bridge.checkpoints import CheckpointWatch, Published
from hiors_bridge.learner import learner_status
from hiors_bridge.parameters import BridgeParameters, acceptance_rule
from hiors_bridge.remote import LOCAL, Remote
from hiors_bridge.spool import Spool, Waiting
from hiors_core.acceptance import AcceptanceRules
from hiors_core.errors import HiorsError
from hiors_core.link import Link
from hiors_core.robot import load_robot
from hiors_core.store import EpisodeStore
from hiors_core.task import load_task
from hiors_core.watch import FolderBell
from hiors_interfaces.msg import CheckpointInfo, EpisodeStatus, LearnerStatus
from hiors_ros.conversions import to_stamp
from hiors_ros.diagnostics import Level
from hiors_ros.episodes import status_message
from hiors_ros.node import HiorsNode, run_node

_LOOK = 0.05
"""Between two looks at labels, ledger and checkpoints [s]; a few calls of stat when there is
nothing new.
"""
_REPORT = 0.25
_PRUNE_PERIOD = 60.0
_GIB = 1 << 30
_STATES = {
    Change.ACCEPTED: EpisodeStatus.ACCEPTED,
    Change.REJECTED: EpisodeStatus.REJECTED,
    Change.QUARANTINED: EpisodeStatus.REJECTED,
    Change.DISCARDED: EpisodeStatus.DISCARDED,
    Change.LEARNED: EpisodeStatus.LEARNED,
}


class BridgeNode(HiorsNode):
    """Watches the store, the ledger, the learner's status and the checkpoints."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("bridge_node", **kwargs)
        self._settings = p = self.declare_all(BridgeParameters)
        self.finish_parameters()
        task = load_task(p.task_file)
        self._store = EpisodeStore(p.store)
        self._link = Link(p.link)
        self._bridge = Bridge(
            self._store,
            self._link,
            AcceptanceRules(default=acceptance_rule(p, task)),
            load_robot(p.robot_file, p.arms or None),
            label_grace=p.label_grace,
            no_op_threshold=task.noop_threshold,
        )
        self._watch = CheckpointWatch(p.checkpoints)
        self._spool = Spool(self._link, self._store.hold, int(p.spool_limit_gib * _GIB))
        # The learner's thread writes the ledger that self._link reads: it has a Link of its own.
        self._remote = None if p.learner == LOCAL else Remote(p, Link(p.link))
        self._statuses = self.advertise(EpisodeStatus, "episode/status")
        self._learner = self.advertise(LearnerStatus, "learner/status")
        self._checkpoints = self.advertise(CheckpointInfo, "learner/checkpoint")
        self.create_timer(_LOOK, self._look)
        published = self.create_guard_condition(self._look_for_checkpoint)
        self._bell = FolderBell(Path(p.checkpoints), published.trigger)
        self.create_timer(_REPORT, self._report)
        if p.store_limit_gib > 0.0:
            self.create_timer(_PRUNE_PERIOD, self._prune)

    def _look(self) -> None:
        now = self.now_ns()
        for event in self._bridge.step(now):
            self._announce(event, now)
        self._look_for_checkpoint()

    def _report(self) -> None:
        now = self.now_ns()
        waiting = self._spool.look()
        status = learner_status(self._link, now, self._settings.status_timeout)
        if waiting.full:
            status.message = f"{waiting.full}. {status.message}"
        self._learner.publish(status)
        self._tell_of_spool(waiting)
        troubled = self._bridge.troubled
        text = "; ".join(f"{i}: {why}" for i, why in list(troubled.items())[:3])
        self.diagnostics.set(
            "episodes", Level.WARN if troubled else Level.OK, text or "ok", troubled=len(troubled)
        )

    def _tell_of_spool(self, waiting: Waiting) -> None:
        level = Level.ERROR if waiting.full else Level.OK
        counts = {"episodes": waiting.episodes, "bytes": waiting.bytes}
        self.diagnostics.set("spool", level, waiting.text, **counts)
        if self._remote is None:
            return
        health = self._remote.health
        level = Level.OK if health.connected and not health.troubles else Level.WARN
        refused = "; ".join(f"{i}: {why}" for i, why in list(health.troubles.items())[:3])
        self.diagnostics.set(
            "link",
            level if health.connected else Level.ERROR,
            "; ".join(text for text in (health.text, refused) if text),
            silent=f"{health.silent:.1f}",
            stored=health.stored,
            upload=health.upload,
            download=health.download,
        )

    def close(self) -> None:
        """End the thread that talks to the learner; let the recorder go on."""
        if self._remote:
            self._remote.close()
        self._bell.close()
        self._spool.close()

    def _announce(self, event: Event, now: int) -> None:
        path = self._store.episodes / event.episode_id
        self.get_logger().info(
            f"episode {event.episode_id} {event.change.value}:"
            f" {'; '.join(event.reasons or (event.decision.reasons if event.decision else ()))}"
        )
        self._statuses.publish(
            status_message(
                _STATES[event.change],
                event.episode_id,
                now,
                manifest=event.manifest,
                label=event.label,
                decision=event.decision,
                reasons=event.reasons,
                path=str(path) if path.is_dir() else "",
            )
        )

    def _look_for_checkpoint(self) -> None:
        try:
            published = self._watch.new()
        except HiorsError as error:
            self.get_logger().error(str(error))
            self.diagnostics.set("checkpoint", Level.ERROR, str(error))
            return
        if published is not None:
            self._checkpoints.publish(self._checkpoint_message(published))
            self.diagnostics.set("checkpoint", Level.OK, published.version)

    def _checkpoint_message(self, published: Published) -> CheckpointInfo:
        message = CheckpointInfo(
            version=published.version,
            path=str(published.path),
            sha256=published.sha256,
            step=published.step,
            parent=published.parent,
            action_space=published.kind,
            names=list(published.names),
            horizon=published.horizon,
            dt=published.dt,
        )
        message.header.stamp = to_stamp(self.now_ns())
        return message

    def _prune(self) -> None:
        for episode_id in self._store.prune(int(self._settings.store_limit_gib * _GIB)):
            self.get_logger().info(f"rejected episode {episode_id} deleted: store is full")


def main() -> int:
    """Run bridge_node."""
    return run_node(BridgeNode)


if __name__ == "__main__":
    sys.exit(main())
