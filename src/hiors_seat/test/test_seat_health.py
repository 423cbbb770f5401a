# SPDX-License-Identifier: Apache-2.0
"""Limiter activity and latency are about now; devices grow stale; the worst come first."""

import json
from types import SimpleNamespace as Message

import pytest

from hiors_core.authority import Authority
from hiors_core.clock import FakeClock
from hiors_seat.health import Health


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(10**9)


def command(limited: list[str], authority: Authority = Authority.POLICY) -> Message:
    return Message(authority=int(authority), limited=limited)


def chunk(delay_ms: int) -> Message:
    sent = Message(sec=5, nanosec=0)
    seen = Message(sec=4, nanosec=10**9 - delay_ms * 10**6)
    return Message(header=Message(stamp=sent), obs_stamp=seen)


def test_limiter_activity_of_the_last_seconds_with_its_commonest_reasons(clock: FakeClock) -> None:
    health = Health(clock)
    assert health.to_dict()["limiter"] == {"share": None, "reasons": []}
    health.on_command(command(["old velocity: 2 to 1"]))
    clock.advance(6.0)
    health.on_command(command([], Authority.HOLD))
    for k in range(4):
        health.on_command(command([f"left_joint4 velocity: 3.{k} to 3.0"] if k else []))
    limiter = health.to_dict()["limiter"]
    assert limiter == {"share": 0.75, "reasons": ["left_joint4 velocity"]}


def test_latency_is_from_observation_to_publication(clock: FakeClock) -> None:
    health = Health(clock)
    for delay in (20, 30, 90):
        health.on_chunk(chunk(delay))
    latency = health.to_dict()["latency"]
    assert latency == {"chunk_p50_ms": 30.0, "chunk_max_ms": 90.0, "chunks": 3}
    clock.advance(6.0)
    assert health.to_dict()["latency"]["chunk_p50_ms"] is None


def test_the_worst_device_comes_first_and_silence_is_seen(clock: FakeClock) -> None:
    health = Health(clock)
    for level, name in ((b"\0", "a"), (b"\1", "b"), (b"\2", "c")):
        status = Message(level=level, name=name, message="", values=[])
        health.on_diagnostics(Message(status=[status]))
    assert [d["name"] for d in health.to_dict()["devices"]] == ["c", "b", "a"]
    clock.advance(4.0)
    assert {d["level"] for d in health.to_dict()["devices"]} == {"stale"}


def test_the_learner_and_the_checkpoints_are_json(clock: FakeClock) -> None:
    health = Health(clock)
    fields = {"message": "", "step": 3, "loss": float("nan"), "demonstrations": 1, "episodes": 2}
    fields |= {"transitions": 9, "samples_per_s": 1.0, "checkpoint": "v000003"}
    health.on_learner(Message(state=9, **fields))
    for active in (True, False):
        version = "v000001" if active else "v000003"
        health.on_checkpoint(Message(version=version, step=1, parent="", active=active))
    known = json.loads(json.dumps(health.to_dict(), allow_nan=False))
    assert (known["learner"]["state"], known["learner"]["loss"]) == ("state 9", None)
    assert known["checkpoint"]["active"]["version"] == "v000001"
    assert known["checkpoint"]["published"]["version"] == "v000003"


def test_a_robots_devices_are_not_those_of_another(clock: FakeClock) -> None:
    health = Health(clock, "/robot1")
    names = ("robot1/driver: arm", "robot2/driver: arm", "camera: stream")
    health.on_diagnostics(
        Message(status=[Message(level=0, name=n, message="", values=[]) for n in names])
    )
    assert [d["name"] for d in health.to_dict()["devices"]] == ["camera: stream", "driver: arm"]
