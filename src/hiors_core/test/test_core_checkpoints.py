# SPDX-License-Identifier: Apache-2.0
"""Old checkpoints make room for new ones, the newest never."""

import os
from pathlib import Path

import pytest

from hiors_core.checkpoints import MANIFEST, MODEL, NEWEST_KEPT, make_room

SIZE = 1000
ORDER = ("v000001", "v000500", "v000400.1", "v000400", "v1000000", "v000900")
"""Versions from the newest to the oldest."""


def publish(checkpoints: Path, version: str, age: int) -> Path:
    folder = checkpoints / version
    folder.mkdir(parents=True)
    (folder / MODEL).write_bytes(bytes(SIZE))
    (folder / MANIFEST).write_text("{}")
    os.utime(folder / MANIFEST, ns=(0, 10**18 - age))
    return folder


@pytest.fixture
def checkpoints(tmp_path: Path) -> Path:
    """Six checkpoints, v000900 the oldest whatever the names say, beside other things."""
    for age, version in enumerate(ORDER):
        publish(tmp_path, version, age)
    publish(tmp_path, "v000000-start", 100)
    (tmp_path / "latest.json").write_text("{}")
    (tmp_path / "training").mkdir()
    (tmp_path / ".v000001.part").mkdir()
    (tmp_path / ".v000001.part" / MANIFEST).write_text("{}")
    return tmp_path


def names(checkpoints: Path) -> set[str]:
    return {p.name for p in checkpoints.iterdir()}


def test_the_oldest_go_until_the_rest_fits(checkpoints: Path):
    before = names(checkpoints)
    assert make_room(checkpoints, 5 * SIZE - 1) == ("v000900", "v1000000")
    assert names(checkpoints) == before - {"v000900", "v1000000"}
    assert make_room(checkpoints, 5 * SIZE - 1) == ()


def test_the_newest_stay_whatever_their_size(checkpoints: Path):
    assert make_room(checkpoints, 1) == ORDER[:2:-1]
    assert set(ORDER[:3]) <= names(checkpoints)
    assert NEWEST_KEPT == 3
    assert make_room(checkpoints, 1) == ()


def test_no_limit_deletes_nothing(checkpoints: Path):
    before = names(checkpoints)
    assert make_room(checkpoints, 0) == ()
    assert names(checkpoints) == before


def test_what_no_online_learner_published_stays(checkpoints: Path):
    make_room(checkpoints, 1)
    assert (checkpoints / "v000000-start" / MODEL).is_file()


def test_what_cannot_be_deleted_stays_and_the_next_one_goes(checkpoints: Path, monkeypatch):
    rename = Path.rename

    def stuck(self: Path, target: Path) -> Path:
        if self.name == ORDER[-1]:
            raise PermissionError(str(self))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", stuck)
    assert make_room(checkpoints, 5 * SIZE - 1) == (ORDER[-2], ORDER[-3])
    assert (checkpoints / ORDER[-1] / MODEL).is_file()


def test_what_a_crash_left_half_deleted_goes_next_time(checkpoints: Path):
    left = checkpoints / ".v0.gone"
    left.mkdir()
    (left / MODEL).write_bytes(bytes(SIZE))
    assert make_room(checkpoints, 100 * SIZE) == ()
    assert not left.exists()
