# SPDX-License-Identifier: Apache-2.0
"""The emulated controller: error ids, modes, alarms and motion, by the maker's guide."""

from pathlib import Path

import numpy as np
import pytest

from hiors_core.clock import FakeClock
from hiors_core.robot import load_robot
from hiors_sim.dobot_controller import DobotController
from hiors_sim.dobot_feedback import PACKET, SIZE, TEST_VALUE
from hiors_sim.dobot_state import ControllerSettings, Mode
from hiors_sim.dobot_text import Port, RequestSplitter
from hiors_sim.plant import KinematicArm

ROBOT = Path(__file__).parents[3] / "config" / "robots" / "xtrainer.yaml"


class Bench:
    """A controller over a kinematic arm on a fake clock."""

    def __init__(self, **settings: object) -> None:
        self.clock = FakeClock(1_000_000_000)
        self.arm = load_robot(ROBOT, ["left"]).arms[0]
        self.plant = KinematicArm(self.arm.home, self.clock)
        self.controller = DobotController(
            self.plant, self.arm, self.clock, ControllerSettings(**settings)
        )

    def dashboard(self, text: str) -> tuple[int, str]:
        return self._split(self.controller.execute(text, Port.DASHBOARD).text)

    def motion(self, text: str) -> tuple[int, str] | None:
        text = self.controller.execute(text, Port.MOTION).text
        return self._split(text) if text else None

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.008)):
            self.clock.advance(0.008)
            self.controller.tick()

    def degrees(self) -> np.ndarray:
        return np.degrees(self.plant.read().position)

    @staticmethod
    def _split(text: str) -> tuple[int, str]:
        error, rest = text.split(",", 1)
        return int(error), rest[1 : rest.index("},")]


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    assert bench.dashboard("EnableRobot()") == (0, "")
    return bench


def servo(bench: Bench, step: float = 0.0, t: float = 0.03) -> None:
    angles = bench.degrees() + np.array([step, 0, 0, 0, 0, 0])
    bench.motion(f"ServoJ({','.join(map(str, angles))},t={t})")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("RobotMode()", 0),
        ("robotmode()", 0),
        ("Mov(1,2)", -10000),
        ("ServoJ(1,2,3,4,5,6)", -10000),
        ("nonsense", -10000),
        ("EnableRobot(1,2)", -20000),
        ("SpeedFactor()", -20000),
        ("SpeedFactor(fast)", -30001),
        ("SpeedFactor(101)", -40001),
        ("AccJ(0)", -40001),
        ("EnableRobot(0.5,0,0,600)", -40004),
        ("SetTool(1,{0,0,197,0,0,0})", 0),
        ("SetTool(1,{0,0,197})", -20000),
        ("SetTool(1,5)", -30002),
        ("DO(25,1)", -40001),
        ("DOExecute(2,1)", 0),
    ],
)
def test_error_ids(bench: Bench, text: str, error: int) -> None:
    assert bench.dashboard(text)[0] == error


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("ServoJ(1,2,3,4,5)", -20000),
        ("ServoJ(1,2,3,4,5,x)", -30006),
        ("ServoJ(-90,0,-90,0,90,90,t=0.001)", -40007),
        ("ServoJ(-90,0,-90,0,90,90,t=0.03,gain=5)", -40008),
        ("ServoJ(-90,0,-90,0,90,90,0.03,gain=500)", 0),
    ],
)
def test_servoj_parameters_and_the_switch_for_replies(text: str, error: int) -> None:
    silent, talking = Bench(), Bench(servoj_replies=True)
    for bench in (silent, talking):
        bench.dashboard("EnableRobot()")
    assert silent.motion(text) is None
    assert silent.controller.received[-1].error_id == error
    answer = talking.motion(text)
    assert answer is not None
    assert answer[0] == error


def test_reply_echoes_the_command_as_sent(bench: Bench) -> None:
    assert bench.controller.execute(" getangle() ", Port.DASHBOARD).text.endswith(",getangle();")


def test_disabled_arm_refuses_motion_and_does_not_move() -> None:
    bench = Bench()
    before = bench.degrees()
    servo(bench, 1.0)
    bench.run(0.1)
    assert bench.controller.received[-1].error_id == -1
    np.testing.assert_array_equal(bench.degrees(), before)
    assert bench.dashboard("RobotMode()") == (0, str(int(Mode.DISABLED)))


