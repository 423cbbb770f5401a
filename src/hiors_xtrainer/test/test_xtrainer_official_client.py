# SPDX-License-Identifier: Apache-2.0
"""The maker's own Python clients, as published and unmodified, against the emulated arm.

They are not part of this repository. Clone them and say where they are:
HIORS_DOBOT_CLIENT_V3 is a clone of https://github.com/Dobot-Arm/TCP-IP-Python-V3,
HIORS_DOBOT_CLIENT_V4 one of https://github.com/Dobot-Arm/TCP-IP-Python-V4.
"""

import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from hiors_core.clock import SteadyClock
from hiors_core.robot import load_robot
from hiors_sim.dobot import DobotEmulator, Ports
from hiors_sim.dobot_state import ControllerSettings
from hiors_sim.plant import KinematicArm
from hiors_xtrainer import alarms

Wait = Callable[[Callable[[], bool], str], None]
HOST = "127.0.5.{}"
HOME = (-90.0, 0.0, -90.0, 0.0, 90.0, 90.0)
TOUCHED = (-85.0, 5.0, -95.0, 3.0, 88.0, 90.0)
TEST_VALUE = 0x0123456789ABCDEF


def published(version: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Load dobot_api.py from where the tester has it."""
    variable = f"HIORS_DOBOT_CLIENT_{version}"
    path = Path(os.environ.get(variable, ""), "dobot_api.py")
    if variable not in os.environ or not path.is_file():
        pytest.skip(
            f"{variable} names no clone of https://github.com/Dobot-Arm/TCP-IP-Python-{version}"
        )
    for name in ("tkinter", "requests"):
        # The clients import these for their window and for a web page, and nothing else.
        if importlib.util.find_spec(name) is None:
            empty = ModuleType(name)
            empty.__dict__.update(Text=object, END="end")
            monkeypatch.setitem(sys.modules, name, empty)
    spec = importlib.util.spec_from_file_location(f"dobot_api_{version.lower()}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Session:
    """The client's connections to an emulated arm at the real ports."""

    def __init__(self, api: ModuleType, version: str, **settings: object) -> None:
        self.api = api
        arm = load_robot(ROBOT, ["left"]).arms[0]
        self.emulator = DobotEmulator(
            KinematicArm(arm.home, SteadyClock()),
            arm,
            host=HOST.format(3 if version == "v3" else 4),
            ports=Ports(),
            settings=ControllerSettings(protocol=version, **settings),
        )
        self.emulator.start()
        self.dashboard = self._connect(api.DobotApiDashboard, 29999)
        self.move = self.dashboard
        if version == "v3":
            self.move = self._connect(api.DobotApiMove, 30003)

    def _connect(self, kind: type, port: int) -> Any:
        connection = kind(self.emulator.host, port)
        # The clients wait for ever; a failing test must not.
        connection.socket_dobot.settimeout(20.0)
        return connection

    def feedback(self) -> np.void:
        """Connect to the feedback port and read one packet as the client does."""
        feed = self._connect(self.api.DobotApiFeedBack, 30004)
        try:
            return feed.feedBackData()[0]
        finally:
            feed.socket_dobot.close()

    def joints(self) -> np.ndarray:
        return self.emulator.call(lambda c: np.degrees(c.plant.read().position))

    def close(self) -> None:
        for connection in {self.dashboard, self.move}:
            connection.socket_dobot.close()
        self.emulator.stop()


ROBOT = Path(__file__).parents[3] / "config" / "robots" / "xtrainer.yaml"


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Session]]:
    sessions: list[Session] = []

    def start(version: str, **settings: object) -> Session:
        api = published(version.upper(), monkeypatch)
        sessions.append(Session(api, version, **settings))
        return sessions[-1]

    yield start
    for session in sessions:
        session.close()


def numbers(reply: str) -> list[float]:
    """The values between the braces of an answer without error."""
    match = re.fullmatch(r"0,\{(.*)\},\w+\(.*\);", reply)
    assert match, reply
    return [float(v) for v in match[1].split(",")] if match[1] else []


