# SPDX-License-Identifier: Apache-2.0
"""Leader arms over their pseudo-terminals: mapping, calibration, engagement, alignment, faults."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from leader_rig import CALIBRATION, IDS, SIGNS, Hand, settings

from hiors_core.clock import FakeClock, SteadyClock
from hiors_core.errors import HiorsError, InvalidValue, StateError, UnknownName
from hiors_core.robot import Arm, load_robot
from hiors_sim.dynamixel import ButtonBoard, LeaderEmulator, leader_servos
from hiors_xtrainer.leader_bus import LeaderBus
from hiors_xtrainer.leader_buttons import Buttons, Gesture, Gestures, read_buttons
from hiors_xtrainer.leader_calibration import (
    calibrate,
    load_calibrations,
    save_calibration,
    still_position,
)
from hiors_xtrainer.leader_mapping import LeaderMapping
from hiors_xtrainer.leader_session import LeaderRules, LeaderSession, LeaderState
from hiors_xtrainer.leader_settings import TICK, LeaderCalibration
from hiors_xtrainer.replies import LinkLost

Wait = Callable[[Callable[[], bool], str], None]
MS = 1_000_000


@pytest.fixture
def arm(robot_file: str) -> Arm:
    return load_robot(robot_file, ["left"]).arms[0]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(10**9)


@pytest.fixture
def hand(tmp_path: Path) -> Iterator[Hand]:
    servos = leader_servos([*IDS, 3, 8], SteadyClock())
    with LeaderEmulator(servos, ButtonBoard(), tmp_path / "leader") as leader:
        yield Hand(leader)


@given(st.lists(st.floats(-6.2, 6.2), min_size=6, max_size=6), st.integers(-1, 1))
def test_mapping_comes_back_to_the_joints_within_a_tick_on_any_turn(
    joints: list[float], turns: int
) -> None:
    mapping, wanted = LeaderMapping(SIGNS, CALIBRATION), np.array(joints)
    ticks = mapping.goal(wanted, np.full(6, 2048 + 4096 * turns))
    assert np.abs(ticks - 2048 - 4096 * turns).max() <= 2048
    np.testing.assert_allclose(mapping.joints(ticks, wanted), wanted, atol=TICK)


def test_the_handle_maps_to_the_opening_also_across_its_seam() -> None:
    mapping = LeaderMapping(SIGNS, CALIBRATION)
    assert [mapping.opening(t) for t in (2264, 1923, 2300, 1800)] == [0.0, 1.0, 0.0, 1.0]
    seam = LeaderMapping(
        SIGNS, LeaderCalibration(offsets=(0,) * 6, gripper_closed=4050, gripper_opened=4250)
    )
    assert seam.opening(4050) == pytest.approx(0.0)
    assert seam.opening(4250 - 4096) == pytest.approx(1.0)
    assert seam.opening(54) == pytest.approx(0.5)


@pytest.mark.parametrize("seed", range(20))
def test_calibration_is_recovered_within_one_tick(arm: Arm, seed: int) -> None:
    rng = np.random.default_rng(seed)
    true = rng.integers(0, 4096, 6)
    exact = true + np.array(SIGNS) * arm.home / TICK
    opened = int(rng.integers(0, 4096))
    read = np.rint(exact).astype(np.int64) % 4096
    found = calibrate(arm, SIGNS, read, opened, (opened + 341) % 4096)
    difference = (np.array(found.offsets) - true + 2048) % 4096 - 2048
    assert np.abs(difference).max() <= 1
    mapping = LeaderMapping(SIGNS, found)
    np.testing.assert_allclose(mapping.joints(read, arm.home), arm.home, atol=1.01 * TICK)
    assert mapping.opening(opened) == pytest.approx(1.0)


def test_calibration_file_keeps_the_other_arm_and_refuses_what_makes_no_sense(
    tmp_path: Path,
) -> None:
    path = tmp_path / "sub" / "leader.yaml"
    assert load_calibrations(path) == {}
    save_calibration(path, "left", CALIBRATION)
    save_calibration(path, "right", CALIBRATION)
    assert load_calibrations(path) == {"left": CALIBRATION, "right": CALIBRATION}
    assert [p.name for p in path.parent.iterdir()] == ["leader.yaml"]
    path.write_text("left: {offset: [1, 2]}")
    with pytest.raises(UnknownName, match="Did you mean 'offsets'"):
        load_calibrations(path)
    path.write_text("left: {offsets: [1.5], gripper_closed: 1, gripper_opened: 200}")
    with pytest.raises(InvalidValue, match="whole number of ticks"):
        load_calibrations(path)


def test_a_handle_that_was_not_closed_is_refused(arm: Arm) -> None:
    with pytest.raises(InvalidValue, match="close the handle"):
        calibrate(arm, SIGNS, np.zeros(6, dtype=np.int64), 2000, 2003)


def test_a_moving_leader_is_not_calibrated() -> None:
    ticks = iter(range(0, 4000, 5))
    with pytest.raises(StateError, match="Hold it still"):
        still_position(lambda: (np.full(6, next(ticks)), 0))


def test_still_position_at_the_seam_is_no_motion() -> None:
    ticks = iter([0, 4095, 1, 4094] * 20)
    joints, _ = still_position(lambda: (np.full(6, next(ticks)), 7))
    assert set((joints + 2) % 4096) <= {0, 1, 2, 3}


@pytest.mark.parametrize("address", [132, 140])
def test_bus_reads_and_drives_the_servos(hand: Hand, arm: Arm, address: int, waiter: Wait) -> None:
    hand.place(arm.home)
    bus = LeaderBus(settings(hand.leader.port, read_address=address, gains=(800,) * 6))
    ticks, handle = bus.read()
    np.testing.assert_allclose(hand.mapping.joints(ticks, arm.home), arm.home, atol=TICK)
    assert hand.mapping.opening(handle) == pytest.approx(1.0, abs=0.01)
    assert hand.leader.servos[1].memory[84] == 800 & 0xFF
    bus.hold(ticks)
    assert hand.leader.servos[1].torque
    assert not hand.leader.servos[3].torque, "a second motor without sign stays limp"
    assert not hand.leader.servos[8].torque, "the handle stays the person's"
    bus.drive(ticks + 50, ticks)
    waiter(lambda: bool((bus.read()[0] == ticks + 50).all()), "the goal")
    bus.close()
    assert not any(servo.torque for servo in hand.leader.servos.values())


def test_a_second_motor_goes_with_its_joint(hand: Hand, waiter: Wait) -> None:
    bus = LeaderBus(settings(hand.leader.port, second_signs=(-1,)))
    ticks, _ = bus.read()
    start = hand.leader.servos[3].ticks
    bus.hold(ticks)
    bus.drive(ticks + np.array([0, 40, 0, 0, 0, 0]), ticks)
    waiter(lambda: hand.leader.servos[3].ticks == start - 40, "the second motor")
    bus.close()


def test_without_counting_turns_a_goal_beyond_the_seam_is_refused_by_name(hand: Hand) -> None:
    bus = LeaderBus(settings(hand.leader.port, extended=False))
    ticks, _ = bus.read()
    with pytest.raises(LinkLost, match="servo 1 refuses register 116 = 4200"):
        bus.drive(np.full(6, 4200), ticks)
    bus.close()


def test_missing_servos_are_named(hand: Hand) -> None:
    hand.leader.absent |= {4, 6}
    with pytest.raises(LinkLost, match=r"no answer from servo 4, 6 at .*Found: 1, 2, 5, 7, 3, 8"):
        LeaderBus(settings(hand.leader.port))


def test_a_port_that_is_not_there_is_named() -> None:
    with pytest.raises(LinkLost, match="Cannot open the leader's port /nowhere"):
        LeaderBus(settings("/nowhere"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"gripper_id": 7}, "id of its own"),
        ({"signs": (1, 1, 0, 1, 1, 1)}, "signs must be of"),
        ({"signs": (1, 1)}, "one value for each of the 6 ids"),
        ({"second_joints": (9,)}, "second_joints must be of 1 .. 6"),
        ({"second_signs": ()}, "one value for each of the 1"),
    ],
)
def test_settings_that_do_not_fit_are_refused(wrong: dict, message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        settings("/dev/null", **wrong)


@pytest.mark.parametrize(
    ("answer", "size", "buttons"),
    [
        (b"\x11\xee", 2, Buttons(False, False)),
        (b"\x01\xfe", 2, Buttons(True, False)),
        (b"\x10\xef\x07\xf8", 4, Buttons(False, True)),
        (b"\x11\xed", 2, None),
        (b"\x11", 2, None),
        (b"\x11\xee\x01\xff", 4, None),
        (b"\x35\xca", 2, None),
    ],
)
def test_answers_of_the_button_board(answer: bytes, size: int, buttons: Buttons | None) -> None:
    assert read_buttons(answer, size) == buttons


def pressed(seconds: float, *, a: bool = True) -> list[Gesture]:
    gestures, found, now = Gestures(), [], 0
    up, down = Buttons(False, False), Buttons(a, not a)
    for state, duration in ((up, 0.1), (down, seconds), (up, 0.1)):
        for _ in range(round(duration / 0.02)):
            found += gestures.update(state, now)
            now += 20 * MS
    return found


def test_short_and_long_presses_mean_different_things() -> None:
    assert pressed(0.2) == [Gesture.LOCK]
    assert pressed(0.7) == []
    assert pressed(3.0) == [Gesture.FOLLOW]
    assert pressed(0.2, a=False) == [Gesture.RECORD]
    assert pressed(1.5, a=False) == [Gesture.FAIL]


def test_a_button_that_is_down_at_the_start_or_after_silence_does_not_count() -> None:
    gestures = Gestures()
    down = Buttons(True, True)
    assert not any(gestures.update(down, i * 100 * MS) for i in range(30))
    gestures.update(Buttons(False, False), 3000 * MS)
    gestures.update(down, 3100 * MS)
    gestures.update(None, 3200 * MS)
    assert gestures.update(Buttons(False, False), 3300 * MS), "one lost answer is forgiven"
    gestures.update(down, 3400 * MS)
    gestures.update(None, 3800 * MS)
    assert not gestures.update(Buttons(False, False), 3850 * MS)


class Table:
    """A session with its hand on paper: no port."""

    def __init__(self, arm: Arm, clock: FakeClock, **rules: object) -> None:
        self.arm, self.clock = arm, clock
        self.mapping = LeaderMapping(SIGNS, CALIBRATION)
        self.session = LeaderSession(arm, self.mapping, LeaderRules(**rules), clock)

    def read(self, joints: np.ndarray, handle: int = 1923) -> None:
        self.clock.advance(1 / 60)
        ticks = self.mapping.goal(joints, np.full(6, 2048)) % 4096
        self.session.on_reading(ticks, handle)

    def follower(self, joints: np.ndarray, gripper: float = 1.0) -> None:
        self.session.on_follower(joints, gripper)


@pytest.fixture
def table(arm: Arm, clock: FakeClock) -> Table:
    return Table(arm, clock)


def test_a_leader_drives_only_from_near_the_robot(table: Table, arm: Arm) -> None:
    table.follower(arm.home)
    table.read(arm.home + np.array([0, 0, 0.7, 0, 0, 0]))
    with pytest.raises(StateError, match=r"left_joint3: the leader is 0\.70 rad .* leader/align"):
        table.session.follow()
    assert not table.session.command().engaged
    table.read(arm.home + np.array([0, 0, 0.3, 0, 0, 0]))
    table.session.follow()
    assert table.session.command().engaged
    assert table.session.torque, "held until the robot has come"
    assert table.session.state is LeaderState.APPROACHED
    table.follower(arm.home + np.array([0, 0, 0.28, 0, 0, 0]))
    table.read(arm.home + np.array([0, 0, 0.3, 0, 0, 0]))
    assert not table.session.torque
    assert table.session.state is LeaderState.FOLLOWED


def test_without_the_robots_position_it_does_not_drive(table: Table, arm: Arm) -> None:
    table.read(arm.home)
    with pytest.raises(StateError, match="no fresh joint_states"):
        table.session.follow()
    table.follower(arm.home)
    table.clock.advance(1.0)
    with pytest.raises(StateError, match="no fresh joint_states"):
        table.session.align()


def test_a_turning_joint_crosses_the_seam_of_its_servo_smoothly(table: Table, arm: Arm) -> None:
    table.follower(arm.home)
    table.read(arm.home)
    table.session.follow()
    last = arm.home[0]
    for angle in np.arange(arm.home[0], arm.home[0] + 7.0, 0.02):
        table.read(np.array([angle, *arm.home[1:]]))
        now = table.session.command().position[0]
        assert abs(now - last) < 0.03
        last = now
    assert table.session.following
    assert last == pytest.approx(arm.home[0] + 7.0, abs=0.03)


def test_a_leap_of_the_leader_ends_to_drive(table: Table, arm: Arm) -> None:
    table.follower(arm.home)
    table.read(arm.home)
    table.session.follow()
    table.read(arm.home + np.array([0, 0.9, 0, 0, 0, 0]))
    assert not table.session.command().engaged
    assert "left_joint2 of the leader jumped by 0.90 rad" in table.session.reason
    table.follower(arm.home + np.array([0, 0.9, 0, 0, 0, 0]))
    table.session.follow()
    assert table.session.command().clutch == 2, "a new clutch is a new anchor"


def test_the_gripper_is_caught_before_it_moves(table: Table, arm: Arm) -> None:
    table.follower(arm.home, gripper=0.3)
    table.read(arm.home)
    table.session.follow()
    assert np.isnan(table.session.command().gripper), "an open handle does not drop what is held"
    table.read(arm.home, handle=2230)
    assert table.session.command().gripper == pytest.approx(0.1, abs=0.01)
    table.read(arm.home)
    assert table.session.command().gripper == 1.0


def test_an_uncalibrated_leader_says_what_to_do(arm: Arm, clock: FakeClock) -> None:
    session = LeaderSession(arm, None, LeaderRules(), clock)
    session.on_reading(np.zeros(6, dtype=np.int64), 0)
    assert session.state is LeaderState.UNCALIBRATED
    assert session.command() is None
    with pytest.raises(StateError, match="`hiors calibrate leader`"):
        session.follow()


def test_alignment_that_cannot_be_reached_ends(table: Table, arm: Arm) -> None:
    table.follower(arm.home)
    table.read(arm.home + 1.0)
    table.session.align()
    assert table.session.torque
    for _ in range(60 * 16):
        table.follower(arm.home)
        table.read(arm.home + 1.0)
    assert table.session.state is LeaderState.FREE
    assert "1.00 rad are left" in table.session.reason


def test_unreadable_calibration_file_is_an_error_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "leader.yaml"
    path.write_text("left: [")
    with pytest.raises(HiorsError, match=r"leader\.yaml"):
        load_calibrations(path)