def test_servoj_reaches_its_target_in_t(bench: Bench) -> None:
    start = bench.degrees()
    servo(bench, 1.0, t=0.032)
    bench.run(0.016)
    assert bench.degrees()[0] == pytest.approx(start[0] + 0.5, abs=0.01)
    assert bench.controller.state.mode is Mode.RUNNING
    bench.run(0.032)
    assert bench.degrees()[0] == pytest.approx(start[0] + 1.0)
    assert bench.controller.state.mode is Mode.ENABLE


@pytest.mark.parametrize(
    ("command", "alarm"),
    [
        ("ServoJ(100,0,-90,0,90,90,t=0.03)", 37),
        ("ServoJ(-80,0,-90,0,90,90,t=0.03)", 48),
        ("ServoJ(-90,0,-170,0,90,90,t=3600)", 69),
        ("JointMovJ(-90,181,-90,0,90,90)", 66),
    ],
)
def test_absurd_targets_raise_the_alarm_and_disable(
    bench: Bench, command: str, alarm: int
) -> None:
    before = bench.degrees()
    bench.motion(command)
    bench.run(0.1)
    assert bench.dashboard("GetErrorID()") == (0, f"[[{alarm}],[],[],[],[],[],[]]")
    assert bench.controller.state.mode is Mode.ERROR
    np.testing.assert_allclose(bench.degrees(), before, atol=1e-9)
    assert bench.dashboard("EnableRobot()")[0] == -1
    assert bench.dashboard("ClearError()")[0] == 0
    assert bench.controller.state.mode is Mode.DISABLED
    assert bench.dashboard("EnableRobot()")[0] == 0


def test_estop_button_outlives_clear_error_until_released(bench: Bench) -> None:
    bench.controller.state.press_estop()
    bench.dashboard("ClearError()")
    assert bench.dashboard("GetErrorID()")[1].startswith("[[116]")
    bench.controller.state.release_estop()
    bench.dashboard("ClearError()")
    assert bench.dashboard("RobotMode()")[1] == str(int(Mode.POWER_OFF))
    bench.dashboard("PowerOn()")
    assert bench.dashboard("EnableRobot()")[0] == 0


def test_software_estop_ends_with_power_on(bench: Bench) -> None:
    bench.dashboard("EmergencyStop()")
    assert bench.dashboard("GetErrorID()")[1].startswith("[[165]")
    bench.dashboard("PowerOn()")
    assert bench.dashboard("RobotMode()")[1] == str(int(Mode.DISABLED))


def test_queued_moves_run_in_order_and_sync_waits(bench: Bench) -> None:
    bench.motion("JointMovJ(-80,0,-90,0,90,90)")
    bench.motion("RelJointMovJ(0,5,0,0,0,0)")
    assert bench.controller.execute("Sync()", Port.MOTION).when_idle
    assert not bench.controller.queue.idle
    bench.run(2.0)
    assert bench.controller.queue.idle
    np.testing.assert_allclose(bench.degrees(), [-80, 5, -90, 0, 90, 90], atol=1e-6)


def test_reset_robot_stops_a_move_where_it_is(bench: Bench) -> None:
    bench.motion("JointMovJ(0,0,-90,0,90,90)")
    bench.run(0.3)
    bench.dashboard("ResetRobot()")
    here = bench.degrees()
    bench.run(0.5)
    np.testing.assert_allclose(bench.degrees(), here)
    assert -90 < here[0] < 0


def test_movl_keeps_to_the_line(bench: Bench) -> None:
    bench.dashboard("SetTool(1,{0,0,197,0,0,0})")
    bench.dashboard("Tool(1)")
    start = np.array([float(v) for v in bench.dashboard("GetPose()")[1].split(",")])
    goal = start + np.array([40.0, 0, 30.0, 0, 0, 0])
    assert bench.motion(f"MovL({','.join(map(str, goal))})") == (0, "")
    for _ in range(30):
        bench.run(0.04)
        pose = np.array([float(v) for v in bench.dashboard("GetPose()")[1].split(",")])
        along = (pose[0] - start[0]) / 40.0
        np.testing.assert_allclose(pose[:3], start[:3] + along * (goal - start)[:3], atol=0.5)
    np.testing.assert_allclose(pose[:3], goal[:3], atol=0.1)


