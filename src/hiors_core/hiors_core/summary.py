# SPDX-License-Identifier: Apache-2.0
"""The summary of a sealed episode that acceptance (eq. 3) judges.

Reads one folder; decides nothing.
"""

from pathlib import Path

from hiors_core.acceptance import Summary
from hiors_core.episode import Episode, load_episode
from hiors_core.filters import NO_OP_SPAN, NO_OP_THRESHOLD
from hiors_core.label import Label
from hiors_core.manifest import Manifest
from hiors_core.robot import RobotModel
from hiors_core.similar import Start
from hiors_core.targets import span_motion
from hiors_core.topics import EXECUTED, JOINT_STATES


def summarize(
    path: str | Path, label: Label, robot: RobotModel, no_op_threshold: float = NO_OP_THRESHOLD
) -> Summary:
    """Read a sealed episode and sum it up; the threshold [m] is that of the no-op filter."""
    episode = load_episode(path)
    manifest = episode.manifest
    return Summary(
        episode_id=manifest.episode_id,
        task=manifest.task,
        label=label,
        length=manifest.duration,
        transitions=len(episode.marks),
        moving=moving_marks(episode, robot, no_op_threshold),
        aborted=manifest.aborted,
        max_gap=_gap(manifest),
        missing=_missing(manifest),
        start=start_of(episode),
    )


def start_of(episode: Episode) -> Start:
    """Return where an episode began: x and y [m] of every object at the first control tick."""
    if not len(episode.stamps):
        return ()
    first = int(episode.stamps[0])
    poses = (track.newest(first) for _, track in sorted(episode.objects.items()))
    return tuple(float(v) for pose in poses for v in pose[:2])


def moving_marks(
    episode: Episode,
    robot: RobotModel,
    threshold: float = NO_OP_THRESHOLD,
    span: float = NO_OP_SPAN,
) -> int:
    """Return how many logged transitions the no-op filter keeps; the last one always counts."""
    motion = span_motion(episode, robot, span)
    return sum(m >= threshold for m in motion[:-1]) + bool(motion)


def _gap(manifest: Manifest) -> float:
    streams = (manifest.stream(topic) for topic in (EXECUTED, JOINT_STATES))
    return max((s.max_gap for s in streams if s is not None), default=0.0)


def _missing(manifest: Manifest) -> float:
    stream = manifest.stream(EXECUTED)
    if stream is None or not stream.count:
        return 0.0
    return stream.missing / (stream.missing + stream.count)