def test_v3_sets_up_and_asks(make: Callable[..., Session]) -> None:
    d = make("v3", powered=False).dashboard
    assert numbers(d.RobotMode()) == [3.0]
    assert d.PowerOn() == "0,{},PowerOn();"
    for answer in (
        d.EnableRobot(),
        d.EnableRobot(0.5),
        d.EnableRobot(0.5, 1.0, 2.0, 3.0),
        d.SpeedFactor(20),
        d.AccJ(20),
        d.SpeedJ(20),
        d.AccL(20),
        d.SpeedL(20),
        d.CP(1),
        d.User(0),
        d.Tool(0),
        d.PayLoad(0.5, 0.1),
        d.SetCollisionLevel(3),
        d.SetCollideDrag(0),
        d.DO(1, 1),
        d.DOExecute(3, 1),
        d.ToolDO(1, 1),
        d.ToolDOExecute(1, 0),
        d.StartDrag(),
        d.StopDrag(),
        d.wait(10),
        d.pause(),
        d.Continue(),
        d.ResetRobot(),
    ):
        assert numbers(answer) == [], answer
    assert numbers(d.RobotMode()) == [5.0]
    np.testing.assert_allclose(numbers(d.GetAngle()), HOME, atol=1e-4)
    pose = numbers(d.GetPose())
    np.testing.assert_allclose(numbers(d.PositiveSolution(*HOME, 0, 0)), pose, atol=1e-3)
    np.testing.assert_allclose(numbers(d.InverseSolution(*pose, 0, 0)), HOME, atol=0.1)
    assert d.SpeedFactor(101) == "-40001,{},SpeedFactor(101);"
    assert d.AO(1, 5.0).startswith("-10000,"), "what is not emulated is said to be unknown"
    assert numbers(d.DisableRobot()) == []
    assert numbers(d.RobotMode()) == [4.0]


def test_v3_moves_and_sees_it_in_the_feedback(make: Callable[..., Session]) -> None:
    session = make("v3")
    d, m = session.dashboard, session.move
    d.EnableRobot()
    d.DOExecute(2, 1)
    packet = session.feedback()
    assert packet["len"] == 1440
    assert packet["test_value"] == TEST_VALUE
    assert (packet["robot_mode"], packet["enable_status"], packet["error_status"]) == (5, 1, 0)
    assert packet["digital_output_bits"] == 2
    assert numbers(m.JointMovJ(*TOUCHED, "SpeedJ=100", "AccJ=100")) == []
    assert numbers(m.Sync()) == []
    packet = session.feedback()
    np.testing.assert_allclose(packet["q_actual"], TOUCHED, atol=1e-3)
    pose = numbers(d.GetPose())
    np.testing.assert_allclose(packet["tool_vector_actual"], pose, atol=0.01)
    goal = [pose[0], pose[1], pose[2] + 20.0, *pose[3:]]
    assert numbers(m.MovL(*goal, "SpeedL=100")) == []
    assert numbers(m.Sync()) == []
    np.testing.assert_allclose(numbers(d.GetPose())[:3], goal[:3], atol=0.5)
    assert numbers(m.MovJ(*pose, "SpeedJ=100")) == []
    assert numbers(m.RelJointMovJ(0, 0, 0, 0, 0, 5)) == []
    assert numbers(m.Sync()) == []
    np.testing.assert_allclose(numbers(d.GetPose())[:3], pose[:3], atol=0.5)


@pytest.mark.parametrize("replies", [True, False])
def test_v3_streams_servoj(make: Callable[..., Session], waiter: Wait, replies: bool) -> None:
    session = make("v3", servoj_replies=replies)
    session.dashboard.EnableRobot()
    if not replies:
        # The guide says that ServoJ is not answered, and this client waits for an answer.
        session.move.socket_dobot.settimeout(0.03)
    goal = np.array(HOME)
    for _ in range(30):
        goal[0] += 0.5
        answer = session.move.ServoJ(*goal, t=0.03, lookahead_time=50, gain=500)
        assert answer.startswith("0,{},ServoJ(") if replies else answer == ""
    waiter(lambda: np.allclose(session.joints(), goal, atol=1e-3), "the last target")
    received = [r for r in session.emulator.received() if r.name == "servoj"]
    assert len(received) == 30
    assert {r.error_id for r in received} == {0}


