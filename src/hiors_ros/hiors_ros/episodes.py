# SPDX-License-Identifier: Apache-2.0
"""EpisodeStatus and EpisodeLabel from the values of hiors_core."""

import math
from collections.abc import Sequence

from hiors_core.acceptance import Decision
from hiors_core.label import Label
from hiors_core.manifest import Manifest
from hiors_interfaces.msg import EpisodeLabel, EpisodeStatus
from hiors_ros.conversions import to_stamp

_NOTHING = Label()


def status_message(
    state: int,
    episode_id: str,
    stamp: int,
    *,
    task: str = "",
    manifest: Manifest | None = None,
    label: Label = _NOTHING,
    decision: Decision | None = None,
    reasons: Sequence[str] = (),
    path: str = "",
) -> EpisodeStatus:
    """Make the status of an episode at ``stamp`` [ns] from what is known of it."""
    message = EpisodeStatus(state=state, episode_id=episode_id, task=task, path=path)
    message.header.stamp = to_stamp(stamp)
    message.outcome = int(label.outcome)
    message.episode_return = label.episode_return
    message.threshold = decision.threshold if decision else math.nan
    message.reasons = list(reasons or (decision.reasons if decision else ()))
    if manifest is not None:
        message.task = manifest.task
        message.duration = manifest.duration
        message.ticks = manifest.ticks
        message.transitions = manifest.transitions
        message.interventions = manifest.interventions
        message.human_fraction = manifest.human_fraction
        message.policy_versions = list(manifest.policy_versions)
    return message


def label_message(episode_id: str, label: Label) -> EpisodeLabel:
    """Make the message of a label."""
    message = EpisodeLabel(
        episode_id=episode_id,
        outcome=int(label.outcome),
        episode_return=label.episode_return,
        stage_rewards=list(label.stage_rewards),
        labeler=label.labeler,
        source=label.source,
        revision=label.revision,
    )
    message.header.stamp = to_stamp(label.stamp)
    return message
