# SPDX-License-Identifier: Apache-2.0
"""A rosbag2 made without hiors becomes episodes that the learner trains on.

All that can be checked is checked before anything is written.
"""

from dataclasses import dataclass
from pathlib import Path

from hiors_core.clock import to_ns, to_s
from hiors_core.errors import InvalidValue
from hiors_core.label import Outcome
from hiors_core.robot import RobotModel
from hiors_core.task import Task
from hiors_data.drafting import (
    Draft,
    Imported,
    Purpose,
    check_length,
    identity,
    notes_on,
    write_draft,
)
from hiors_data.frames import NewestFrames, check_camera
from hiors_data.recording import Recording
from hiors_data.staging import staging
from hiors_data.topic_map import TopicMap
from hiors_data.tracks import Streams, check_limits, check_stretch, read_streams


@dataclass(frozen=True, slots=True, kw_only=True)
class BagImport:
    """What is imported as what.

    Attributes:
        operator: who drove and labels. outcome: of stretches whose map says none.
    """

    bag: Path
    topics: TopicMap
    robot: RobotModel
    task: Task
    operator: str = ""
    outcome: Outcome = Outcome.SUCCESS


def import_bag(job: BagImport, store: str | Path) -> Imported:
    """Write the episodes of a recording into a store: all of them or none."""
    if not job.topics.objects and not job.topics.cameras:
        raise InvalidValue(
            "The topic map has neither objects nor cameras: a policy would see nothing but the"
            " robot itself. Map one of them."
        )
    purpose = Purpose(
        robot=job.robot,
        task=job.task,
        operator=job.operator,
        origin=job.bag.name,
        lead=job.topics.lead,
        max_gap=job.topics.max_gap,
    )
    with Recording(job.bag) as recording:
        for topic in job.topics.cameras.values():
            check_camera(recording, topic)
        streams = read_streams(recording, job.topics, job.robot)
        check_limits((*streams.measured, *streams.executed), job.robot)
        drafts = _drafts(job, streams, purpose)
        with staging(store) as place:
            for draft in drafts:
                place.check_new(draft.episode_id)
            for draft in drafts:
                frames = NewestFrames(recording, job.topics.cameras, job.topics.clock)
                write_draft(draft, purpose, frames, place.store)
            episodes = tuple(place.target.manifest(i) for i in place.publish())
    return Imported(episodes=episodes, notes=notes_on(streams, purpose))


def _drafts(job: BagImport, streams: Streams, purpose: Purpose) -> list[Draft]:
    first, last = streams.span()
    spans = [(first + to_ns(c.start), first + to_ns(c.end), c.outcome) for c in job.topics.cuts]
    found = []
    for start, end, outcome in spans or [(first, last, job.outcome)]:
        what = f"The stretch from {to_s(start - first):.2f} s to {to_s(end - first):.2f} s"
        if end > last + to_ns(job.topics.max_gap):
            raise InvalidValue(f"{what} is longer than the recording ({to_s(last - first):.2f} s)")
        end = min(end, last)
        check_length(start, end, what)
        check_stretch(streams, start, end, job.topics.max_gap)
        found.append(
            Draft(
                episode_id=identity(purpose, streams, start, end),
                streams=streams,
                start=start,
                end=end,
                outcome=outcome,
                authority=lambda _: job.topics.authority,
            )
        )
    return found