def test_v3_reads_an_alarm_and_clears_it(make: Callable[..., Session]) -> None:
    session = make("v3")
    d = session.dashboard
    d.EnableRobot()
    session.emulator.call(lambda c: c.state.raise_alarm(117))
    assert session.feedback()["error_status"] == 1
    answer = d.GetErrorID()
    # As the maker's example reads it: every number of the answer, the first being the error id.
    assert [int(n) for n in re.findall(r"-?\d+", answer.rpartition(",")[0])] == [0, 117]
    controller, servo = session.api.alarmAlarmJsonFile()
    text = next(entry for entry in controller if entry["id"] == 117)["en"]["description"]
    assert "ollision" in text
    assert servo
    assert session.move.JointMovJ(*HOME).startswith("-1,")
    assert numbers(d.ClearError()) == []
    assert numbers(d.EnableRobot()) == []
    assert numbers(d.RobotMode()) == [5.0]


def test_our_alarm_texts_say_what_the_makers_list_says(monkeypatch: pytest.MonkeyPatch) -> None:
    controller, _ = published("V3", monkeypatch).alarmAlarmJsonFile()
    known = {entry["id"]: entry["en"]["description"] for entry in controller}
    words = {
        "too fast": "speed", "lags": "lag", "loses steps": "lose step",
        "tracked": "tracking", "upper": "Positive", "lower": "Negative",
    }  # fmt: skip
    compared = 0
    for number, theirs in known.items():
        ours = alarms.text(number)
        if match := re.search(r"joint (\d)", ours):
            assert match[1] in re.findall(r"(?:Joint ?)(\d)", theirs), (ours, theirs)
            (mark,) = (theirs_word for word, theirs_word in words.items() if word in ours)
            assert mark in theirs, (ours, theirs)
            compared += 1
    assert compared == 6 + 6 + 6 + 6 + 12
    for number, word in (
        (16, "shoulder"), (17, "no solution"), (37, "180"), (116, "emergency stop button"),
        (117, "Collision"), (119, "skin"), (134, "enabled"), (165, "emergency"), (12296, "off"),
    ):  # fmt: skip
        assert word in known[number]


def test_v4_sets_up_moves_and_streams(make: Callable[..., Session], waiter: Wait) -> None:
    session = make("v4")
    d = session.dashboard
    for answer in (
        d.RequestControl(),
        d.EnableRobot(),
        d.SpeedFactor(100),
        d.AccJ(50),
        d.VelJ(100),
        d.VelL(100),
        d.CP(0),
        d.SetTool(1, "{0,0,197,0,0,0}"),
        d.Tool(0),
        d.User(0),
        d.DOInstant(2, 1),
        d.StopDrag(),
    ):
        assert numbers(answer) == [], answer
    pose = numbers(d.PositiveKin(*TOUCHED))
    np.testing.assert_allclose(numbers(d.InverseKin(*pose)), TOUCHED, atol=0.1)
    first = d.MovJ(*TOUCHED, 1, v=100)
    assert numbers(first) == [1.0]
    waiter(lambda: numbers(d.RobotMode()) == [5.0], "the end of the motion")
    packet = session.feedback()
    assert packet["TestValue"] == TEST_VALUE
    assert packet["CurrentCommandId"] == 1
    assert packet["DigitalOutputs"] == 2
    np.testing.assert_allclose(packet["QActual"], TOUCHED, atol=1e-3)
    goal = [pose[0], pose[1], pose[2] + 20.0, *pose[3:]]
    assert numbers(d.MovL(*goal, 0, v=100)) == [2.0]
    waiter(lambda: numbers(d.RobotMode()) == [5.0], "the end of the line")
    np.testing.assert_allclose(numbers(d.GetPose())[:3], goal[:3], atol=0.5)
    joints = np.array(numbers(d.GetAngle()))
    for i in range(30):
        joints[0] += 0.5
        answer = d.ServoJ(*joints, t=0.03, aheadtime=50.0, gain=500.0)
        assert numbers(answer) == [3.0 + i]
    waiter(lambda: np.allclose(session.joints(), joints, atol=1e-3), "the last target")
    assert numbers(d.Stop()) == []
    assert numbers(d.EmergencyStop(1)) == []
    assert numbers(d.RobotMode()) == [9.0]
