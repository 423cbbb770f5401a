# SPDX-License-Identifier: Apache-2.0
"""A LeRobotDataset v3.0 read without the lerobot package: its columns and images by episode."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hiors_core.errors import IntegrityError, InvalidValue, UnknownName
from hiors_core.images import decode_jpeg
from hiors_data.extras import need
from hiors_data.lerobot import layout

Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """An episode: columns (F, ...) by name, its line in the table of episodes, its frames' times
    [s].
    """

    columns: Mapping[str, NDArray[Any]]
    line: Mapping[str, Any]
    times: NDArray[np.float64]


class Dataset:
    """The dataset in a folder; InvalidValue or IntegrityError when it is none of version v3.0."""

    def __init__(self, root: Path) -> None:
        self.root = root
        try:
            self.info = json.loads((root / layout.INFO).read_text(encoding="utf-8"))
            version, self.features = self.info["codebase_version"], self.info["features"]
            self.fps = float(self.info["fps"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InvalidValue(f"{root} is no LeRobot dataset: {error!r}") from error
        if version != layout.VERSION:
            raise InvalidValue(
                f"{root} has version {version}; hiors reads {layout.VERSION}. Convert it with"
                " lerobot's own converter."
            )
        self._parquet = need("pyarrow.parquet")

    def names(self, feature: str) -> list[str]:
        """Return the names of a feature's numbers, or raise UnknownName."""
        if feature not in self.features:
            raise UnknownName("feature", feature, self.features, f"In {self.root}.")
        names = self.features[feature].get("names")
        if isinstance(names, Mapping):
            names = [n for part in names.values() for n in part]
        return [str(n) for n in names or range(self.features[feature]["shape"][0])]

    def episodes(self) -> Iterator[Rows]:
        """Yield the episodes in order."""
        lines = [
            line
            for path in sorted(self.root.glob("meta/episodes/*/*.parquet"))
            for line in self._read(path).to_pylist()
        ]
        if not lines:
            raise IntegrityError(f"{self.root} has no table of episodes")
        path, table = None, None
        for line in lines:
            name = self.info["data_path"].format(
                chunk_index=line["data/chunk_index"], file_index=line["data/file_index"]
            )
            if name != path:
                path, table = name, self._read(self.root / name)
            yield self._rows(table, line)

    def images(self, rows: Rows, feature: str) -> Iterator[Image]:
        """Yield the RGB images of an episode's frames."""
        if self.features[feature]["dtype"] == "image":
            for part in rows.columns[feature]:
                yield decode_jpeg(part["bytes"])
            return
        av, line = need("av"), rows.line
        path = self.root / self.info["video_path"].format(
            video_key=feature,
            chunk_index=line[f"videos/{feature}/chunk_index"],
            file_index=line[f"videos/{feature}/file_index"],
        )
        start = line[f"videos/{feature}/from_timestamp"]
        count, half = len(rows.times), 0.5 / self.fps
        try:
            with av.open(str(path)) as file:
                for frame in file.decode(video=0):
                    if frame.time >= start - half and count:
                        count -= 1
                        yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
        except (OSError, ValueError) as error:
            raise IntegrityError(f"{path} cannot be read: {error}") from error
        if count:
            raise IntegrityError(f"{path} ends {count} frames before its episode")

    def _rows(self, table: Any, line: Mapping[str, Any]) -> Rows:
        chosen = np.asarray(table["episode_index"]) == line["episode_index"]
        if int(chosen.sum()) != line["length"]:
            raise IntegrityError(
                f"{self.root}: episode {line['episode_index']} has {int(chosen.sum())} rows, its"
                f" table says {line['length']}"
            )
        part = table.filter(chosen)
        columns: dict[str, NDArray[Any]] = {}
        for name in part.column_names:
            values = part[name].to_pylist()
            image = self.features.get(name, {}).get("dtype") == "image"
            columns[name] = np.array(values, object) if image else np.asarray(values)
        times = np.asarray(columns["timestamp"], np.float64)
        return Rows(columns=columns, line=line, times=times)

    def _read(self, path: Path) -> Any:
        try:
            return self._parquet.read_table(path)
        except (OSError, ValueError) as error:
            raise IntegrityError(f"{path} cannot be read: {error}") from error
