# SPDX-License-Identifier: Apache-2.0
"""A LeRobot dataset becomes episodes of a store. Its features take the place of a bag's topics.

``action`` of a frame counts as executed one period later, as the export writes it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hiors_core.authority import Authority
from hiors_core.clock import to_ns
from hiors_core.errors import InvalidValue, UnknownName
from hiors_core.label import Outcome
from hiors_core.robot import RobotModel
from hiors_core.task import Task
from hiors_core.track import Track, make_track
from hiors_data.drafting import (
    Draft,
    Imported,
    Purpose,
    check_length,
    identity,
    notes_on,
    write_draft,
)
from hiors_data.lerobot import layout
from hiors_data.lerobot.dataset import Dataset, Rows
from hiors_data.staging import staging
from hiors_data.tracks import Part, Streams, check_limits

Image = NDArray[np.uint8]

EPOCH = 1_600_000_000 * 10**9
"""Stamp of the first frame where the dataset has no stamps [ns]; episodes follow day by day."""
_DAY = 86_400 * 10**9
_POSE = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetImport:
    """What is imported as what. outcome: of episodes that do not say by next.success."""

    root: Path
    robot: RobotModel
    task: Task
    operator: str = ""
    outcome: Outcome = Outcome.SUCCESS


def import_dataset(job: DatasetImport, store: str | Path) -> Imported:
    """Write the episodes of a dataset into a store: all of them or none."""
    dataset = Dataset(job.root)
    state = _order(dataset, layout.STATE, job.robot)
    action = _order(dataset, layout.ACTION, job.robot)
    purpose = Purpose(
        robot=job.robot,
        task=job.task,
        operator=job.operator,
        origin=job.root.name,
        lead=1.0 / dataset.fps,
        max_gap=0.5,
    )
    cameras = [c for c in job.robot.cameras if layout.IMAGE + c in dataset.features]
    notes: dict[str, None] = {}
    with staging(store) as place:
        for rows in dataset.episodes():
            streams = _streams(dataset, rows, job.robot, state, action)
            check_limits((*streams.measured, *streams.executed), job.robot)
            start, end = streams.span()
            number = rows.line["episode_index"]
            check_length(start, end, f"Episode {number} of {job.root}")
            draft = Draft(
                episode_id=identity(purpose, streams, start, end, str(number)),
                streams=streams,
                start=start,
                end=end,
                outcome=_outcome(rows, job.outcome),
                authority=_authority(rows, streams),
            )
            place.check_new(draft.episode_id)
            images = {c: dataset.images(rows, layout.IMAGE + c) for c in cameras}
            stamps = streams.measured[0].track.stamps
            write_draft(draft, purpose, _Frames(stamps, images), place.store)
            notes |= dict.fromkeys(notes_on(streams, purpose))
        episodes = tuple(place.target.manifest(i) for i in place.publish())
    return Imported(episodes=episodes, notes=tuple(notes))


def _order(dataset: Dataset, feature: str, robot: RobotModel) -> list[int]:
    names = dataset.names(feature)
    for name in robot.names:
        if name not in names:
            raise UnknownName(
                f"name in {feature}",
                name,
                names,
                f"Robot {robot.name} needs it, in {dataset.root}.",
            )
    return [names.index(name) for name in robot.names]


def _streams(
    dataset: Dataset, rows: Rows, robot: RobotModel, state: Sequence[int], action: Sequence[int]
) -> Streams:
    period = to_ns(1.0 / dataset.fps)
    stamps = _stamps(rows)
    columns = np.arange(len(robot.names))
    objects = {}
    if layout.OBJECTS in dataset.features:
        names = [n.removesuffix("_x") for n in dataset.names(layout.OBJECTS)[::_POSE]]
        values = _numbers(rows, layout.OBJECTS)
        objects = {
            name: _track(stamps, values[:, i * _POSE : (i + 1) * _POSE])
            for i, name in enumerate(names)
        }
    measured = _track(stamps, _numbers(rows, layout.STATE)[:, state])
    executed = _track(stamps + period, _numbers(rows, layout.ACTION)[:, action])
    return Streams(
        measured=(Part(columns, measured, layout.STATE),),
        executed=(Part(columns, executed, layout.ACTION),),
        objects=objects,
    )


def _stamps(rows: Rows) -> NDArray[np.int64]:
    """Return the frames' stamps: their grid, from the true stamp of the first on."""
    number = int(rows.line["episode_index"])
    origin = EPOCH + number * _DAY
    if layout.STAMP in rows.columns:
        origin = int(rows.columns[layout.STAMP][0])
    grid = [to_ns(float(t - rows.times[0])) for t in rows.times]
    return origin + np.array(grid, np.int64)


def _numbers(rows: Rows, feature: str) -> NDArray[np.float64]:
    values = np.asarray(rows.columns[feature], np.float64)
    if not np.isfinite(values).all():
        raise InvalidValue(
            f"{feature} of episode {rows.line['episode_index']} has values that are no numbers"
        )
    return values


def _track(stamps: NDArray[np.int64], values: NDArray[np.float64]) -> Track:
    return make_track(stamps.tolist(), list(values), values.shape[1])


def _outcome(rows: Rows, default: Outcome) -> Outcome:
    if layout.SUCCESS not in rows.columns:
        return default
    return Outcome.SUCCESS if np.any(rows.columns[layout.SUCCESS]) else Outcome.FAILURE


def _authority(rows: Rows, streams: Streams) -> Callable[[int], Authority]:
    stamps = streams.measured[0].track.stamps
    human: NDArray[Any] = np.asarray(
        rows.columns.get(layout.INTERVENTION, np.ones(len(stamps), np.bool_))
    ).reshape(-1)

    def who(stamp: int) -> Authority:
        place = max(0, int(np.searchsorted(stamps, stamp, side="right")) - 1)
        return Authority.HUMAN if human[place] else Authority.POLICY

    return who


class _Frames:
    """The images of an episode's frames as time goes on."""

    def __init__(self, stamps: NDArray[np.int64], images: dict[str, Iterator[Image]]) -> None:
        self._stamps, self._images = stamps, images
        self._next = 0
        self._newest: dict[str, tuple[int, Image]] = {}

    def until(self, stamp: int) -> None:
        while self._next < len(self._stamps) and self._stamps[self._next] <= stamp:
            taken = int(self._stamps[self._next])
            for camera, images in self._images.items():
                self._newest[camera] = (taken, next(images))
            self._next += 1

    def decoded(self) -> Iterator[tuple[str, int, Image]]:
        for camera, (taken, image) in self._newest.items():
            yield camera, taken, image
