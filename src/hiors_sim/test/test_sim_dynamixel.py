# SPDX-License-Identifier: Apache-2.0
"""The unmodified dynamixel-sdk against the emulated leader arm on its pseudo-terminal."""

from collections.abc import Iterator

import pytest
from dynamixel_sdk import COMM_SUCCESS, GroupSyncRead, GroupSyncWrite, PacketHandler, PortHandler

from hiors_core.clock import FakeClock
from hiors_sim.dynamixel import (
    ACCESS,
    EXTENDED,
    GOAL,
    LIMIT,
    POSITION,
    PROFILE_VELOCITY,
    PWM_LIMIT,
    TORQUE,
    TRAJECTORY,
    ButtonBoard,
    LeaderEmulator,
    LeaderServo,
    leader_servos,
)
from hiors_sim.dynamixel_packet import InstructionReader, crc16, status

IDS = [1, 2, 4, 5, 6, 7, 8]
PACKETS = PacketHandler(2.0)
PING_OF_1 = bytes.fromhex("fffffd0001030001194e")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def leader(clock: FakeClock) -> Iterator[LeaderEmulator]:
    with LeaderEmulator(leader_servos(IDS, clock), ButtonBoard()) as leader:
        yield leader


@pytest.fixture
def port(leader: LeaderEmulator) -> Iterator[PortHandler]:
    port = PortHandler(leader.port)
    assert port.setBaudRate(2_000_000)
    # The SDK gives up after 34 ms, which a loaded machine may well take.
    wait = port.setPacketTimeoutMillis
    port.setPacketTimeout = lambda _: wait(1000)
    yield port
    port.closePort()


def test_the_crc_is_the_published_one() -> None:
    assert crc16(PING_OF_1[:-2]) == int.from_bytes(PING_OF_1[-2:], "little")


def test_every_servo_answers_a_ping_and_an_absent_one_does_not(port: PortHandler) -> None:
    for number in IDS:
        assert PACKETS.ping(port, number) == (1060, COMM_SUCCESS, 0)
    assert PACKETS.ping(port, 3)[1] != COMM_SUCCESS
    found, result = PACKETS.broadcastPing(port)
    assert (sorted(found), result) == (IDS, COMM_SUCCESS)


@pytest.mark.parametrize("address", [POSITION, TRAJECTORY])
def test_sync_read_gives_all_positions(
    leader: LeaderEmulator, port: PortHandler, address: int
) -> None:
    for number in IDS:
        leader.servos[number].place(100 * number)
    group = GroupSyncRead(port, PACKETS, address, 4)
    for number in IDS:
        group.addParam(number)
    assert group.txRxPacket() == COMM_SUCCESS
    assert [group.getData(i, address, 4) for i in IDS] == [100 * i for i in IDS]


def test_a_missing_servo_spoils_a_sync_read(leader: LeaderEmulator, port: PortHandler) -> None:
    leader.absent.add(5)
    group = GroupSyncRead(port, PACKETS, POSITION, 4)
    for number in IDS:
        group.addParam(number)
    assert group.txRxPacket() != COMM_SUCCESS


def test_torque_drives_to_the_goal_at_the_profile_speed_and_then_the_hand_has_it(
    leader: LeaderEmulator, port: PortHandler, clock: FakeClock
) -> None:
    servo = leader.servos[4]
    PACKETS.write4ByteTxRx(port, 4, PROFILE_VELOCITY, 44)
    PACKETS.write1ByteTxRx(port, 4, TORQUE, 1)
    assert PACKETS.write4ByteTxRx(port, 4, GOAL, 3000) == (COMM_SUCCESS, 0)
    servo.place(0)
    clock.advance(1.0)
    speed = 44 * 0.229 / 60 * 4096
    assert PACKETS.read4ByteTxRx(port, 4, POSITION)[0] == pytest.approx(2048 + speed, abs=1)
    clock.advance(10.0)
    assert PACKETS.read4ByteTxRx(port, 4, POSITION)[0] == 3000
    PACKETS.write1ByteTxRx(port, 4, TORQUE, 0)
    servo.place(1234)
    assert PACKETS.read4ByteTxRx(port, 4, POSITION)[0] == 1234


