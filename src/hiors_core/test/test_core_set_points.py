# SPDX-License-Identifier: Apache-2.0
"""The stream of set-points on a fake clock, over arms that do what they are told."""

from pathlib import Path

import numpy as np
import pytest

from hiors_core.authority import Authority
from hiors_core.clock import FakeClock, to_ns
from hiors_core.command import Command
from hiors_core.driver_arm import ArmState, ArmStatus, Reading
from hiors_core.robot import load_robot
from hiors_core.set_points import SetPoints, StreamSettings

ROBOT = load_robot(Path(__file__).parents[3] / "config" / "robots" / "xtrainer.yaml")
SETTINGS = StreamSettings(period=0.03, delay=0.0, command_timeout=0.2, max_jump=0.6)


class Arm:
    """Goes where it is told at once."""

    def __init__(self, name: str, home: np.ndarray, clock: FakeClock) -> None:
        self.name, self.position, self._clock = name, home.copy(), clock
        self.state, self.works, self.seen = ArmState.READY, True, True
        self.written: list[np.ndarray] = []

    @property
    def status(self) -> ArmStatus:
        return ArmStatus(self.state, "" if self.state is ArmState.READY else "it is broken")

    def check(self) -> bool:
        return self.state is ArmState.READY

    def stop(self) -> None:
        if self.state is ArmState.READY:
            self.state = ArmState.STOPPED

    def release(self) -> None:
        self.state = ArmState.READY

    def reading(self) -> Reading | None:
        still = np.zeros_like(self.position)
        reading = Reading(stamp=self._clock.now(), position=self.position, velocity=still)
        return reading if self.seen else None

    def write(self, position: np.ndarray) -> bool:
        if self.works:
            self.position = position.copy()
            self.written.append(position)
        return self.works


class Rig:
    """Two arms, their stream, and an arbiter's hand."""

    def __init__(self) -> None:
        self.clock = FakeClock(to_ns(1000.0))
        self.arms = [Arm(a.name, ROBOT.home[ROBOT.columns(a)], self.clock) for a in ROBOT.arms]
        self.executed: list[Command] = []
        self.points = SetPoints(ROBOT, self.arms, SETTINGS, self.clock, self.executed.append)
        self.tick_number = 0

    def say(
        self, change: float = 0.0, authority: Authority = Authority.POLICY, epoch: int = 1
    ) -> str | None:
        position = ROBOT.home.copy()
        position[0] += change
        self.tick_number += 1
        return self.points.command(
            Command(
                stamp=self.clock.now(),
                tick=self.tick_number,
                epoch=epoch,
                authority=authority,
                position=position,
            )
        )

    def turn(self, count: int = 1) -> str:
        for _ in range(count):
            self.points.tick(self.clock.advance(0.03))
        return self.points.status().problem

    @property
    def sent(self) -> int:
        return len(self.arms[0].written)


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_every_arm_gets_its_columns_and_the_answer_says_what_was_sent(rig: Rig) -> None:
    rig.say(0.01)
    assert rig.turn() == ""
    np.testing.assert_allclose(rig.arms[0].position[0], ROBOT.home[0] + 0.01)
    np.testing.assert_array_equal(rig.arms[1].position, ROBOT.home[7:])
    answer = rig.executed[-1]
    assert (answer.tick, answer.limited) == (1, ())
    np.testing.assert_array_equal(answer.position, np.concatenate([a.position for a in rig.arms]))


def test_a_fast_command_is_cut_and_the_cut_is_in_the_answer(rig: Rig) -> None:
    rig.say(0.0)
    rig.turn()
    rig.say(0.5)
    rig.turn()
    most = 2.0 * 0.03 * 1.25
    assert rig.arms[0].position[0] - ROBOT.home[0] == pytest.approx(most)
    assert rig.executed[-1].limited == ("driver: left_joint1 step +0.500 cut to +0.075",)


def test_a_new_driver_waits_until_the_command_is_where_the_robot_stands(rig: Rig) -> None:
    rig.say(0.015, Authority.HOLD)
    assert rig.turn(3).startswith("holding, HOLD brings the command to the robot: left_joint1")
    assert rig.sent == 0
    rig.say(0.0, Authority.HOLD)
    assert rig.turn() == ""


