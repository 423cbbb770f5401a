# SPDX-License-Identifier: Apache-2.0
"""The driver without ROS, on a fake clock, against a robot that is only two lists."""

from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hiors_core.authority import Authority
from hiors_core.clock import FakeClock, to_ns
from hiors_core.command import Command
from hiors_core.driver_arm import ArmState
from hiors_core.errors import HiorsError, StateError
from hiors_core.robot import load_robot
from hiors_tora.driver import ToraDriver, Unreachable
from hiors_tora.settings import ArmSettings, DriverSettings

ROBOT = load_robot(Path(__file__).parents[3] / "config" / "robots" / "tora_one.yaml")
LEFT, RIGHT = ROBOT.arms


class Port:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.joints: list[np.ndarray] = []
        self.gripper: list[float] = []
        self.failure: str | None = None
        self.cancelled = self.resets = 0

    def send(self, joints: np.ndarray) -> None:
        self.joints.append(joints)

    def grip(self, position: float) -> None:
        self.gripper.append(position)

    def reset(self) -> None:
        self.resets += 1

    def cancel(self) -> None:
        self.cancelled += 1


class Power:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.problem: str | None = None
        self.asked: list[tuple[str, Future[str]]] = []

    def _ask(self, what: str) -> "Future[str]":
        self.asked.append((what, Future()))
        return self.asked[-1][1]

    def enable(self) -> "Future[str]":
        return self._ask("enable")

    def disable(self) -> "Future[str]":
        return self._ask("disable")

    def clear(self) -> "Future[str]":
        return self._ask("clear")

    def answer(self, error: Exception | None = None) -> None:
        if error:
            self.asked[-1][1].set_exception(error)
        else:
            self.asked[-1][1].set_result("enabled")


class Rig:
    """A driver with its robot and an arbiter's hand."""

    def __init__(self, **changes: object) -> None:
        arms = {
            a.name: ArmSettings(joints=a.joints, gripper_joint=a.gripper, gripper_opened=0.08)
            for a in ROBOT.arms
        }
        self.clock = FakeClock(to_ns(1000.0))
        self.ports = {"left": Port(), "right": Port()}
        self.power, self.executed = Power(), []
        settings = replace(DriverSettings(arms=arms, delay=0.0), **changes)
        self.driver = ToraDriver(
            ROBOT, settings, self.ports, self.power, self.clock, self.executed.append
        )
        self.ticks = 0

    def see(self, arms: tuple[str, ...] = ("left", "right")) -> None:
        for arm in (a for a in ROBOT.arms if a.name in arms):
            position = [*arm.home, 0.06]
            now = self.clock.now()
            self.driver.feedback.take(arm.names, position, [0.0] * 8, now, now)

    def turn(self, count: int = 1, see: bool = True) -> str:
        for _ in range(count):
            now = self.clock.advance(0.02)
            if see:
                self.see()
            self.driver.tick(now)
        return self.driver.status().problem

    def say(
        self, change: float = 0.01, authority: Authority = Authority.POLICY, epoch: int = 1
    ) -> str | None:
        position = ROBOT.home.copy()
        position[3] += change
        position[7] = 0.5
        self.ticks += 1
        return self.driver.command(
            Command(
                stamp=self.clock.now(),
                tick=self.ticks,
                epoch=epoch,
                authority=authority,
                position=position,
            )
        )

    def hold(self, epoch: int = 1) -> str | None:
        """HOLD where the robot stands."""
        return self.say(0.0, Authority.HOLD, epoch)

    def state(self, arm: str = "left") -> ArmState:
        return self.driver.status().arms[arm].state

    def reason(self, arm: str = "left") -> str:
        return self.driver.status().arms[arm].reason

    def ready(self) -> "Rig":
        self.turn(2)
        self.power.answer()
        assert self.state() is ArmState.READY
        return self

    @property
    def sent(self) -> int:
        return len(self.ports["left"].joints)


def test_nothing_is_sent_before_the_robot_is_enabled() -> None:
    rig = Rig()
    rig.say()
    rig.turn(5)
    assert rig.state() is ArmState.STARTING
    assert rig.sent == 0
    rig.power.answer()
    rig.hold()
    assert rig.turn() == ""
    np.testing.assert_array_equal(rig.ports["left"].joints[0], LEFT.home)
    np.testing.assert_array_equal(rig.ports["right"].joints[0], RIGHT.home)
    assert rig.ports["left"].gripper[0] == pytest.approx(rig.executed[0].position[7] * 0.08)


def test_the_robots_words_become_the_columns() -> None:
    rig = Rig().ready()
    reading = rig.driver.reading()
    np.testing.assert_allclose(reading.position[:7], LEFT.home)
    assert reading.position[7] == pytest.approx(0.75)
    assert reading.position.shape == reading.velocity.shape == (16,)


