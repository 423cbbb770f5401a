# SPDX-License-Identifier: Apache-2.0
"""Episodes of a store as a LeRobotDataset v3.0: written aside, renamed when whole."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hiors_core.durable import write_atomic
from hiors_core.episode import Episode, load_episode
from hiors_core.errors import InvalidValue
from hiors_core.label import Outcome
from hiors_core.store import EpisodeStore
from hiors_data.extras import need
from hiors_data.lerobot import layout, statistics
from hiors_data.lerobot.resampling import Resampled, resample
from hiors_data.lerobot.tables import DataTable, write_episodes, write_tasks
from hiors_data.lerobot.video import VideoFiles
from hiors_data.staging import checked_folder

Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What is exported.

    Attributes:
        fps: frames per second. everything: also what was not accepted. video: MP4, else PNG.
        cameras, objects: None: those of the first episode.
    """

    fps: int = 10
    everything: bool = False
    video: bool = True
    cameras: tuple[str, ...] | None = None
    objects: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written."""

    episodes: int
    frames: int


def export(
    store: EpisodeStore, out: Path, wish: Export, progress: Callable[[int, int], None]
) -> Exported:
    """Write the chosen episodes to a folder that must not exist yet, all of them or nothing."""
    if not 1 <= wish.fps <= 240:
        raise InvalidValue(f"fps must be within 1 .. 240, got {wish.fps}")
    checked_folder(out, "dataset")
    if out.exists():
        raise InvalidValue(f"{out} exists already; name a new folder")
    need("pyarrow")
    ids = chosen(store, everything=wish.everything)
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = out.with_name(f".{out.name}.tmp")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        writer = _Writer(aside, wish, load_episode(store.path(ids[0])))
        for done, episode_id in enumerate(ids, 1):
            writer.add(load_episode(store.path(episode_id)), store)
            progress(done, len(ids))
        found = writer.finish()
        aside.rename(out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return found


def chosen(store: EpisodeStore, *, everything: bool) -> list[str]:
    """Return the ids to export: accepted ones, and undecided successes (demonstrations)."""
    found = []
    for episode_id in store.ids():
        decision = store.decision(episode_id)
        good = (
            decision.accepted
            if decision is not None
            else store.label(episode_id).outcome is Outcome.SUCCESS
        )
        if good or everything:
            found.append(episode_id)
    if not found:
        raise InvalidValue(
            f"{store.root} has no accepted episodes among {len(store.ids())}; --all exports all"
        )
    return found


class _Writer:
    def __init__(self, root: Path, wish: Export, first: Episode) -> None:
        self._root, self._wish = root, wish
        self._robot = first.manifest.meta.robot
        cameras = first.images.cameras if wish.cameras is None else wish.cameras
        objects = tuple(first.objects) if wish.objects is None else wish.objects
        seen = first.images.newest(int(first.stamps[-1])) if cameras else {}
        if missing := [c for c in cameras if c not in seen]:
            raise InvalidValue(
                f"Episode {first.episode_id} has no image of {', '.join(missing)}; it has"
                f" {', '.join(seen) or 'none'}"
            )
        sizes = {c: (seen[c].shape[0], seen[c].shape[1]) for c in cameras}
        self._columns = layout.Columns(
            names=first.names, objects=objects, cameras=sizes, video=wish.video
        )
        self._features = self._columns.features()
        self._table = DataTable(root, self._features)
        self._videos = (
            {c: VideoFiles(root, c, wish.fps, size) for c, size in sizes.items()}
            if wish.video
            else {}
        )
        self._tasks: list[str] = []
        self._rows: list[dict[str, Any]] = []
        self._all: dict[str, list[NDArray[Any]]] = {}
        self._pixels: dict[str, list[NDArray[np.uint8]]] = {}
        self._frames = 0

    def add(self, episode: Episode, store: EpisodeStore) -> None:
        if episode.names != self._columns.names:
            raise InvalidValue(
                f"Episode {episode.episode_id} has the columns {', '.join(episode.names)}, the"
                f" first one {', '.join(self._columns.names)}: export one robot at a time"
            )
        label = store.label(episode.episode_id)
        frames = resample(
            episode, label, self._wish.fps, self._columns.objects, tuple(self._columns.cameras)
        )
        columns = dict(frames.columns) | self._indices(frames)
        images = {c: self._images(frames, c) for c in self._columns.cameras}
        encoded: dict[str, Sequence[bytes]] = {}
        where: dict[str, Any] = {}
        stats = {name: statistics.of_rows(values) for name, values in columns.items()}
        for camera, pictures in images.items():
            key = layout.IMAGE + camera
            pixels = statistics.sampled(pictures)
            self._pixels.setdefault(key, []).append(pixels)
            stats[key] = statistics.of_pixels(pixels, min(statistics.IMAGES, len(pictures)))
            if self._wish.video:
                where |= self._videos[camera].add(pictures)
            else:
                encoded[key] = [_png(p) for p in pictures]
        chunk, file = self._table.add(columns, encoded)
        for name, values in columns.items():
            self._all.setdefault(name, []).append(values)
        self._rows.append(
            {
                "episode_index": len(self._rows),
                "tasks": [frames.task],
                "length": len(frames),
                "data/chunk_index": chunk,
                "data/file_index": file,
                "dataset_from_index": self._frames,
                "dataset_to_index": self._frames + len(frames),
                **where,
                "meta/episodes/chunk_index": 0,
                "meta/episodes/file_index": 0,
                "hiors/episode_id": episode.episode_id,
                **statistics.flat(stats),
            }
        )
        self._frames += len(frames)

    def finish(self) -> Exported:
        self._table.close()
        for camera, video in self._videos.items():
            video.close()
            self._features[layout.IMAGE + camera]["info"] = video.information()
        write_tasks(self._root / layout.TASKS, self._tasks)
        write_episodes(self._root, self._rows)
        stats = {n: statistics.of_rows(np.concatenate(rows)) for n, rows in self._all.items()}
        for key, pixels in self._pixels.items():
            count = sum(row[f"stats/{key}/count"][0] for row in self._rows)
            stats[key] = statistics.of_pixels(np.concatenate(pixels), count)
        info = layout.information(
            self._columns,
            robot=self._robot,
            fps=self._wish.fps,
            episodes=len(self._rows),
            frames=self._frames,
            tasks=len(self._tasks),
        )
        info["features"] = self._features
        _write_json(self._root / layout.INFO, info)
        _write_json(self._root / layout.STATS, stats)
        return Exported(episodes=len(self._rows), frames=self._frames)

    def _indices(self, frames: Resampled) -> dict[str, NDArray[np.generic]]:
        if frames.task not in self._tasks:
            self._tasks.append(frames.task)
        count = len(frames)
        row = np.arange(count, dtype=np.int64)
        return {
            "timestamp": (row / self._wish.fps).astype(np.float32),
            "frame_index": row,
            "episode_index": np.full(count, len(self._rows), np.int64),
            "index": row + self._frames,
            "task_index": np.full(count, self._tasks.index(frames.task), np.int64),
        }

    def _images(self, frames: Resampled, camera: str) -> list[Image]:
        images = list(frames.images(camera))
        wanted = (*self._columns.cameras[camera], 3)
        if bad := sorted({i.shape for i in images if i.shape != wanted}):
            raise InvalidValue(
                f"Camera {camera} of episode {frames.episode.episode_id} has images of shape"
                f" {bad[0]}; those of the first episode have {wanted}"
            )
        return images


def _png(image: Image) -> bytes:
    import cv2

    done, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not done:
        raise InvalidValue(f"Cannot encode an image of shape {image.shape} as PNG")
    return bytes(data.tobytes())


def _write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, (json.dumps(content, indent=2) + "\n").encode())
