# SPDX-License-Identifier: Apache-2.0
"""Old checkpoints make room for new ones, the newest never."""

import os
from pathlib import Path

import pytest

from hiors_core.checkpoints import MANIFEST, MODEL, NEWEST_KEPT, make_room

SIZE = 1000


def publish(checkpoints: Path, version: str, age: int) -> Path:
    folder = checkpoints / version
    folder.mkdir(parents=True)
    (folder / MODEL).write_bytes(bytes(SIZE))
    (folder / MANIFEST).write_text("{}")
    os.utime(folder / MANIFEST, ns=(0, 10**18 - age))
    return folder


@pytest.fixture
def checkpoints(tmp_path: Path) -> Path:
    """Six checkpoints, v1 the oldest whatever the names say, beside other things."""
    for age, version in enumerate(("v10", "v9", "v5", "v4", "v2", "v1")):
        publish(tmp_path, version, age)
    (tmp_path / "latest.json").write_text("{}")
    (tmp_path / "training").mkdir()
    (tmp_path / ".v11.part").mkdir()
    (tmp_path / ".v11.part" / MANIFEST).write_text("{}")
    return tmp_path


def names(checkpoints: Path) -> set[str]:
    return {p.name for p in checkpoints.iterdir()}


def test_the_oldest_go_until_the_rest_fits(checkpoints: Path):
    before = names(checkpoints)
    assert make_room(checkpoints, 5 * SIZE - 1) == ("v1", "v2")
    assert names(checkpoints) == before - {"v1", "v2"}
    assert make_room(checkpoints, 5 * SIZE - 1) == ()


def test_the_newest_stay_whatever_their_size(checkpoints: Path):
    assert make_room(checkpoints, 1) == ("v1", "v2", "v4")
    assert {"v5", "v9", "v10"} <= names(checkpoints)
    assert NEWEST_KEPT == 3
    assert make_room(checkpoints, 1) == ()


def test_no_limit_deletes_nothing(checkpoints: Path):
    before = names(checkpoints)
    assert make_room(checkpoints, 0) == ()
    assert names(checkpoints) == before


def test_what_a_crash_left_half_deleted_goes_next_time(checkpoints: Path):
    left = checkpoints / ".v0.gone"
    left.mkdir()
    (left / MODEL).write_bytes(bytes(SIZE))
    assert make_room(checkpoints, 100 * SIZE) == ()
    assert not left.exists()
