# SPDX-License-Identifier: Apache-2.0
"""The thread of a leader arm on its pseudo-terminal: alignment, buttons, and what goes wrong."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from leader_rig import IDS, Hand, settings

from hiors_core.clock import SteadyClock
from hiors_core.errors import StateError
from hiors_core.robot import Arm, load_robot
from hiors_sim.dynamixel import ButtonBoard, LeaderEmulator, leader_servos
from hiors_xtrainer.leader_bus import LeaderBus
from hiors_xtrainer.leader_buttons import Gesture
from hiors_xtrainer.leader_link import LeaderLink
from hiors_xtrainer.leader_session import LeaderRules, LeaderSession, LeaderState
from hiors_xtrainer.replies import LinkLost

Wait = Callable[[Callable[[], bool], str], None]


@pytest.fixture
def arm(robot_file: str) -> Arm:
    return load_robot(robot_file, ["left"]).arms[0]


@pytest.fixture
def hand(tmp_path: Path) -> Iterator[Hand]:
    servos = leader_servos([*IDS, 3, 8], SteadyClock())
    with LeaderEmulator(servos, ButtonBoard(), tmp_path / "leader") as leader:
        yield Hand(leader)


class Running:
    """A leader link on the emulator's port."""

    def __init__(self, hand: Hand, arm: Arm) -> None:
        self.gestures: list[Gesture] = []
        clock = SteadyClock()
        self.link = LeaderLink(
            "left",
            settings(hand.leader.port),
            LeaderSession(arm, hand.mapping, LeaderRules(), clock),
            clock,
            rate=100.0,
            on_reading=lambda _: None,
            on_gesture=lambda _, gesture: self.gestures.append(gesture),
        )
        self.link.start()

    @property
    def state(self) -> LeaderState:
        with self.link.session() as session:
            return session.state

    def ask(self, action: Callable[[LeaderSession], object]) -> object:
        with self.link.session() as session:
            return action(session)


@pytest.fixture
def running(hand: Hand, arm: Arm, waiter: Wait) -> Iterator[Running]:
    hand.place(arm.home)
    running = Running(hand, arm)
    waiter(lambda: running.state is LeaderState.FREE, "readings")
    yield running
    running.link.close()


def test_the_leader_is_driven_to_the_robot_and_let_go(
    running: Running, hand: Hand, arm: Arm, waiter: Wait
) -> None:
    goal = arm.home + np.array([0.3, -0.2, 0.2, 0.1, -0.3, 0.3])
    running.ask(lambda s: s.on_follower(goal, 1.0))
    running.ask(lambda s: s.align())

    def arrived() -> bool:
        running.ask(lambda s: s.on_follower(goal, 1.0))
        return running.state is LeaderState.FREE

    waiter(arrived, "alignment")
    assert running.ask(lambda s: s.reason) == ""
    np.testing.assert_allclose(hand.joints, goal, atol=0.06)
    waiter(lambda: not hand.leader.servos[1].torque, "torque off")


def test_buttons_on_the_bus_become_gestures(running: Running, hand: Hand, waiter: Wait) -> None:
    board = hand.leader.board
    count = running.link.readings
    waiter(lambda: running.link.readings > count + 4, "the buttons to be seen up")
    board.a = True
    waiter(lambda: running.gestures == [Gesture.FOLLOW], "a long press")
    board.a = False
    running.ask(lambda s: s.toggle_lock())
    waiter(lambda: hand.leader.servos[1].torque, "the lock")
    running.ask(lambda s: s.toggle_lock())
    waiter(lambda: not hand.leader.servos[1].torque, "the release")


def test_a_silent_bus_releases_and_comes_back_without_driving(
    running: Running, hand: Hand, arm: Arm, waiter: Wait
) -> None:
    running.ask(lambda s: s.on_follower(arm.home, 1.0))
    running.ask(lambda s: s.follow())
    hand.leader.fault.stall = True
    waiter(lambda: running.state is LeaderState.LOST, "the loss")
    assert running.ask(lambda s: s.command()) is None
    assert "Check the plugs" in running.ask(lambda s: s.reason)
    hand.leader.fault.stall = False
    waiter(lambda: running.state is LeaderState.FREE, "the bus to come back")
    assert not running.ask(lambda s: s.following)


def test_a_pulled_cable_releases_and_a_plugged_in_one_is_found_again(
    running: Running, hand: Hand, arm: Arm, waiter: Wait
) -> None:
    running.ask(lambda s: s.on_follower(arm.home, 1.0))
    running.ask(lambda s: s.follow())
    hand.leader.stop()
    waiter(lambda: running.state is LeaderState.LOST, "the loss")
    assert hand.leader.port in running.ask(lambda s: s.reason)
    hand.leader.start()
    waiter(lambda: running.state is LeaderState.FREE, "the leader to come back")
    assert not running.ask(lambda s: s.following)


def test_a_register_whose_answer_got_lost_is_written_again(hand: Hand) -> None:
    bus = LeaderBus(settings(hand.leader.port))
    try:
        ticks, _ = bus.read()
        hand.leader.fault.lose = 1
        bus.hold(ticks)
        assert all(hand.leader.servos[number].torque for number in IDS)
        hand.leader.fault.lose = 4
        with pytest.raises(LinkLost, match=r"servo 1, register 64 = 0: There is no status packet"):
            bus.release()
    finally:
        bus.close()


def test_a_servo_that_falls_off_the_bus_is_named_and_found_again(
    running: Running, hand: Hand, arm: Arm, waiter: Wait
) -> None:
    running.ask(lambda s: s.on_follower(arm.home, 1.0))
    running.ask(lambda s: s.follow())
    hand.leader.absent.add(4)
    missing = "no answer from servo 4 at 2000000 or 1000000 baud. Found: 1, 2, 5, 6, 7, 3, 8"
    waiter(lambda: missing in running.ask(lambda s: s.reason), "the missing one's name")
    assert running.ask(lambda s: s.command()) is None
    with pytest.raises(StateError, match="no answer from servo 4"):
        running.ask(lambda s: s.follow())
    hand.leader.absent.clear()
    waiter(lambda: running.state is LeaderState.FREE, "the servo to come back")
    assert not running.ask(lambda s: s.following)


def test_noise_on_the_bus_costs_no_motion(
    running: Running, hand: Hand, arm: Arm, waiter: Wait
) -> None:
    running.ask(lambda s: s.on_follower(arm.home, 1.0))
    running.ask(lambda s: s.follow())
    count = running.link.readings
    for garbage in (b"\xff\xff\xfd", b"\x00" * 30, b"\xff" * 9):
        hand.leader.fault.garbage = garbage
        waiter(lambda: not hand.leader.fault.garbage, "the noise to be sent")
        waiter(lambda c=count: running.link.readings > c + 3, "more readings")
        count = running.link.readings
    command = running.ask(lambda s: s.command())
    np.testing.assert_allclose(command.position, arm.home, atol=0.01)