@pytest.mark.parametrize("authority", [Authority.HOLD, Authority.HUMAN])
def test_after_a_fault_the_robot_does_not_go_to_where_it_was_to_go(
    rig: Rig, authority: Authority
) -> None:
    rig.say(0.0)
    rig.turn()
    rig.arms[0].state = ArmState.FAULT
    rig.say(0.2)
    rig.turn()
    rig.arms[0].state = ArmState.READY
    sent = rig.sent
    rig.say(0.2, authority, epoch=2)
    assert "left_joint1 is commanded 0.20 rad away" in rig.turn(3)
    assert rig.sent == sent
    rig.say(0.0, authority, epoch=3)
    assert rig.turn() == ""
    np.testing.assert_array_equal(rig.arms[0].position, ROBOT.home[:7])


def test_silence_repeats_the_last_set_point_once_then_nothing(rig: Rig) -> None:
    rig.say(0.01)
    rig.turn(5)
    before = rig.sent
    assert rig.turn(20) == "holding: no command for 0.2 s"
    assert rig.sent <= before + 3
    np.testing.assert_array_equal(rig.arms[0].written[-1], rig.arms[0].written[-2])
    assert rig.say(0.01) is None
    assert rig.turn() == ""


@pytest.mark.parametrize(
    ("position", "reason"),
    [
        (np.full(14, np.nan), "left_joint1, .* is not a finite number"),
        (np.zeros(7), "position has 7 values, the robot 14"),
        (np.full(14, 3.0), "left_joint3 = 3.0000 is outside -2.7900 .. 2.7900"),
    ],
)
def test_a_bad_command_is_refused_by_name_and_changes_nothing(
    rig: Rig, position: np.ndarray, reason: str
) -> None:
    rig.say(0.01)
    rig.turn()
    bad = Command(
        stamp=rig.clock.now(), tick=9, epoch=1, authority=Authority.POLICY, position=position
    )
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(rig.points.command(bad))
    rig.turn()
    assert rig.points.status().refused == 1
    assert rig.arms[0].position[0] == pytest.approx(ROBOT.home[0] + 0.01)


def test_a_leap_is_held_and_named(rig: Rig) -> None:
    rig.say(0.9)
    assert "left_joint1 is commanded 0.90 rad away" in rig.turn()
    assert rig.sent == 0


def test_after_a_stop_nothing_moves_before_a_new_epoch_or_hold(rig: Rig) -> None:
    rig.say(0.01)
    rig.turn()
    rig.say(0.02, Authority.STOPPED, epoch=2)
    assert "stopped" in rig.turn()
    assert [arm.state for arm in rig.arms] == [ArmState.STOPPED] * 2
    sent = rig.sent
    rig.say(0.02, Authority.POLICY, epoch=2)
    assert rig.turn(2).startswith("holding after a stop or fault")
    assert rig.sent == sent
    rig.say(0.01, Authority.HOLD, epoch=2)
    assert rig.turn() == ""


def test_one_arm_in_fault_holds_all(rig: Rig) -> None:
    rig.say(0.01)
    rig.turn()
    rig.arms[1].state = ArmState.FAULT
    sent = rig.sent
    rig.say(0.02)
    assert rig.turn() == "right fault: it is broken"
    rig.arms[1].state = ArmState.READY
    assert rig.turn().startswith("holding after a stop or fault")
    assert rig.sent == sent


def test_without_feedback_nothing_is_sent(rig: Rig) -> None:
    rig.arms[1].seen = False
    rig.say(0.01)
    assert rig.turn() == "holding: no fresh feedback"
    assert rig.points.reading() is None
    assert rig.sent == 0


def test_a_broken_link_is_told_and_not_answered_for(rig: Rig) -> None:
    rig.arms[0].works = False
    rig.say(0.01)
    assert rig.turn() == "holding: the link broke"
    assert rig.executed == []
    assert len(rig.arms[1].written) == 1
