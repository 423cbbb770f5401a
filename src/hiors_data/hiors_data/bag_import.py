# SPDX-License-Identifier: Apache-2.0
"""A recording made without hiors becomes episodes that the learner trains on.

Commands are resampled to the robot's control rate, transitions logged at the task's frequency
(eq. 6), images taken at transitions. All is checked before anything is written.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hiors_core.authority import Authority
from hiors_core.clock import to_ns, to_s
from hiors_core.errors import InvalidValue
from hiors_core.label import Outcome, judge
from hiors_core.manifest import EpisodeMeta, Manifest
from hiors_core.names import new_episode_id
from hiors_core.recording import EpisodeRecording, Logged, start_recording
from hiors_core.robot import RobotModel
from hiors_core.store import EpisodeStore
from hiors_core.task import Task
from hiors_data.frames import NewestFrames, check_camera
from hiors_data.recording import Recording
from hiors_data.staging import Staging, staging
from hiors_data.topic_map import TopicMap
from hiors_data.tracks import Streams, check_limits, check_stretch, read_streams, sample

Array = NDArray[np.float64]

SHORTEST = 0.5
"""Shortest stretch that can be an episode [s]."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """The episodes that a recording became, and what its user should know."""

    episodes: tuple[Manifest, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Stretch:
    episode_id: str
    start: int
    end: int
    outcome: Outcome


def import_bag(job: BagImport, store: str | Path) -> Imported:
    """Write the episodes of a recording into a store: all of them or none."""
    _check_sees(job)
    with Recording(job.bag) as recording:
        for topic in job.topics.cameras.values():
            check_camera(recording, topic)
        streams = read_streams(recording, job.topics, job.robot)
        check_limits((*streams.measured, *streams.executed), job.robot)
        stretches = _stretches(job, streams)
        with staging(store) as place:
            for stretch in stretches:
                place.check_new(stretch.episode_id)
            _write_all(job, recording, streams, stretches, place)
            ids = place.publish()
            episodes = tuple(place.target.manifest(i) for i in ids)
    return Imported(episodes=episodes, notes=tuple(_notes(job, streams)))


def _check_sees(job: BagImport) -> None:
    if not job.topics.objects and not job.topics.cameras:
        raise InvalidValue(
            "The topic map has neither objects nor cameras: a policy would see nothing but the"
            " robot itself. Map one of them."
        )


def _stretches(job: BagImport, streams: Streams) -> list[_Stretch]:
    first, last = streams.span()
    if job.topics.cuts:
        spans = [
            (first + to_ns(c.start), first + to_ns(c.end), c.outcome) for c in job.topics.cuts
        ]
    else:
        spans = [(first, last, job.outcome)]
    found = []
    for start, end, outcome in spans:
        if end > last + to_ns(job.topics.max_gap) or to_s(end - start) < SHORTEST:
            raise InvalidValue(
                f"An episode from {to_s(start - first):.2f} s to {to_s(end - first):.2f} s: it"
                f" must last {SHORTEST:g} s and end with the recording, which has"
                f" {to_s(last - first):.2f} s"
            )
        end = min(end, last)
        check_stretch(streams, start, end, job.topics.max_gap)
        found.append(_Stretch(_identity(job, streams, start, end), start, end, outcome))
    return found


def _identity(job: BagImport, streams: Streams, start: int, end: int) -> str:
    """Return the id that the same stretch of the same recording always gets."""
    digest = hashlib.sha256(f"{job.robot.name} {job.task.name} {start} {end}".encode())
    for part in (*streams.measured, *streams.executed):
        digest.update(part.track.stamps.tobytes() + part.track.values.tobytes())
    return f"{new_episode_id(start)[:15]}-{digest.hexdigest()[:8]}"


def _write_all(
    job: BagImport,
    recording: Recording,
    streams: Streams,
    stretches: list[_Stretch],
    place: Staging,
) -> None:
    for stretch in stretches:
        _write(job, recording, streams, stretch, place.store)
        if stretch.outcome is not Outcome.NONE:
            label = judge(
                stretch.outcome, labeler=job.operator, source="import", stamp=stretch.end
            )
            place.store.set_label(stretch.episode_id, label)


def _write(
    job: BagImport,
    recording: Recording,
    streams: Streams,
    stretch: _Stretch,
    store: EpisodeStore,
) -> None:
    meta = EpisodeMeta(
        episode_id=stretch.episode_id,
        task=job.task.name,
        instruction=job.task.instruction,
        robot=job.robot.name,
        arms=tuple(arm.name for arm in job.robot.arms),
        names=job.robot.names,
        f_low=job.task.f_low,
        f_high=job.task.f_high,
        operator=job.operator,
    )
    target = start_recording(store, meta)
    authority = job.topics.authority
    target.control_state(stretch.start, authority, 1, f"imported from {job.bag.name}")
    frames = NewestFrames(recording, job.topics.cameras, job.topics.clock)
    period = to_ns(1.0 / job.robot.control_rate_hz)
    ticks = np.arange(stretch.start, stretch.end + 1, period, dtype=np.int64)
    measured = sample(streams.measured, ticks)
    executed = _commands(job, streams, ticks, stretch.end)
    for tick, stamp in enumerate(int(t) for t in ticks):
        target.joint_state(stamp, _kept(job.robot, measured[tick]))
        _objects(target, job, streams, stamp)
        frames.until(stamp)
        logged = target.executed(
            stamp,
            tick=tick,
            epoch=1,
            authority=authority,
            position=_kept(job.robot, executed[tick]),
            policy_version="imported" if authority is Authority.POLICY else "",
        )
        if logged is not None:
            _images(target, frames, logged)
    target.finish("imported")


def _commands(job: BagImport, streams: Streams, ticks: NDArray[np.int64], end: int) -> Array:
    if streams.executed:
        return sample(streams.executed, ticks)
    return sample(streams.measured, np.minimum(ticks + to_ns(job.topics.lead), end))


def _kept(robot: RobotModel, position: Array) -> Array:
    """Return the position with the grippers' noise beyond 0 .. 1 cut off."""
    grippers = np.array([unit == "1" for unit in robot.units])
    return np.where(grippers, np.clip(position, 0.0, 1.0), position)


def _objects(target: EpisodeRecording, job: BagImport, streams: Streams, stamp: int) -> None:
    for name, track in streams.objects.items():
        if int(track.stamps[0]) <= stamp + to_ns(job.topics.max_gap):
            frame = job.robot.arms[0].base_frame
            target.object_pose(name, stamp, track.newest(stamp), frame)


def _images(target: EpisodeRecording, frames: NewestFrames, logged: Logged) -> None:
    for camera, stamp, image in frames.decoded():
        target.image(camera, logged, image, stamp)


def _notes(job: BagImport, streams: Streams) -> list[str]:
    notes = []
    missing = [n for n in job.task.objects if n not in streams.objects]
    if missing:
        notes.append(
            f"No poses of {', '.join(missing)}: policies on images can train on this, policies"
            " on object poses cannot."
        )
    if not streams.executed:
        notes.append(
            f"No commands in the map: measured positions {job.topics.lead:g} s later stand for"
            " them."
        )
    rates: Mapping[str, float] = {
        p.topic: (len(p.track) - 1) / max(to_s(int(p.track.stamps[-1] - p.track.stamps[0])), 1e-9)
        for p in (*streams.measured, *streams.executed)
    }
    rate = job.robot.control_rate_hz
    notes += [
        f"{topic} has {hz:.1f} Hz, less than the control rate of {rate:g} Hz: interpolated."
        for topic, hz in rates.items()
        if hz < 0.9 * rate
    ]
    return notes
