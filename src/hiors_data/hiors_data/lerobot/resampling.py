# SPDX-License-Identifier: Apache-2.0
"""An episode at a fixed rate, as LeRobot wants it. Its true stamps stay in columns of their own.

``action`` of a frame is what was executed one period later: the row that a chunk predicted at
the frame begins with.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiors_core.authority import Authority
from hiors_core.clock import NS, to_ns
from hiors_core.episode import Episode
from hiors_core.errors import InvalidValue
from hiors_core.label import Label, Outcome
from hiors_core.track import Track
from hiors_data.lerobot import layout

Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resampled:
    """An episode as F frames.

    Attributes:
        columns: by name, (F,) or (F, n) of the dtype in the layout, without images and indices.
        stamps: (F,) of the frames [ns].
    """

    episode: Episode
    columns: Mapping[str, NDArray[np.generic]]
    stamps: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.stamps)

    @property
    def task(self) -> str:
        """The words of the task."""
        return self.episode.instruction or self.episode.task

    def images(self, camera: str) -> Iterator[Image]:
        """Yield the image of every frame: the newest, or the first before it came."""
        first, newest = self._first_image(camera), -1
        image = None
        for stamp in (max(int(s), first) for s in self.stamps):
            taken = self.episode.images.newest_stamps(stamp)[camera]
            if image is None or taken != newest:
                image, newest = self.episode.images.newest(stamp)[camera], taken
            yield image

    def _first_image(self, camera: str) -> int:
        last = int(self.stamps[-1])
        taken = self.episode.images.newest_stamps(last)
        if camera not in taken:
            raise InvalidValue(
                f"Episode {self.episode.episode_id} has no image of camera {camera}; choose"
                " cameras that every episode has by --cameras"
            )
        return self.episode.images.first_stamp(camera)


def resample(
    episode: Episode, label: Label, fps: int, objects: tuple[str, ...], cameras: tuple[str, ...]
) -> Resampled:
    """Return the frames of an episode, from its first to its last control tick."""
    if len(episode.stamps) < 2:
        raise InvalidValue(f"Episode {episode.episode_id} has no motion: there is nothing in it")
    start, end = int(episode.stamps[0]), int(episode.stamps[-1])
    count = (end - start) * fps // NS + 1
    stamps = start + np.array([to_ns(i / fps) for i in range(count)], np.int64)
    measured = episode.joints if len(episode.joints) else episode.actions
    index = np.maximum(np.searchsorted(measured.stamps, stamps, side="right") - 1, 0)
    ticks = np.maximum(np.searchsorted(episode.stamps, stamps, side="right") - 1, 0)
    last = np.arange(count) == count - 1
    ahead = np.minimum(stamps + to_ns(1.0 / fps), end)
    success = label.outcome is Outcome.SUCCESS or (
        label.outcome is Outcome.RETURN and label.episode_return > 0.0
    )
    reward = label.episode_return if np.isfinite(label.episode_return) else 0.0
    columns: dict[str, NDArray[np.generic]] = {
        layout.STATE: measured.values[index].astype(np.float32),
        layout.ACTION: episode.actions.interpolate(ahead).astype(np.float32),
        layout.INTERVENTION: episode.authority[ticks] == Authority.HUMAN,
        layout.REWARD: np.where(last, reward, 0.0).astype(np.float32),
        layout.SUCCESS: last & success,
        layout.DONE: last,
        layout.STAMP: measured.stamps[index],
    }
    if objects:
        poses = [_poses(episode, name, stamps) for name in objects]
        columns[layout.OBJECTS] = np.concatenate(poses, axis=1).astype(np.float32)
    if cameras:
        columns[layout.IMAGE_STAMPS] = _image_stamps(episode, stamps, cameras)
    return Resampled(episode=episode, columns=columns, stamps=stamps)


def _poses(episode: Episode, name: str, stamps: NDArray[np.int64]) -> NDArray[np.float64]:
    track: Track | None = episode.objects.get(name)
    if track is None or not len(track):
        raise InvalidValue(
            f"Episode {episode.episode_id} has no pose of {name}; choose objects that every"
            " episode has by --objects"
        )
    index = np.maximum(np.searchsorted(track.stamps, stamps, side="right") - 1, 0)
    poses: NDArray[np.float64] = track.values[index]
    return poses


def _image_stamps(
    episode: Episode, stamps: NDArray[np.int64], cameras: tuple[str, ...]
) -> NDArray[np.int64]:
    rows = [episode.images.newest_stamps(int(s)) for s in stamps]
    return np.array([[row.get(c, -1) for c in cameras] for row in rows], np.int64)