def test_what_a_servo_refuses(leader: LeaderEmulator, port: PortHandler) -> None:
    assert PACKETS.write2ByteTxRx(port, 1, PWM_LIMIT, 250) == (COMM_SUCCESS, 0)
    PACKETS.write1ByteTxRx(port, 1, TORQUE, 1)
    assert PACKETS.write2ByteTxRx(port, 1, PWM_LIMIT, 250) == (COMM_SUCCESS, ACCESS)
    assert PACKETS.write4ByteTxRx(port, 1, GOAL, 5000) == (COMM_SUCCESS, LIMIT)


def test_positions_wrap_in_one_mode_and_count_turns_in_the_other(clock: FakeClock) -> None:
    one, many = LeaderServo(clock, 4000), LeaderServo(clock, 4000, EXTENDED)
    for servo in (one, many):
        servo.place(4100)
    assert int.from_bytes(one.read(POSITION, 4), "little") == 4
    assert int.from_bytes(many.read(POSITION, 4), "little") == 4100


def test_sync_write_reaches_every_servo(leader: LeaderEmulator, port: PortHandler) -> None:
    group = GroupSyncWrite(port, PACKETS, TORQUE, 1)
    for number in IDS:
        group.addParam(number, [1])
    assert group.txPacket() == COMM_SUCCESS
    PACKETS.ping(port, 1)
    assert all(servo.torque for servo in leader.servos.values())


@pytest.mark.parametrize(
    ("a", "b", "sensor", "answer"),
    [
        (False, False, False, b"\x11\xee"),
        (True, False, False, b"\x01\xfe"),
        (False, True, True, b"\x10\xef\x01\xfe"),
    ],
)
def test_the_button_board_answers_between_the_servos(
    clock: FakeClock, a: bool, b: bool, sensor: bool, answer: bytes
) -> None:
    board = ButtonBoard(sensor=sensor)
    board.a, board.b = a, b
    with LeaderEmulator(leader_servos(IDS, clock), board) as leader:
        port = PortHandler(leader.port)
        port.openPort()
        port.ser.timeout = 5.0
        assert PACKETS.ping(port, 1)[1] == COMM_SUCCESS
        port.writePort(b"\xaa\x55\xaa")
        assert port.readPort(len(answer)) == answer
        assert PACKETS.ping(port, 7)[1] == COMM_SUCCESS
        port.closePort()


@pytest.mark.parametrize("size", [1, 3, 4096])
def test_packets_come_out_of_any_segments_and_noise(size: int) -> None:
    stream = b"\xff\xff\x00" + PING_OF_1 + b"\xaa\x55\xaa" + PING_OF_1 + PING_OF_1
    reader = InstructionReader()
    found = [
        item for at in range(0, len(stream), size) for item in reader.feed(stream[at : at + size])
    ]
    packets = [item for item in found if not isinstance(item, bytes)]
    assert [(p.number, p.code, p.valid) for p in packets] == [(1, 1, True)] * 3
    noise = b"".join(item for item in found if isinstance(item, bytes))
    assert noise == b"\xff\xff\x00\xaa\x55\xaa"


def test_a_spoilt_packet_is_answered_with_a_crc_error(leader: LeaderEmulator) -> None:
    spoilt = PING_OF_1[:-1] + b"\x00"
    assert b"".join(leader.answer(spoilt)) == status(1, 3)


def test_header_bytes_in_the_values_are_stuffed(leader: LeaderEmulator, port: PortHandler) -> None:
    leader.servos[1].memory[100:104] = b"\xff\xff\xfd\x07"
    assert PACKETS.readTxRx(port, 1, 100, 4) == ([0xFF, 0xFF, 0xFD, 7], COMM_SUCCESS, 0)