def test_solutions_invert_each_other_and_match_the_maker_figures(bench: Bench) -> None:
    error, text = bench.dashboard("PositiveSolution(0,0,-90,0,90,0,0,0)")
    assert error == 0
    pose = [float(v) for v in text.split(",")]
    np.testing.assert_allclose(pose[:3], [345.0, -117.5, 415.4], atol=0.1)
    request = f"InverseSolution({','.join(map(str, pose))},0,0,1,{{1,2,-88,1,88,1}})"
    error, text = bench.dashboard(request)
    assert error == 0
    joints = [float(v) for v in text.split(",")]
    np.testing.assert_allclose(joints, [0, 0, -90, 0, 90, 0], atol=0.05)
    assert bench.dashboard("InverseSolution(2000,0,0,0,0,0,0,0)")[0] == -1


def test_drag_refuses_motion(bench: Bench) -> None:
    bench.dashboard("StartDrag()")
    assert bench.controller.state.mode is Mode.BACKDRIVE
    assert bench.motion("JointMovJ(-90,0,-90,0,90,90)") == (-1, "")
    bench.dashboard("StopDrag()")
    assert bench.motion("JointMovJ(-90,0,-90,0,90,90)") == (0, "")


def test_packet_has_the_published_layout(bench: Bench) -> None:
    data = bench.controller.packet(bench.plant.read())
    assert len(data) == SIZE == PACKET.itemsize
    assert int.from_bytes(data[0:2], "little") == 1440
    assert int.from_bytes(data[48:56], "little") == TEST_VALUE
    assert int.from_bytes(data[24:32], "little") == Mode.ENABLE
    assert int.from_bytes(data[32:40], "little") == 1000
    np.testing.assert_allclose(
        np.frombuffer(data, "<f8", 6, 432), [-90, 0, -90, 0, 90, 90], atol=1e-4
    )
    np.testing.assert_allclose(
        np.frombuffer(data, "<f8", 3, 624), [-117.5, -345.0, 415.4], atol=0.1
    )
    assert (data[1026], data[1029], data[1031]) == (1, 0, 101)


@pytest.fixture
def v4() -> Bench:
    bench = Bench(protocol="v4")
    assert bench.dashboard("EnableRobot()") == (0, "")
    return bench


def test_v4_numbers_its_motions_and_says_which_one_runs(v4: Bench) -> None:
    assert v4.dashboard("MovJ(joint={-85,0,-90,0,90,90},v=100)") == (0, "1")
    assert v4.controller.state.mode is Mode.RUNNING
    assert v4.dashboard("MovL(pose={-117.5,-345,450,180,0,90},v=50)") == (0, "2")
    assert v4.dashboard("GetCurrentCommandID()") == (0, "1")
    v4.run(10.0)
    assert v4.controller.state.mode is Mode.ENABLE
    data = v4.controller.packet(v4.plant.read())
    assert int.from_bytes(data[1112:1120], "little") == 2
    np.testing.assert_allclose(np.frombuffer(data, "<f8", 3, 624), [-117.5, -345, 450], atol=0.5)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("MovJ(pose={1,2,3})", -20000),
        ("MovJ(1,2,3,4,5,6)", -20000),
        ("MovJ(joint=5)", -30001),
        ("MovJ(joint={0,0,0,0,0,0},speed_j=5)", -30002),
        ("MovJ(joint={0,0,0,0,0,0},v=101)", -40002),
        ("MovJ(joint={0,0,200,0,0,0})", -1),
        ("ServoP(0,0,0,0,0,0,t=0.001)", -40007),
        ("ResetRobot()", -10000),
        ("RelJointMovJ(0,0,0,0,0,1)", 0),
        ("InverseKin(0,0,9000,0,0,0)", -1),
    ],
)
def test_v4_error_ids(v4: Bench, text: str, error: int) -> None:
    assert v4.dashboard(text)[0] == error


def test_requests_are_cut_out_of_any_segments() -> None:
    splitter = RequestSplitter()
    parts = [b"Enable", b"Robot()Spe", b"edFactor(20)\r\n", b"Set", b"Tool(1,{1,2})"]
    texts = [text for part in parts for text in splitter.feed(part)]
    assert texts == ["EnableRobot()", "SpeedFactor(20)", "SetTool(1,{1,2})"]
