# SPDX-License-Identifier: Apache-2.0
"""The chunk buffer: what is refused and by which field, and what is said at which time."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hiors_core.action_space import ActionSpace
from hiors_core.chunk import Chunk, ChunkBuffer, ChunkRules
from hiors_core.clock import to_ns
from hiors_core.errors import InvalidValue

SPACE = ActionSpace(kind="joint", names=("j1", "grip"), units=("rad", "1"))
T0 = 10**12
DT = 0.1


def chunk(values, *, stamp=0.0, sequence=1, **changes) -> Chunk:
    """A chunk from the observation at T0 + stamp [s]."""
    made = Chunk(
        obs_stamp=T0 + to_ns(stamp),
        sequence=sequence,
        epoch=3,
        policy_version="v000001",
        kind="joint",
        names=SPACE.names,
        units=SPACE.units,
        dt=DT,
        values=np.array(values, dtype=np.float64),
    )
    return dataclasses.replace(made, **changes)


def buffer(**rules) -> ChunkBuffer:
    return ChunkBuffer((SPACE,), ChunkRules(**rules))


def add(target: ChunkBuffer, new: Chunk, at: float, before=(0.0, 0.0), current=(0.0, 0.0)):
    now = T0 + to_ns(at)
    reason = target.check(new, 3, now)
    if reason is None:
        target.add(new, now, np.array(before), np.array(current))
    return reason


def value(target: ChunkBuffer, at: float) -> float:
    sample = target.sample(T0 + to_ns(at))
    assert sample is not None
    return float(sample.action[0])


RAMP = [[0.1 * (k + 1), 1.0] for k in range(10)]


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("action_space", {"kind": "ee"}),
        ("names", {"names": ("j2", "grip")}),
        ("names", {"names": ("grip", "j1")}),
        ("units", {"units": ("deg", "1")}),
        ("values", {"values": np.zeros((4, 3))}),
        ("values", {"values": np.zeros(4)}),
        ("values", {"values": np.array([[0.0, 1.0], [np.nan, 1.0]])}),
        ("values", {"values": np.array([[0.0, np.inf]])}),
        ("horizon", {"values": np.zeros((0, 2))}),
        ("horizon", {"values": np.zeros((1001, 2))}),
        ("dt", {"dt": 0.0}),
        ("dt", {"dt": float("nan")}),
        ("dt", {"dt": 2.0}),
        ("epoch", {"epoch": 2}),
        ("epoch", {"epoch": 4}),
        ("obs_stamp", {"obs_stamp": T0 + to_ns(0.5)}),
        ("obs_stamp", {"obs_stamp": T0 - to_ns(3.0)}),
        ("obs_stamp", {"obs_stamp": T0 - to_ns(1.5)}),
    ],
)
def test_a_bad_chunk_is_refused_by_the_name_of_its_field(field, changes):
    target = buffer()
    reason = add(target, dataclasses.replace(chunk(RAMP), **changes), 0.0)
    assert reason is not None
    assert reason.startswith(f"{field}: ")
    assert target.sample(T0) is None


def test_nan_is_named_with_its_row_and_column():
    values = np.array(RAMP)
    values[3, 1] = np.nan
    assert "row 3, column grip" in (add(buffer(), chunk(values), 0.0) or "")


def test_another_dt_than_the_configured_one_is_refused():
    assert (add(buffer(dt=0.05), chunk(RAMP), 0.0) or "").startswith("dt: 0.1 s")


def test_duplicates_and_reordered_chunks_are_refused():
    target = buffer()
    assert add(target, chunk(RAMP, sequence=5), 0.0) is None
    assert (add(target, chunk(RAMP, sequence=5), 0.0) or "").startswith("sequence")
    assert (add(target, chunk(RAMP, sequence=4), 0.0) or "").startswith("sequence")
    older = chunk(RAMP, stamp=-0.1, sequence=6)
    assert (add(target, older, 0.0) or "").startswith("obs_stamp")


def test_a_restarted_policy_may_count_anew_after_a_flush():
    target = buffer()
    assert add(target, chunk(RAMP, sequence=500), 0.0) is None
    target.clear()
    assert target.newest is None
    assert add(target, chunk(RAMP, sequence=1), 0.0) is None


def test_row_k_is_met_at_its_time_and_between_rows_is_a_line():
    target = buffer(blend=0.0)
    add(target, chunk(RAMP), 0.0)
    for at in (0.0, 0.05, 0.1, 0.333, 1.0):
        assert value(target, at) == pytest.approx(at)
    sample = target.sample(T0 + to_ns(0.35))
    assert sample is not None
    assert sample.row == pytest.approx(2.5)
    assert sample.chunk.policy_version == "v000001"


def test_before_row_zero_it_starts_from_the_command_in_force():
    target = buffer(blend=0.0)
    add(target, chunk([[1.0, 1.0]] * 5), 0.0, before=(0.5, 0.0))
    assert value(target, 0.0) == pytest.approx(0.5)
    assert value(target, 0.05) == pytest.approx(0.75)


def test_rows_that_come_late_are_skipped_and_counted():
    target = buffer(blend=0.0)
    add(target, chunk(RAMP), 0.45)
    assert target.late_rows == 4
    assert value(target, 0.5) == pytest.approx(0.5)


def test_past_its_last_row_it_says_nothing():
    target = buffer()
    add(target, chunk(RAMP), 0.0)
    assert target.sample(T0 + to_ns(1.0)) is not None
    assert target.sample(T0 + to_ns(1.001)) is None


def test_an_observation_too_old_ends_a_long_chunk():
    target = buffer(max_age=0.5)
    add(target, chunk(RAMP), 0.0)
    assert target.sample(T0 + to_ns(0.5)) is not None
    assert target.sample(T0 + to_ns(0.51)) is None


def test_the_newest_chunk_takes_over_gradually():
    target = buffer(blend=0.2)
    add(target, chunk([[0.0, 0.0]] * 10), 0.0)
    add(target, chunk([[1.0, 1.0]] * 10, stamp=0.2, sequence=2), 0.4)
    assert value(target, 0.4) == pytest.approx(0.0)
    assert value(target, 0.5) == pytest.approx(0.5)
    assert value(target, 0.6) == pytest.approx(1.0)
    assert value(target, 0.7) == pytest.approx(1.0)


@pytest.mark.parametrize(("blend", "action"), [(0.0, 1.0), (0.2, 0.0)])
def test_a_chunk_that_came_in_after_the_tick_took_its_time_counts_from_then(blend, action):
    target = buffer(blend=blend)
    add(target, chunk([[0.0, 0.0]] * 10), 0.0)
    add(target, chunk([[1.0, 1.0]] * 10, stamp=0.2, sequence=2), 0.405)
    assert value(target, 0.4) == action


def test_a_third_chunk_within_the_blend_makes_no_leap():
    target = buffer(blend=0.2)
    add(target, chunk([[0.0, 0.0]] * 20), 0.0)
    add(target, chunk([[1.0, 1.0]] * 20, stamp=0.1, sequence=2), 0.3)
    before = value(target, 0.4)
    add(target, chunk([[-1.0, 1.0]] * 20, stamp=0.2, sequence=3), 0.4)
    assert value(target, 0.4) == pytest.approx(before)


def test_after_a_pause_the_seam_starts_from_the_held_command():
    target = buffer(blend=0.1)
    add(target, chunk([[0.5, 0.0]] * 2), 0.0)
    late = chunk([[0.9, 0.0]] * 10, stamp=1.0, sequence=2)
    add(target, late, 1.3, before=(0.6, 0.0), current=(0.6, 0.0))
    assert value(target, 1.3) == pytest.approx(0.6)
    assert value(target, 1.4) == pytest.approx(0.9)


def test_rotations_are_continuous_from_the_command_on():
    names = tuple("left_" + p for p in ("x", "y", "z", "rx", "ry", "rz", "gripper"))
    space = ActionSpace(kind="ee", names=names, units=("m",) * 3 + ("rad",) * 3 + ("1",))
    target = ChunkBuffer((space,), ChunkRules(blend=0.0))
    row = np.array((0.0, -0.3, 0.2, 0.0, 0.0, 3.2 - 2 * np.pi, 1.0))
    start = row + np.array((0, 0, 0, 0, 0, 2 * np.pi - 0.1, 0))
    new = chunk([row] * 3, kind="ee", names=space.names, units=space.units)
    target.add(new, T0, start, start)
    sample = target.sample(T0 + to_ns(0.05))
    assert sample is not None
    assert sample.action[5] == pytest.approx(3.15)


@settings(max_examples=100, deadline=None)
@given(order=st.permutations(range(8)), epochs=st.lists(st.integers(2, 4), min_size=8, max_size=8))
def test_whatever_the_order_of_arrival_time_never_runs_back(order, epochs):
    target, taken = buffer(), []
    for i in order:
        new = chunk(RAMP, stamp=-0.05 * (8 - i), sequence=i, epoch=epochs[i])
        if add(target, new, 0.0) is None:
            taken.append(i)
    assert taken == sorted(taken)
    assert all(epochs[i] == 3 for i in taken)
    if 3 in epochs:
        assert taken


def test_senseless_rules_are_refused():
    with pytest.raises(InvalidValue, match="max_age"):
        ChunkRules(max_age=0.0)