def test_it_waits_for_a_robot_that_is_not_there_and_names_what_is_missing() -> None:
    rig = Rig()
    rig.turn(3, see=False)
    assert rig.state() is ArmState.DISCONNECTED
    assert "left_shoulder_pitch" in rig.reason()
    with pytest.raises(StateError, match="no fresh joint state of left_shoulder_pitch"):
        rig.driver.enable()[0].result(0)
    rig.turn(150)
    assert rig.power.asked[0][0] == "enable"


def test_an_unreachable_service_is_tried_again_and_a_refusal_is_not() -> None:
    rig = Rig()
    rig.turn(2)
    rig.power.answer(Unreachable("nobody serves /tora/enable"))
    assert (rig.state(), rig.reason()) == (ArmState.DISCONNECTED, "nobody serves /tora/enable")
    rig.turn(110)
    assert len(rig.power.asked) == 2
    rig.power.answer(StateError("refused: brakes"))
    rig.turn(300)
    assert (rig.state(), rig.reason()) == (ArmState.FAULT, "refused: brakes")
    assert len(rig.power.asked) == 2
    answer = rig.driver.enable()[0]
    rig.power.answer()
    assert answer.result(0) == "enabled"
    assert rig.state() is ArmState.READY


def test_a_person_may_have_to_enable() -> None:
    rig = Rig(enable_at_start=False)
    rig.say()
    rig.turn(200)
    assert rig.power.asked == []
    assert rig.sent == 0
    rig.driver.enable()
    rig.power.answer()
    rig.hold()
    assert rig.turn() == ""


def test_the_estop_latches_until_a_person_enables_and_the_arbiter_begins_anew() -> None:
    rig = Rig().ready()
    rig.say()
    rig.turn()
    rig.power.problem = "the e-stop is pressed"
    sent = rig.sent
    rig.say()
    assert "e-stop" in rig.turn(3)
    with pytest.raises(StateError, match="not enabled: the e-stop is pressed"):
        rig.driver.enable()[0].result(0)
    rig.power.problem = None
    rig.say()
    rig.turn(200)
    assert rig.state() is ArmState.FAULT
    assert rig.sent == sent
    rig.driver.enable()
    rig.power.answer()
    rig.say()
    assert rig.turn().startswith("holding after a stop or fault")
    rig.hold()
    assert rig.turn() == ""


def test_an_estop_while_enabling_wins() -> None:
    rig = Rig()
    rig.turn(2)
    rig.power.problem = "the e-stop is pressed"
    rig.power.answer()
    assert rig.state() is ArmState.FAULT


@pytest.mark.parametrize("seen", [(), ("left",)], ids=["nothing", "one arm"])
def test_silence_of_the_robot_is_a_fault_of_that_arm_and_holds_both(seen: tuple) -> None:
    rig = Rig().ready()
    for _ in range(40):
        rig.say()
        rig.see(seen)
        problem = rig.turn(see=False)
    assert rig.state("right") is ArmState.FAULT
    assert "no fresh joint state of right_shoulder_pitch" in problem
    sent = rig.sent
    rig.turn(20)
    assert rig.sent == sent


def test_a_port_that_fails_is_a_fault_until_enabled_anew() -> None:
    rig = Rig().ready()
    rig.ports["right"].failure = "nobody subscribes to /x"
    rig.say()
    assert rig.turn() == "right fault: nobody subscribes to /x"
    with pytest.raises(HiorsError, match="nobody subscribes"):
        rig.driver.enable()[0].result(0)
    rig.ports["right"].failure = None
    rig.driver.enable()
    rig.power.answer()
    rig.hold()
    assert rig.turn() == ""


@pytest.mark.parametrize("action", ["hold", "disable"])
def test_a_stop_cancels_and_what_follows_it(action: str) -> None:
    rig = Rig(stop_action=action).ready()
    rig.say()
    rig.turn()
    rig.say(authority=Authority.STOPPED, epoch=2)
    rig.turn(5)
    sent = rig.sent
    assert rig.ports["left"].cancelled == 1
    assert [what for what, _ in rig.power.asked] == ["enable", "disable"][: 1 + (action != "hold")]
    rig.hold(epoch=3)
    rig.turn()
    rig.hold(epoch=3)
    problem = rig.turn()
    if action == "hold":
        assert (problem, rig.sent > sent) == ("", True)
    else:
        assert "switched off by the stop; call driver/enable" in problem
        assert rig.sent == sent


def test_silence_of_the_arbiter_holds() -> None:
    rig = Rig().ready()
    rig.say()
    rig.turn(30)
    sent = rig.sent
    assert rig.turn(20) == "holding: no command for 0.2 s"
    assert rig.sent == sent


def test_an_unmeasured_gripper_is_where_it_was_told() -> None:
    arms = {a.name: ArmSettings(joints=a.joints, gripper_joint="") for a in ROBOT.arms}
    rig = Rig(arms=arms).ready()
    rig.say(0.0)
    rig.turn(20)
    assert rig.driver.reading().position[7] == pytest.approx(0.5)
