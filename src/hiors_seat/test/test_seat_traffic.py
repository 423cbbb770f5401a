# SPDX-License-Identifier: Apache-2.0
"""Rates, ages and losses are those of the last seconds; the table shows them."""

import io
import struct
from typing import Any

import pytest
from rich.console import Console

from hiors_core.clock import FakeClock
from hiors_seat.board import board
from hiors_seat.traffic import Flow, Traffic, stamp_of


def header(seconds: int, nanoseconds: int, *, little: bool = True) -> bytes:
    return bytes([0, int(little), 0, 0]) + struct.pack(
        "<iI" if little else ">iI", seconds, nanoseconds
    )


def test_rate_and_age_of_the_last_seconds() -> None:
    clock = FakeClock(10**9)
    traffic = Traffic(clock, ("a", "b"))
    clock.advance(20.0)
    traffic.on_message("a", 9.0)
    clock.advance(6.0)
    for age in (0.01, 0.03, 0.02, None, 1e6):
        traffic.on_message("a", age)
        clock.advance(0.5)
    traffic.on_lost("a", 3)
    flow = traffic.flow("a", 1)
    assert flow.rate == 1.0
    assert (flow.age_p50, flow.age_max, flow.lost) == (0.02, 0.03, 3)
    assert flow.silence == pytest.approx(0.5)
    assert traffic.flow("b", 0).silence is None


def test_the_stamp_of_a_serialized_message() -> None:
    assert stamp_of(header(12, 500)) == 12 * 10**9 + 500
    assert stamp_of(header(12, 500, little=False)) == 12 * 10**9 + 500
    for wrong in (b"", b"\0\1\0\0", header(0, 0), header(3, 10**9), b"\7" + header(1, 1)[1:]):
        assert stamp_of(wrong) is None


def state(**other: Any) -> dict[str, Any]:
    control = {
        "authority": "HUMAN",
        "operator": "[red]Ada",
        "reason": "asked",
        "problems": ["hot"],
    }
    return {
        "control": control,
        "latency": {"chunk_p50_ms": 20.0, "chunk_max_ms": 31.0},
        "limiter": {"share": 0.25},
        "learner": None,
        "checkpoint": {"active": {"version": "v000100"}, "published": None},
        "label_pending": ["e1"],
        "devices": [{"level": "error", "name": "driver: arm", "message": "[bold]lost"}],
        **other,
    }


def drawn(what: Any) -> str:
    out = io.StringIO()
    Console(file=out, width=140).print(what)
    return out.getvalue()


def test_the_table_says_who_drives_what_flows_and_what_is_wrong() -> None:
    flow = Flow(
        topic="joint_states", rate=59.96, age_p50=0.002, age_max=0.0101, lost=4, silence=0.01,
        publishers=1,
    )  # fmt: skip
    text = drawn(board(state(), [flow], "/robot1"))
    for said in ("/robot1", "HUMAN", "[red]Ada", "! hot", "60.0", "2.0", "10.1", "20.0/31.0 ms"):
        assert said in text
    assert "[bold]lost" in text, "what others wrote is text, never markup"
    assert "1 waiting" in text


def test_the_table_of_a_silent_robot() -> None:
    silent = {"authority": None, "problems": ["No news from the arbiter."], "reason": ""}
    nothing = {"chunk_p50_ms": None, "chunk_max_ms": None}
    text = drawn(board(state(control=silent, latency=nothing, devices=[]), [], "/"))
    assert "NO NEWS" in text
    assert "nothing on /diagnostics" in text
