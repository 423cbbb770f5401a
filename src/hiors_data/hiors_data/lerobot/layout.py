# SPDX-License-Identifier: Apache-2.0
"""The files and columns of a LeRobotDataset v3.0, and which of them hiors fills."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

VERSION = "v3.0"
INFO, STATS, TASKS = "meta/info.json", "meta/stats.json", "meta/tasks.parquet"
EPISODES = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
FILES_IN_CHUNK = 1000
DATA_MB, VIDEO_MB = 100, 200
"""Size at which the next file begins, at an episode's boundary."""

STATE, ACTION, OBJECTS = "observation.state", "action", "observation.environment_state"
IMAGE = "observation.images."
INTERVENTION, REWARD = "intervention", "next.reward"
SUCCESS, DONE = "next.success", "next.done"
STAMP, IMAGE_STAMPS = "observation.stamp_ns", "observation.image_stamps_ns"
INDICES = ("timestamp", "frame_index", "episode_index", "index", "task_index")
_POSE = ("x", "y", "z", "qx", "qy", "qz", "qw")


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What a dataset holds of a robot.

    Attributes:
        names: of the state and of the action. objects: with poses. cameras: (height, width) by
            name. video: images are in MP4 files, else in the tables.
    """

    names: tuple[str, ...]
    objects: tuple[str, ...]
    cameras: Mapping[str, tuple[int, int]]
    video: bool

    def features(self) -> dict[str, dict[str, Any]]:
        """Return the ``features`` of info.json, in the order of the columns."""
        found: dict[str, dict[str, Any]] = {
            STATE: _feature("float32", self.names),
            ACTION: _feature("float32", self.names),
        }
        if self.objects:
            found[OBJECTS] = _feature("float32", [f"{o}_{p}" for o in self.objects for p in _POSE])
        for camera, (height, width) in self.cameras.items():
            found[IMAGE + camera] = {
                "dtype": "video" if self.video else "image",
                "shape": [height, width, 3],
                "names": ["height", "width", "channels"],
            }
        found |= {
            INTERVENTION: _feature("bool"),
            REWARD: _feature("float32"),
            SUCCESS: _feature("bool"),
            DONE: _feature("bool"),
            STAMP: _feature("int64"),
        }
        if self.cameras:
            found[IMAGE_STAMPS] = _feature("int64", list(self.cameras))
        found |= {
            name: _feature("float32" if name == "timestamp" else "int64") for name in INDICES
        }
        return found


def information(
    columns: Columns, *, robot: str, fps: int, episodes: int, frames: int, tasks: int
) -> dict[str, Any]:
    """Return the content of info.json."""
    return {
        "codebase_version": VERSION,
        "robot_type": robot,
        "total_episodes": episodes,
        "total_frames": frames,
        "total_tasks": tasks,
        "chunks_size": FILES_IN_CHUNK,
        "data_files_size_in_mb": DATA_MB,
        "video_files_size_in_mb": VIDEO_MB,
        "fps": fps,
        "splits": {"train": f"0:{episodes}"},
        "data_path": DATA,
        "video_path": VIDEO if columns.video and columns.cameras else None,
        "features": columns.features(),
    }


def place(file: int) -> tuple[int, int]:
    """Return chunk and file index of the file of that number."""
    return divmod(file, FILES_IN_CHUNK)


def _feature(dtype: str, names: Sequence[str] | None = None) -> dict[str, Any]:
    """One number without names is a plain column; several are a list of fixed length."""
    listed = None if names is None else list(names)
    return {"dtype": dtype, "shape": [len(listed) if listed else 1], "names": listed}
