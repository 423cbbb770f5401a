# SPDX-License-Identifier: Apache-2.0
"""Clients of arm and gripper on a bad line: split, merged, late, spoilt, missing answers."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from hiors_core.clock import FakeClock, SteadyClock
from hiors_core.robot import load_robot
from hiors_sim.dobot import DobotEmulator
from hiors_sim.dobot_controller import DobotController
from hiors_sim.dobot_state import ControllerSettings
from hiors_sim.feetech import FeetechEmulator, GripperServo
from hiors_sim.plant import KinematicArm, KinematicGripper
from hiors_xtrainer import alarms
from hiors_xtrainer.dobot import Address, DobotClient
from hiors_xtrainer.feedback import FeedbackParser
from hiors_xtrainer.feetech import FeetechGripper, GripperSettings
from hiors_xtrainer.replies import CommandRefused, LinkLost, ReplyParser

Wait = Callable[[Callable[[], bool], str], None]
REPLY = b"0,{-90.0,0.5},GetAngle();"


@pytest.fixture
def emulator(robot_file: str) -> Iterator[DobotEmulator]:
    clock = SteadyClock()
    arm = load_robot(robot_file, ["left"]).arms[0]
    with DobotEmulator(KinematicArm(arm.home, clock), arm) as emulator:
        yield emulator


@pytest.fixture
def client(emulator: DobotEmulator) -> Iterator[DobotClient]:
    ports = emulator.ports
    client = DobotClient(
        Address(
            host=emulator.host,
            dashboard_port=ports.dashboard,
            motion_port=ports.motion,
            feedback_port=ports.feedback,
            timeout=0.5,
        ),
        SteadyClock(),
    )
    yield client
    client.close()


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_replies_come_out_whole_from_any_segments(size: int) -> None:
    text = REPLY + b"-40001,{},SpeedFactor(200);" + b"0,{[[1,2],[],[]]},GetErrorID();"
    parser = ReplyParser()
    replies = [
        reply for at in range(0, len(text), size) for reply in parser.feed(text[at : at + size])
    ]
    assert [r.error_id for r in replies] == [0, -40001, 0]
    assert replies[0].numbers == [-90.0, 0.5]
    assert replies[2].value == "[[1,2],[],[]]"


@pytest.mark.parametrize("noise", [b"\xff\x00;", b"junk", b"{{{;;", b";;\r\n", b"0,{}};"])
def test_noise_between_replies_costs_no_reply(noise: bytes) -> None:
    parser = ReplyParser()
    replies = parser.feed(noise + REPLY + noise + REPLY)
    assert [r.echo for r in replies] == ["GetAngle()", "GetAngle()"]


def test_requests_survive_split_and_garbage(emulator: DobotEmulator, client: DobotClient) -> None:
    fault = emulator.faults.dashboard
    fault.split, fault.garbage = True, b"\x00\x80;;0,{1},Other();"
    assert client.request("RobotMode()").numbers == [4.0]
    assert client.request("EnableRobot()").error_id == 0
    np.testing.assert_allclose(
        client.request("GetAngle()").numbers, [-90, 0, -90, 0, 90, 90], atol=1e-4
    )


def test_error_id_is_explained(emulator: DobotEmulator, client: DobotClient) -> None:
    with pytest.raises(CommandRefused, match=r"parameter 1: wrong range \(-40001\)"):
        client.request("SpeedFactor(500)")
    emulator.faults.dashboard.error_id = -1
    with pytest.raises(CommandRefused, match="could not carry it out"):
        client.request("RobotMode()")


def test_a_late_answer_cannot_be_taken_for_the_next(
    emulator: DobotEmulator, client: DobotClient
) -> None:
    emulator.faults.dashboard.merge = 2
    with pytest.raises(LinkLost, match=r"timed out|no answer in time"):
        client.request("RobotMode()")
    emulator.faults.dashboard.merge = 1
    with pytest.raises(LinkLost):
        client.request("RobotMode()")
    assert client.failure is not None


def test_nobody_listens_is_said_with_what_to_check() -> None:
    with pytest.raises(LinkLost, match=r"No connection to 127.0.0.1:1 .*Check the arm's power"):
        DobotClient(Address(host="127.0.0.1", dashboard_port=1, timeout=0.5), SteadyClock())


def test_feedback_resynchronises_after_garbage(
    emulator: DobotEmulator, client: DobotClient, waiter: Wait
) -> None:
    client.open_feedback()
    waiter(lambda: client.latest is not None, "feedback")
    packets = client.counters["feedback_packets"]
    emulator.faults.feedback.garbage = b"\x13" * 777
    waiter(lambda: client.counters["feedback_resynchronised"] > 0, "the search")
    waiter(lambda: client.counters["feedback_packets"] > packets + 5, "packets behind the garbage")
    np.testing.assert_allclose(
        np.degrees(client.latest.position), [-90, 0, -90, 0, 90, 90], atol=1e-4
    )
    assert client.failure is None


@pytest.fixture
def packets(robot_file: str) -> list[bytes]:
    """Feedback of 1 s at 125 Hz, joint 1 moving at 10 deg/s."""
    clock = FakeClock()
    arm = load_robot(robot_file, ["left"]).arms[0]
    plant = KinematicArm(arm.home, clock)
    controller = DobotController(plant, arm, clock, ControllerSettings())
    controller.state.enable()
    data = []
    for i in range(125):
        clock.sleep_until((i + 1) * 8_000_000)
        plant._to = arm.home + np.array([np.radians(0.08 * i), 0, 0, 0, 0, 0])
        data.append(controller.packet(plant.read()))
    return data


def test_after_a_backlog_the_last_packet_counts(packets: list[bytes]) -> None:
    parser = FeedbackParser()
    assert parser.feed(packets[0], 8_000_000).stamp == 8_000_000
    newest = parser.feed(b"".join(packets[1:]), 3_000_000_000)
    assert np.degrees(newest.position[0]) == pytest.approx(-90 + 0.08 * 124, abs=1e-4)
    age = (3_000_000_000 - newest.stamp) / 1e9
    assert age == pytest.approx(2.0, abs=0.01), "what lay in a buffer is as old as the arm says"


@pytest.mark.parametrize("size", [1, 333, 1440, 5000])
def test_packets_come_out_of_any_segments(packets: list[bytes], size: int) -> None:
    stream = b"".join(packets[:20])
    parser = FeedbackParser()
    for at in range(0, len(stream), size):
        parser.feed(stream[at : at + size], at)
    assert (parser.packets, parser.resynchronised) == (20, 0)


def test_lost_bytes_cost_at_most_two_packets(packets: list[bytes]) -> None:
    stream = b"".join(packets)
    parser = FeedbackParser()
    parser.feed(stream[:10_000] + stream[10_500:], 0)
    assert parser.packets >= len(packets) - 2


def test_a_packet_of_another_length_is_not_believed(packets: list[bytes]) -> None:
    parser = FeedbackParser()
    wrong = b"\x01\x00" + packets[0][2:]
    assert parser.feed(wrong, 0) is None


def test_alarm_texts_name_the_joint() -> None:
    found = alarms.texts("[[66,51,99999],[],[7],[],[],[],[]]")
    assert found == [
        "joint 2 is beyond its upper limit (alarm 66)",
        "joint 4 is too fast (alarm 51)",
        "see the maker's alarm list (alarm 99999)",
        "servo 2: servo alarm 7",
    ]


@pytest.fixture
def bus() -> Iterator[FeetechEmulator]:
    with FeetechEmulator({22: GripperServo(KinematicGripper(SteadyClock()))}) as bus:
        yield bus


def gripper(bus: FeetechEmulator, number: int = 22) -> FeetechGripper:
    return FeetechGripper(GripperSettings(port=bus.port, number=number, timeout=0.1))


def test_gripper_moves_and_tells_where_it_is(bus: FeetechEmulator, waiter: Wait) -> None:
    device = gripper(bus)
    device.start()
    assert device.read() == pytest.approx(1.0, abs=0.01)
    device.move(0.25)
    waiter(lambda: abs(device.read() - 0.25) < 0.01, "the gripper's goal")
    assert bus.servos[22].word(48) == 300
    device.close()


@pytest.mark.parametrize("garbage", [b"\xff\xff\x16", b"\x00" * 40, b"\xff\xff\xff\xff"])
def test_gripper_skips_noise_and_split_answers(bus: FeetechEmulator, garbage: bytes) -> None:
    device = gripper(bus)
    bus.fault.split = True
    bus.fault.garbage = garbage
    assert device.read() == pytest.approx(1.0, abs=0.01)
    device.close()


@pytest.mark.parametrize(("number", "fault"), [(22, "stall"), (22, "bad_checksum"), (21, "")])
def test_gripper_that_does_not_answer_is_lost_after_retries(
    bus: FeetechEmulator, number: int, fault: str
) -> None:
    if fault:
        setattr(bus.fault, fault, True)
    device = gripper(bus, number)
    with pytest.raises(LinkLost, match=f"id {number} .* does not answer"):
        device.read()
    assert device.retries == 3
    device.close()


def test_gripper_port_that_is_not_there_is_named() -> None:
    with pytest.raises(LinkLost, match="Cannot open the gripper's port /nowhere"):
        FeetechGripper(GripperSettings(port="/nowhere", number=22))
