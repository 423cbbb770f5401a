# SPDX-License-Identifier: Apache-2.0
"""The Parquet tables of a dataset, written with pyarrow alone. The footer is written on close."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hiors_data.extras import need
from hiors_data.lerobot import layout


class DataTable:
    """data/: one row group an episode, a new file when one has grown large."""

    def __init__(self, root: Path, features: Mapping[str, Mapping[str, Any]]) -> None:
        self._arrow, self._parquet = need("pyarrow"), need("pyarrow.parquet")
        self._root, self._file = root, 0
        self._schema = self._arrow.schema(
            [
                (name, self._type(feature))
                for name, feature in features.items()
                if feature["dtype"] != "video"
            ]
        )
        self._writer: Any = None

    def add(
        self,
        columns: Mapping[str, NDArray[np.generic]],
        images: Mapping[str, Sequence[bytes]],
    ) -> tuple[int, int]:
        """Append an episode's rows and return chunk and file index of where they are."""
        if self._writer is not None and self._path().stat().st_size > layout.DATA_MB << 20:
            self.close()
            self._file += 1
        if self._writer is None:
            self._path().parent.mkdir(parents=True, exist_ok=True)
            self._writer = self._parquet.ParquetWriter(self._path(), self._schema)
        arrays = [
            self._images(images[field.name])
            if field.name in images
            else self._array(columns[field.name], field.type)
            for field in self._schema
        ]
        self._writer.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))
        return layout.place(self._file)

    def close(self) -> None:
        """Write the footer of the present file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _path(self) -> Path:
        chunk, file = layout.place(self._file)
        return self._root / layout.DATA.format(chunk_index=chunk, file_index=file)

    def _type(self, feature: Mapping[str, Any]) -> Any:
        arrow = self._arrow
        if feature["dtype"] == "image":
            return arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())])
        kinds = {
            "float32": arrow.float32(),
            "int64": arrow.int64(),
            "bool": arrow.bool_(),
        }
        kind, (size,) = kinds[feature["dtype"]], feature["shape"]
        return kind if size == 1 else arrow.list_(kind, size)

    def _array(self, values: NDArray[np.generic], kind: Any) -> Any:
        arrow = self._arrow
        if arrow.types.is_fixed_size_list(kind):
            flat = arrow.array(values.reshape(-1), kind.value_type)
            return arrow.FixedSizeListArray.from_arrays(flat, kind.list_size)
        return arrow.array(values.reshape(-1), kind)

    def _images(self, files: Sequence[bytes]) -> Any:
        rows = [{"bytes": data, "path": None} for data in files]
        kind = self._arrow.struct(
            [("bytes", self._arrow.binary()), ("path", self._arrow.string())]
        )
        return self._arrow.array(rows, kind)


def write_tasks(path: Path, tasks: Sequence[str]) -> None:
    """Write tasks.parquet: the text is the index that pandas would have."""
    arrow, parquet = need("pyarrow"), need("pyarrow.parquet")
    table = arrow.table(
        {"task_index": arrow.array(range(len(tasks)), arrow.int64()), "task": list(tasks)}
    )
    pandas = {
        "index_columns": ["task"],
        "column_indexes": [],
        "columns": [
            {"name": n, "field_name": n, "pandas_type": p, "numpy_type": t, "metadata": None}
            for n, p, t in (("task_index", "int64", "int64"), ("task", "unicode", "object"))
        ],
        "creator": {"library": "hiors", "version": "1"},
        "pandas_version": "2.0.0",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(
        table.replace_schema_metadata({b"pandas": json.dumps(pandas).encode()}), path
    )


def write_episodes(root: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the table of episodes, one row each."""
    arrow, parquet = need("pyarrow"), need("pyarrow.parquet")
    path = root / layout.EPISODES.format(chunk_index=0, file_index=0)
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(arrow.Table.from_pylist([dict(row) for row in rows]), path)
