# SPDX-License-Identifier: Apache-2.0
"""Interpolation from 30 Hz commands to 33 Hz set-points, and the clock offset below it."""

import numpy as np
import pytest

from hiors_core.authority import Authority
from hiors_core.clock_offset import ClockOffset
from hiors_core.command import Command
from hiors_core.command_stream import CommandStream

MS = 1_000_000
TICK = 33_333_333


def command(k: int, value: float, offset: int = 0) -> Command:
    return Command(
        stamp=k * TICK + offset,
        tick=k,
        epoch=1,
        authority=Authority.POLICY,
        position=np.array([value]),
    )


def test_a_steady_ramp_comes_out_steady_despite_jitter() -> None:
    rng = np.random.default_rng(0)
    stream = CommandStream(0.05)
    arrivals = [(k * TICK + int(rng.uniform(1, 15) * MS), k) for k in range(120)]
    out, pending = [], list(arrivals)
    for now in range(500 * MS, 3500 * MS, 30 * MS):
        while pending and pending[0][0] <= now:
            at, k = pending.pop(0)
            stream.push(command(k, 0.01 * k), at)
        out.append(stream.sample(now)[0])
    steps = np.diff(out)
    np.testing.assert_allclose(steps, 0.01 * 30 / 33.333333, rtol=0.02)


def test_beyond_the_last_command_it_holds() -> None:
    stream = CommandStream(0.04)
    assert stream.sample(0) is None
    for k in range(3):
        stream.push(command(k, float(k)), k * TICK)
    assert stream.sample(10_000 * MS)[0] == 2.0
    assert stream.age(10_000 * MS) == pytest.approx(10.0 - 2 / 30, abs=1e-6)


def test_each_command_is_reported_once_when_its_time_has_come() -> None:
    stream = CommandStream(0.04)
    stream.push(command(0, 0.0), 0)
    stream.push(command(1, 1.0), TICK)
    assert stream.take_due(39 * MS) is None
    assert stream.take_due(41 * MS).tick == 0
    assert stream.take_due(42 * MS) is None
    assert stream.take_due(80 * MS).tick == 1


def test_a_sender_whose_clock_was_set_back_replaces_the_old_commands() -> None:
    stream = CommandStream(0.04)
    for k in range(5):
        stream.push(command(k, 5.0), k * TICK)
    stream.push(command(0, 1.0, offset=-(10**12)), 5 * TICK)
    assert stream.sample(10 * TICK)[0] == 1.0


def test_a_late_arrival_keeps_its_stamp_and_a_set_clock_starts_anew() -> None:
    offset = ClockOffset()
    assert offset.to_local(0, 1000 * MS) == 1000 * MS
    assert offset.to_local(100 * MS, 1300 * MS) == pytest.approx(1100 * MS, abs=MS)
    assert offset.to_local(5_000 * MS, 1400 * MS) == 1400 * MS
    assert offset.to_local(10 * MS, 1500 * MS) == 1500 * MS
