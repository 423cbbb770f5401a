# SPDX-License-Identifier: Apache-2.0
"""Training states on the disk: whole or not there, and damage is found (reliability: rows 15,
18).
"""

from pathlib import Path

import pytest
import torch

from hiors_core.errors import InvalidValue
from hiors_learner.states import Header, State, newest_state, write_state


def write(folder: Path, step: int, value: float = 1.0, **options) -> State:
    parts = [("weights", {"w": torch.full((3,), value)})]
    if "same" not in options or options["same"] is None:
        parts.append(("frozen", {"f": torch.ones(2)}))
    return write_state(
        folder, Header(step=step, moments=step, world=2), parts, unchanged="frozen", **options
    )


def value(state: State | None) -> float:
    assert state is not None
    return float(dict(state.read("weights"))["w"][0])


def test_nothing_is_found_where_nothing_is(tmp_path: Path):
    assert newest_state(tmp_path / "none") is None


def test_the_newest_written_counts_and_old_ones_go(tmp_path: Path):
    for step, content in ((10, 1.0), (20, 2.0), (15, 3.0)):
        write(tmp_path, step, content)
    found = newest_state(tmp_path)
    assert value(found) == 3.0, "after a damaged state the steps go back"
    assert found.header == Header(step=15, moments=15, world=2)
    assert len(list(tmp_path.iterdir())) == 2


def test_what_does_not_change_is_linked(tmp_path: Path):
    first = write(tmp_path, 1)
    second = write(tmp_path, 2, same=first)
    nodes = {(s.path / "frozen.safetensors").stat().st_ino for s in (first, second)}
    assert len(nodes) == 1
    second.verify()
    assert dict(second.read("frozen"))["f"].tolist() == [1.0, 1.0]


def test_a_part_that_was_not_written_is_empty(tmp_path: Path):
    assert dict(write(tmp_path, 1).read("exp_avg")) == {}


@pytest.mark.parametrize("name", ["weights.safetensors", "state.json"])
@pytest.mark.parametrize("harm", ["flip", "cut", "remove"])
def test_a_damaged_state_is_put_aside_for_the_one_before(tmp_path: Path, name: str, harm: str):
    write(tmp_path, 1, 1.0)
    path = write(tmp_path, 2, 2.0).path / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    if harm == "remove":
        path.unlink()
    else:
        path.write_bytes(data if harm == "flip" else data[:-2])
    assert value(newest_state(tmp_path)) == 1.0
    assert list(tmp_path.glob("damaged-step000002-*"))
    assert value(write(tmp_path, 2, 4.0)) == 4.0
    assert value(newest_state(tmp_path)) == 4.0


def test_what_a_crash_left_is_no_state_and_is_cleared(tmp_path: Path):
    (tmp_path / ".step000003-000001").mkdir()
    assert newest_state(tmp_path) is None
    write(tmp_path, 3)
    assert [p.name for p in tmp_path.iterdir()] == ["step000003-000001"]


def test_a_state_of_other_weights_is_refused_with_their_names(tmp_path: Path):
    state = write(tmp_path, 1)
    state.check("weights", ["w"])
    with pytest.raises(InvalidValue, match=r"another network or tuning\.mode: weights.*lora_a"):
        state.check("weights", ["w", "lora_a"])
