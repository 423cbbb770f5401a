# SPDX-License-Identifier: Apache-2.0
"""The emulator's sockets: real ports side by side, feedback, Sync, faults, clean end."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hiors_core.clock import SteadyClock
from hiors_core.errors import HiorsError
from hiors_core.robot import load_robot
from hiors_sim.dobot import DobotEmulator, Ports
from hiors_sim.dobot_feedback import PACKET, SIZE
from hiors_sim.plant import KinematicArm

ROBOT = Path(__file__).parents[3] / "config" / "robots" / "xtrainer.yaml"


def emulator(**kwargs: object) -> DobotEmulator:
    clock = SteadyClock()
    arm = load_robot(ROBOT, ["left"]).arms[0]
    return DobotEmulator(KinematicArm(arm.home, clock), arm, clock=clock, **kwargs)


@pytest.fixture
def server() -> Iterator[DobotEmulator]:
    with emulator() as server:
        yield server


class Line:
    """A raw connection."""

    def __init__(self, server: DobotEmulator, port: int) -> None:
        self.socket = socket.create_connection((server.host, port), timeout=10)

    def ask(self, text: str) -> str:
        self.socket.sendall(text.encode())
        return self.read()

    def read(self) -> str:
        data = b""
        while not data.endswith(b";"):
            part = self.socket.recv(4096)
            assert part, "the emulator closed the connection"
            data += part
        return data.decode()

    def exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            data += self.socket.recv(count - len(data))
        return data

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def test_two_controllers_with_the_real_ports_at_once() -> None:
    with emulator(host="127.0.93.1", ports=Ports()) as one:
        with emulator(host="127.0.93.2", ports=Ports()) as two:
            for server in (one, two):
                with Line(server, 29999) as line:
                    assert line.ask("RobotMode()") == "0,{4},RobotMode();"
        with pytest.raises(HiorsError, match=r"cannot listen on 127.0.93.1:29999"):
            emulator(host="127.0.93.1", ports=Ports()).start()


def test_feedback_is_a_row_of_whole_packets_8_ms_apart(server: DobotEmulator) -> None:
    with Line(server, server.ports.feedback) as line:
        packets = np.frombuffer(line.exactly(60 * SIZE), dtype=PACKET)
    assert set(packets["message_size"]) == {1440}
    assert set(packets["test_value"]) == {0x0123456789ABCDEF}
    assert np.median(np.diff(packets["time_stamp"].astype(int))) == pytest.approx(8, abs=4)


def test_sync_answers_after_the_motion(server: DobotEmulator) -> None:
    with Line(server, server.ports.dashboard) as dashboard:
        dashboard.ask("EnableRobot()")
    with Line(server, server.ports.motion) as motion:
        assert motion.ask("JointMovJ(-85,0,-90,0,90,90)").startswith("0,{},JointMovJ")
        assert motion.ask("Sync()") == "0,{},Sync();"
        joints = server.call(lambda c: np.degrees(c.plant.read().position))
    np.testing.assert_allclose(joints, [-85, 0, -90, 0, 90, 90], atol=1e-3)


def test_commands_are_kept_with_their_time(server: DobotEmulator) -> None:
    with Line(server, server.ports.dashboard) as dashboard:
        dashboard.ask("EnableRobot()")
    with Line(server, server.ports.motion) as motion:
        motion.socket.sendall(
            b"ServoJ(-90,0,-90,0,90,90,t=0.03)ServoJ(-90,0,-90,0,90,90.5,t=0.03)"
        )
        end = time.monotonic() + 10
        while len(server.received()) < 2 and time.monotonic() < end:
            time.sleep(0.005)
    first, second = server.received()
    assert (first.name, second.values[5]) == ("servoj", 90.5)
    assert 0 < first.stamp <= second.stamp


def test_faults_of_the_dashboard(server: DobotEmulator) -> None:
    fault = server.faults.dashboard
    with Line(server, server.ports.dashboard) as line:
        fault.split = True
        assert line.ask("RobotMode()") == "0,{4},RobotMode();"
        fault.split, fault.merge = False, 2
        line.socket.sendall(b"RobotMode()")
        assert line.ask("User(0)") == "0,{4},RobotMode();0,{},User(0);"
        fault.merge, fault.error_id = 1, -2
        assert line.ask("EnableRobot()") == "-2,{},EnableRobot();"
        assert not server.call(lambda c: c.state.enabled)
        fault.error_id, fault.garbage = None, b"?;"
        assert line.ask("RobotMode()").startswith("?;")
        fault.stall = True
        line.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            line.ask("RobotMode()")


def test_dropped_connections_are_closed_and_new_ones_welcome(server: DobotEmulator) -> None:
    with Line(server, server.ports.dashboard) as line:
        line.ask("RobotMode()")
        server.drop_connections("dashboard")
        assert line.socket.recv(10) == b""
    with Line(server, server.ports.dashboard) as line:
        assert line.ask("RobotMode()") == "0,{4},RobotMode();"
