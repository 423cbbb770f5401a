# SPDX-License-Identifier: Apache-2.0
"""The driver against a controller that shares no line with it, nor with the emulator."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_controller import PACKET_SIZE, FakeController

from hiors_core.authority import Authority
from hiors_core.clock import SteadyClock
from hiors_core.driver_arm import ArmState
from hiors_core.errors import HiorsError
from hiors_core.robot import load_robot
from hiors_xtrainer.dobot import Address
from hiors_xtrainer.driver import XTrainerDriver
from hiors_xtrainer.settings import ArmSettings, DriverSettings

Wait = Callable[[Callable[[], bool], str], None]


class Setup:
    """The driver of one arm and the controller it talks to."""

    def __init__(
        self, controller: FakeController, robot_file: str, folder: Path, said: str
    ) -> None:
        self.controller = controller
        self.robot = load_robot(robot_file, ["left"])
        self.clock = SteadyClock()
        ports = controller.ports
        address = Address(
            host=controller.host,
            dashboard_port=ports["dashboard"],
            motion_port=ports.get("motion", 1),
            feedback_port=ports["feedback"],
            timeout=1.0,
            protocol=said,
        )
        arm = ArmSettings(address=address, gripper=None, feedback_timeout=0.4)
        settings = DriverSettings(arms={"left": arm}, lock_folder=str(folder))
        self.driver = XTrainerDriver(self.robot, settings, self.clock)

    @property
    def state(self) -> ArmState:
        return self.driver.status().arms["left"].state

    @property
    def reason(self) -> str:
        return self.driver.status().arms["left"].reason

    def start(self, waiter: Wait) -> None:
        self.driver.start()
        waiter(lambda: self.state is ArmState.READY, f"ready; it is {self.reason}")

    def at(self, joint: int, radians: float) -> bool:
        return bool(abs(np.radians(self.controller.degrees[joint]) - radians) < 1e-3)


@pytest.fixture
def make(robot_file: str, tmp_path: Path) -> Iterator[Callable[..., Setup]]:
    made: list[Setup] = []

    def build(said: str = "v3", **controller: Any) -> Setup:
        made.append(Setup(FakeController(**controller), robot_file, tmp_path, said))
        return made[-1]

    yield build
    for setup in made:
        setup.driver.close()
        setup.controller.close()


def goal_of(setup: Setup) -> np.ndarray:
    return setup.robot.home + np.array([0.3, 0.0, -0.2, 0.0, 0.0, 0.1, -0.5])


def test_start_up_is_the_published_sequence(make: Callable[..., Setup], waiter: Wait) -> None:
    setup = make()
    setup.start(waiter)
    log = setup.controller.log
    assert set(log[:1] + log[log.index("<motion>") :][:1]) == {"<dashboard>", "<motion>"}
    wanted = [
        "EnableRobot()",
        "SpeedFactor(20)",
        "AccJ(20)",
        "SpeedJ(20)",
        "SetTool(1,{0.000,0.000,197.000,0.000,0.000,0.000})",
        "Tool(1)",
        "StopDrag()",
        "<feedback>",
    ]
    assert [entry for entry in log if entry in wanted] == wanted
    assert log.index("<motion>") < log.index("EnableRobot()")
    assert set(log) - set(wanted) == {"<dashboard>", "<motion>", "RobotMode()"}


@pytest.mark.parametrize(
    "controller",
    [
        {},
        {"servo_replies": True},
        {"v4": True, "said": "v4"},
        {"said": "auto"},
        {"v4": True, "said": "auto"},
    ],
    ids=["v3", "v3 that answers", "v4", "probed v3", "probed v4"],
)
def test_servoj_is_streamed_as_the_guide_says(
    make: Callable[..., Setup], make_arbiter, waiter: Wait, controller: dict[str, Any]
) -> None:
    setup = make(**controller)
    setup.start(waiter)
    arbiter = make_arbiter(setup.driver, setup.clock, setup.robot.home)
    goal = arbiter.goal = goal_of(setup)
    waiter(lambda: all(setup.at(i, goal[i]) for i in range(6)), "the goal")
    fake = setup.controller
    assert fake.mistakes == []
    ahead = "aheadtime" if fake.v4 else "lookahead_time"
    number = r"-?\d+\.\d+"
    shape = rf"ServoJ\({number}(,{number}){{5}},t=0\.030,{ahead}=50,gain=500\)"
    assert all(re.fullmatch(shape, text) for text in fake.servo)
    sent = np.array([re.findall(number, text)[:6] for text in fake.servo], dtype=float)
    assert np.abs(np.diff(sent, axis=0)).max() < np.degrees(2.0 * 0.03 * 1.25) + 1e-6
    waiter(lambda: bool(np.allclose(setup.driver.reading().position[:6], goal[:6], atol=1e-3)),
           "the reading to agree")  # fmt: skip
    assert setup.state is ArmState.READY


def test_velocity_comes_from_the_packet(
    make: Callable[..., Setup], make_arbiter, waiter: Wait
) -> None:
    setup = make()
    setup.start(waiter)
    arbiter = make_arbiter(setup.driver, setup.clock, setup.robot.home)
    arbiter.goal = setup.robot.home + np.array([1.5, 0, 0, 0, 0, 0, 0])
    waiter(lambda: abs(setup.driver.reading().velocity[0] - 0.5) < 0.2, "0.5 rad/s on joint 1")


@pytest.mark.parametrize(
    ("name", "error", "text"),
    [
        ("accj", -40001, r"refused AccJ\(20\): parameter 1: wrong range \(-40001\)"),
        ("settool", -20000, r"refused SetTool\(.*\): wrong number of parameters \(-20000\)"),
        ("enablerobot", -1, r"refused EnableRobot\(\): the arm could not carry it out \(-1\)"),
        ("stopdrag", -77, r"refused StopDrag\(\): the arm could not carry it out \(-77\)"),
        ("robotmode", -10000, r"refused RobotMode\(\): the arm does not know the command"),
    ],
)
def test_an_error_id_at_start_is_a_fault_that_says_what_was_refused(
    make: Callable[..., Setup], waiter: Wait, name: str, error: int, text: str
) -> None:
    setup = make()
    setup.controller.answers[name] = error
    setup.driver.start()
    waiter(lambda: setup.state is ArmState.FAULT, "the fault")
    assert re.search(text, setup.reason), setup.reason
    assert setup.controller.servo == []


def test_a_refused_servoj_ends_in_a_hold_that_says_why(
    make: Callable[..., Setup], make_arbiter, waiter: Wait
) -> None:
    setup = make(servo_replies=True)
    setup.start(waiter)
    arbiter = make_arbiter(setup.driver, setup.clock, setup.robot.home)
    arbiter.begin(Authority.POLICY)
    arbiter.goal = goal_of(setup)
    waiter(lambda: len(setup.controller.servo) > 10, "the stream")
    setup.controller.answers["servoj"] = -40003
    waiter(lambda: setup.state is ArmState.FAULT, "the fault")
    assert "parameter 3: wrong range" in setup.reason
    held, sent = setup.controller.degrees, len(setup.controller.servo)
    setup.controller.answers.clear()
    ticks = arbiter.tick
    waiter(lambda: arbiter.tick > ticks + 20, "commands that go on")
    assert len(setup.controller.servo) == sent
    assert setup.controller.degrees == held


@pytest.mark.parametrize("piece", [0, 1])
@pytest.mark.parametrize("noise", [b"", b"\xff\xfe;", b"0,{1},Other();", b"0,{},", b"}{;;\r\n"])
def test_replies_in_pieces_and_behind_noise_are_understood(
    make: Callable[..., Setup], waiter: Wait, piece: int, noise: bytes
) -> None:
    setup = make()
    setup.controller.replies.piece = piece
    setup.controller.replies.before = noise
    setup.start(waiter)
    setup.controller.replies.before = noise
    assert setup.driver.clear_error()[0].result(timeout=15) == "left: cleared"


def test_half_a_reply_is_no_reply(make: Callable[..., Setup], waiter: Wait) -> None:
    setup = make()
    setup.start(waiter)
    setup.controller.replies.drop = 4
    with pytest.raises(HiorsError, match=r"no answer in time|timed out"):
        setup.driver.clear_error()[0].result(timeout=15)
    waiter(lambda: setup.state is ArmState.FAULT, "the fault")
    assert "link to 127.0.0.1 lost" in setup.reason


@pytest.mark.parametrize("piece", [0, 977])
@pytest.mark.parametrize(
    "damage",
    [
        {},
        {"before": b"\x07" * 500},
        {"drop": 333},
        {"before": b"\xa0\x05" + b"\x00" * (PACKET_SIZE - 2)},
        {"before": b"\xef\xcd\xab\x89\x67\x45\x23\x01" * 3},
    ],
    ids=["whole", "noise", "lost bytes", "no test value", "test values in the noise"],
)
def test_feedback_in_pieces_and_damaged_is_found_again(
    make: Callable[..., Setup], waiter: Wait, piece: int, damage: dict[str, Any]
) -> None:
    setup = make()
    setup.start(waiter)
    link = setup.driver.counters
    before = link()["left.feedback_packets"]
    setup.controller.packets.piece = piece
    for name, value in damage.items():
        setattr(setup.controller.packets, name, value)
    waiter(lambda: link()["left.feedback_packets"] > before + 10, "packets behind the damage")
    np.testing.assert_allclose(
        setup.driver.reading().position[:6], np.radians(setup.controller.start), atol=1e-6
    )
    assert setup.state is ArmState.READY


def test_an_alarm_in_motion_holds_until_a_person_clears_and_enables(
    make: Callable[..., Setup], make_arbiter, waiter: Wait
) -> None:
    setup = make()
    setup.start(waiter)
    arbiter = make_arbiter(setup.driver, setup.clock, setup.robot.home)
    arbiter.begin(Authority.HUMAN)
    arbiter.goal = goal_of(setup)
    waiter(lambda: setup.controller.degrees[0] > -88.0, "motion")
    setup.controller.alarm(51)
    waiter(lambda: "joint 4 is too fast (alarm 51)" in setup.reason, "the alarm's text")
    held = setup.controller.degrees
    with pytest.raises(HiorsError, match="joint 4 is too fast"):
        setup.driver.enable()[0].result(timeout=15)
    assert setup.driver.clear_error()[0].result(timeout=15) == "left: cleared"
    assert setup.driver.enable()[0].result(timeout=15) == "left: enabled"
    sent, ticks = len(setup.controller.servo), arbiter.tick
    waiter(lambda: arbiter.tick > ticks + 20, "commands of the old epoch")
    assert len(setup.controller.servo) == sent
    assert setup.controller.degrees == held
    arbiter.position = arbiter.goal = setup.driver.reading().position
    arbiter.begin(Authority.HOLD)
    waiter(lambda: len(setup.controller.servo) > sent, "the stream after HOLD")


def test_a_hung_up_controller_is_a_fault_and_enable_connects_anew(
    make: Callable[..., Setup], make_arbiter, waiter: Wait
) -> None:
    setup = make()
    setup.start(waiter)
    make_arbiter(setup.driver, setup.clock, setup.robot.home)
    waiter(lambda: len(setup.controller.servo) > 5, "the stream")
    setup.controller.hang_up()
    waiter(lambda: setup.state is ArmState.FAULT, "the fault")
    assert "link to 127.0.0.1 lost" in setup.reason
    assert setup.driver.enable()[0].result(timeout=15) == "left: enabled"
    assert setup.controller.mistakes == []
