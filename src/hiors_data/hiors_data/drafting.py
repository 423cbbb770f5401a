# SPDX-License-Identifier: Apache-2.0
"""Streams of a stranger's robot written as an episode, as the recorder would have written it.

Commands are resampled to the robot's control rate, transitions logged at the task's frequency
(eq. 6), images taken at transitions. Knows neither bags nor datasets.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hiors_core.authority import Authority
from hiors_core.clock import to_ns, to_s
from hiors_core.errors import InvalidValue
from hiors_core.label import Outcome, judge
from hiors_core.manifest import EpisodeMeta, Manifest
from hiors_core.names import new_episode_id
from hiors_core.recording import EpisodeRecording, start_recording
from hiors_core.robot import RobotModel
from hiors_core.store import EpisodeStore
from hiors_core.task import Task
from hiors_data.tracks import Streams, sample

Array = NDArray[np.float64]
Image = NDArray[np.uint8]

SHORTEST = 0.5
"""Shortest stretch that can be an episode [s]."""


class Frames(Protocol):
    """Camera images as time goes on."""

    def until(self, stamp: int) -> None:
        """Go on to ``stamp`` [ns]; it never goes back."""

    def decoded(self) -> Iterable[tuple[str, int, Image]]:
        """Return camera, stamp [ns] and RGB image of the newest frame of every camera."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """What the streams are taken as.

    Attributes:
        operator: who drove and labels. origin: where they come from, for people.
        lead: how much later [s] measured positions stand for commands when there are none.
        max_gap: longest time without a pose that is bridged [s].
    """

    robot: RobotModel
    task: Task
    operator: str
    origin: str
    lead: float
    max_gap: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """The episodes that a recording became, and what its user should know."""

    episodes: tuple[Manifest, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One episode to be: streams from ``start`` to ``end`` [ns], who drove, how it ended."""

    episode_id: str
    streams: Streams
    start: int
    end: int
    outcome: Outcome
    authority: Callable[[int], Authority]


def identity(purpose: Purpose, streams: Streams, start: int, end: int, part: str = "") -> str:
    """Return the id that the same stretch (``part``) of the same recording always gets."""
    said = f"{purpose.robot.name} {purpose.task.name} {start} {end} {part}"
    digest = hashlib.sha256(said.encode())
    for one in (*streams.measured, *streams.executed):
        digest.update(one.track.stamps.tobytes() + one.track.values.tobytes())
    return f"{new_episode_id(start)[:15]}-{digest.hexdigest()[:8]}"


def check_length(start: int, end: int, what: str) -> None:
    """Raise InvalidValue for a stretch that is too short to be an episode."""
    if to_s(end - start) < SHORTEST:
        raise InvalidValue(
            f"{what} lasts {to_s(end - start):.2f} s; an episode must last {SHORTEST:g} s"
        )


def write_draft(draft: Draft, purpose: Purpose, frames: Frames, store: EpisodeStore) -> None:
    """Write and label one episode."""
    robot, task = purpose.robot, purpose.task
    meta = EpisodeMeta(
        episode_id=draft.episode_id,
        task=task.name,
        instruction=task.instruction,
        robot=robot.name,
        arms=tuple(arm.name for arm in robot.arms),
        names=robot.names,
        f_low=task.f_low,
        f_high=task.f_high,
        operator=purpose.operator,
    )
    _write_ticks(start_recording(store, meta), draft, purpose, frames)
    if draft.outcome is not Outcome.NONE:
        label = judge(draft.outcome, labeler=purpose.operator, source="import", stamp=draft.end)
        store.set_label(draft.episode_id, label)


def notes_on(streams: Streams, purpose: Purpose) -> tuple[str, ...]:
    """Return what the user of imported streams should know."""
    notes = []
    missing = [n for n in purpose.task.objects if n not in streams.objects]
    if missing:
        notes.append(
            f"No poses of {', '.join(missing)}: policies on images can train on this, policies"
            " on object poses cannot."
        )
    if not streams.executed:
        notes.append(f"No commands: measured positions {purpose.lead:g} s later stand for them.")
    rate = purpose.robot.control_rate_hz
    for part in (*streams.measured, *streams.executed):
        stamps = part.track.stamps
        hz = (len(stamps) - 1) / max(to_s(int(stamps[-1] - stamps[0])), 1e-9)
        if hz < 0.9 * rate:
            notes.append(
                f"{part.topic} has {hz:.1f} Hz, less than the control rate of {rate:g} Hz:"
                " interpolated."
            )
    return tuple(dict.fromkeys(notes))


def _write_ticks(target: EpisodeRecording, draft: Draft, purpose: Purpose, frames: Frames) -> None:
    streams = draft.streams
    period = to_ns(1.0 / purpose.robot.control_rate_hz)
    ticks = np.arange(draft.start, draft.end + 1, period, dtype=np.int64)
    measured = _kept(purpose.robot, sample(streams.measured, ticks))
    executed = _kept(purpose.robot, _commands(draft, purpose, ticks))
    before: Authority | None = None
    epoch = 0
    for tick, stamp in enumerate(int(t) for t in ticks):
        authority = draft.authority(stamp)
        if authority is not before:
            before, epoch = authority, epoch + 1
            target.control_state(stamp, authority, epoch, f"imported from {purpose.origin}")
        target.joint_state(stamp, measured[tick])
        _objects(target, streams, purpose, stamp)
        frames.until(stamp)
        logged = target.executed(
            stamp,
            tick=tick,
            epoch=epoch,
            authority=authority,
            position=executed[tick],
            policy_version="imported" if authority is Authority.POLICY else "",
        )
        if logged is not None:
            for camera, taken, image in frames.decoded():
                target.image(camera, logged, image, taken)
    target.finish("imported")


def _commands(draft: Draft, purpose: Purpose, ticks: NDArray[np.int64]) -> Array:
    if draft.streams.executed:
        return sample(draft.streams.executed, ticks)
    return sample(draft.streams.measured, np.minimum(ticks + to_ns(purpose.lead), draft.end))


def _kept(robot: RobotModel, positions: Array) -> Array:
    """Return the positions with the grippers' noise beyond 0 .. 1 cut off."""
    grippers = np.array([unit == "1" for unit in robot.units])
    kept: Array = np.where(grippers, np.clip(positions, 0.0, 1.0), positions)
    return kept


def _objects(target: EpisodeRecording, streams: Streams, purpose: Purpose, stamp: int) -> None:
    frame = purpose.robot.arms[0].base_frame
    for name, track in streams.objects.items():
        if int(track.stamps[0]) <= stamp + to_ns(purpose.max_gap):
            target.object_pose(name, stamp, track.newest(stamp), frame)
