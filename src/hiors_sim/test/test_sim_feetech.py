# SPDX-License-Identifier: Apache-2.0
"""The gripper emulator on a pty: packets, registers, finite speed, ids that are not there."""

import os
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from hiors_core.clock import FakeClock
from hiors_core.errors import HiorsError
from hiors_sim.feetech import FeetechEmulator, GripperServo, packet
from hiors_sim.plant import KinematicGripper

PING, READ, WRITE, SYNC_READ = 1, 2, 3, 0x82


class Bus:
    """The host's end of the pty."""

    def __init__(self, port: str) -> None:
        self.fd = os.open(port, os.O_RDWR | os.O_NOCTTY)

    def ask(self, number: int, instruction: int, *params: int, wait: float = 1.0) -> bytes:
        os.write(self.fd, packet(bytes([number, len(params) + 2, instruction, *params])))
        data = b""
        while select.select([self.fd], [], [], wait)[0]:
            data += os.read(self.fd, 256)
            wait = 0.05
        return data


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def bus(clock: FakeClock, tmp_path: Path) -> Iterator[Bus]:
    servos = {i: GripperServo(KinematicGripper(clock)) for i in (21, 22)}
    with FeetechEmulator(servos, link=tmp_path / "left_gripper") as emulator:
        bus = Bus(emulator.port)
        yield bus
        os.close(bus.fd)


def position(bus: Bus) -> int:
    return int.from_bytes(bus.ask(21, READ, 56, 2)[5:7], "little")


def test_ping_answers_only_for_its_ids(bus: Bus) -> None:
    assert bus.ask(21, PING) == b"\xff\xff\x15\x02\x00\xe8"
    assert bus.ask(30, PING, wait=0.1) == b""


def test_goal_is_approached_at_the_written_speed(bus: Bus, clock: FakeClock) -> None:
    bus.ask(21, WRITE, 40, 1)
    speed, goal = (1007).to_bytes(2, "little"), (2048).to_bytes(2, "little")
    bus.ask(21, WRITE, 41, 0, *goal, 0, 0, *speed)
    assert position(bus) == 3055
    clock.advance(0.5)
    assert position(bus) == pytest.approx(2551, abs=2)
    assert bus.ask(21, READ, 66, 1)[5] == 1
    clock.advance(1.0)
    assert position(bus) == 2048
    assert bus.ask(21, READ, 66, 1)[5] == 0


def test_no_torque_no_motion(bus: Bus, clock: FakeClock) -> None:
    bus.ask(21, WRITE, 42, 0, 8)
    clock.advance(5.0)
    assert position(bus) == 3055


def test_noise_and_a_spoilt_packet_are_skipped(bus: Bus) -> None:
    os.write(bus.fd, b"\x00\xff\x13" + packet(bytes([21, 2, PING]))[:-1] + b"\x00")
    assert bus.ask(21, PING) == b"\xff\xff\x15\x02\x00\xe8"


def test_sync_read_answers_in_the_order_asked(bus: Bus) -> None:
    data = bus.ask(0xFE, SYNC_READ, 56, 2, 22, 30, 21)
    assert (data[2], data[10], len(data)) == (22, 21, 16)


def test_link_goes_with_the_emulator_and_never_replaces_a_file(tmp_path: Path) -> None:
    link = tmp_path / "left_gripper"
    with FeetechEmulator({}, link=link) as emulator:
        assert emulator.port == str(link)
        assert link.is_symlink()
    assert not link.is_symlink()
    link.write_text("precious")
    with pytest.raises(HiorsError, match="no symbolic link"):
        FeetechEmulator({}, link=link).start()
    assert link.read_text() == "precious"
