# SPDX-License-Identifier: Apache-2.0
"""The arbiter node on a graph of its own, with a robot that does what it is told."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState

from hiors_control.arbiter_node import ArbiterNode
from hiors_core.action_space import action_space
from hiors_core.authority import Authority, Request
from hiors_core.errors import InvalidValue, UnknownName
from hiors_core.robot import load_robot
from hiors_interfaces.msg import (
    ActionChunk,
    ControlCommand,
    ControlState,
    DriverState,
    TeleopCommand,
)
from hiors_interfaces.srv import SetAuthority
from hiors_ros import qos
from hiors_ros.conversions import doubles, floats

ROBOT_FILE = Path(__file__).parents[3] / "config/robots/xtrainer.yaml"
ROBOT = load_robot(ROBOT_FILE, ["left"])
SPACE = action_space(ROBOT, "joint")


class World(Node):
    """The rest of the graph: a robot that is where its last command put it, and a person."""

    def __init__(self) -> None:
        super().__init__("world")
        self.position = ROBOT.home
        self.commands: list[ControlCommand] = []
        self.states: list[ControlState] = []
        self.diagnostics: dict[str, str] = {}
        self.sequence = 0
        self._joints = self.create_publisher(
            JointState, "joint_states", qos.profile("joint_states")
        )
        self.chunks = self.create_publisher(
            ActionChunk, "policy/chunk", qos.profile("policy/chunk")
        )
        self.hands = self.create_publisher(
            TeleopCommand, "teleop/command", qos.profile("teleop/command")
        )
        self.health = self.create_publisher(
            DriverState, "driver/state", qos.profile("driver/state")
        )
        self.client = self.create_client(SetAuthority, "control/set_authority")
        self.create_subscription(
            ControlCommand, "control/command", self._obey, qos.profile("control/command")
        )
        self.create_subscription(
            ControlState, "control/state", self.states.append, qos.profile("control/state")
        )
        self.create_subscription(DiagnosticArray, "/diagnostics", self._read, 10)
        self.create_timer(1.0 / 60.0, self._report)

    def _obey(self, command: ControlCommand) -> None:
        self.commands.append(command)
        self.position = np.array(command.position)

    def _report(self) -> None:
        message = JointState(name=list(ROBOT.names)[::-1], position=doubles(self.position[::-1]))
        message.header.stamp = self.get_clock().now().to_msg()
        self._joints.publish(message)

    def _read(self, message: DiagnosticArray) -> None:
        self.diagnostics |= {s.name: s.message for s in message.status}

    def send_chunk(self, goal: np.ndarray, epoch: int) -> None:
        rows = np.linspace(self.position, goal, 21)[1:]
        self.sequence += 1
        message = ActionChunk(
            sequence=self.sequence,
            epoch=epoch,
            policy_version="v000001",
            action_space="joint",
            names=SPACE.names,
            units=SPACE.units,
            dt=0.1,
            horizon=20,
            values=floats(rows.ravel()),
        )
        message.obs_stamp = self.get_clock().now().to_msg()
        self.chunks.publish(message)

    def send_hand(self, height: float, *, engaged: bool = True) -> None:
        message = TeleopCommand(
            device="test", operator_name="ada", arm="left", engaged=engaged, clutch=1
        )
        message.pose.position.z = height
        message.gripper = float("nan")
        message.header.stamp = self.get_clock().now().to_msg()
        self.hands.publish(message)


class Graph:
    def __init__(self, **parameters: object) -> None:
        overrides = [
            Parameter(name, value=value)
            for name, value in {
                "robot_file": str(ROBOT_FILE), "arms": ["left"], **parameters
            }.items()
        ]  # fmt: skip
        self.arbiter = ArbiterNode(parameter_overrides=overrides)
        self.world = World()
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.arbiter)
        self.executor.add_node(self.world)

    def until(self, condition: Callable[[], bool], seconds: float = 20.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, (self.world.states[-1:], self.world.diagnostics)
            self.executor.spin_once(timeout_sec=0.05)

    def ask(self, request: int) -> SetAuthority.Response:
        future = self.world.client.call_async(
            SetAuthority.Request(request=request, operator_name="ada")
        )
        self.until(future.done)
        response = future.result()
        assert response is not None
        return response

    def authority(self) -> int | None:
        return self.world.commands[-1].authority if self.world.commands else None

    def close(self) -> None:
        self.arbiter.close()
        self.executor.shutdown()
        self.arbiter.destroy_node()
        self.world.destroy_node()


@pytest.fixture
def graph() -> Iterator[Graph]:
    rclpy.init(domain_id=random.randrange(1, 200))
    try:
        made = Graph()
        try:
            made.until(lambda: bool(made.world.commands and made.world.states))
            yield made
        finally:
            made.close()
    finally:
        rclpy.try_shutdown()


def drive(graph: Graph) -> int:
    """Give the policy the robot and a chunk that moves it; returns the epoch."""
    response = graph.ask(Request.POLICY)
    assert response.success
    graph.world.send_chunk(ROBOT.home + 0.15, response.epoch)
    graph.until(lambda: abs(graph.world.position[0] - ROBOT.home[0]) > 0.03)
    return int(response.epoch)


def test_it_holds_the_robot_where_it_is_and_says_so(graph):
    graph.until(lambda: len(graph.world.commands) > 10)
    first, last = graph.world.commands[0], graph.world.commands[-1]
    assert list(last.names) == list(ROBOT.names)
    assert last.tick - first.tick == len(graph.world.commands) - 1
    np.testing.assert_allclose(last.position, ROBOT.home)
    graph.until(lambda: graph.world.states[-1].ready)
    assert graph.world.states[-1].authority == Authority.HOLD
    graph.until(lambda: "arbiter: control loop" in graph.world.diagnostics)


def test_chunks_drive_and_a_nan_chunk_is_refused_by_the_name_of_its_field(graph):
    epoch = drive(graph)
    command = graph.world.commands[-1]
    assert (command.policy_version, command.chunk_sequence) == ("v000001", 1)
    bad = ROBOT.home.copy()
    bad[2] = np.nan
    graph.world.send_chunk(bad, epoch)
    graph.until(lambda: "values: nan" in graph.world.diagnostics.get("arbiter: refused chunk", ""))
    assert "left_joint3" in graph.world.diagnostics["arbiter: refused chunk"]
    graph.until(lambda: graph.world.states[-1].rejected_chunks == 1)
    assert all(np.isfinite(c.position).all() for c in graph.world.commands)
    assert graph.authority() == Authority.POLICY


def test_when_the_policy_falls_silent_the_robot_is_held(graph):
    drive(graph)
    graph.until(lambda: graph.authority() == Authority.HOLD)
    graph.until(lambda: graph.world.states[-1].authority == Authority.HOLD)
    state = graph.world.states[-1]
    assert (state.starvations, state.wants_chunks) == (1, True)
    assert "no fresh chunk" in state.reason
    graph.world.send_chunk(ROBOT.home, state.epoch)
    graph.until(lambda: graph.authority() == Authority.POLICY)


def test_an_alarm_of_the_robot_is_hold_and_named_to_everybody(graph):
    epoch = drive(graph)
    fault = DriverState(arms=["left"], states=[DriverState.FAULT], reasons=["the arm is in alarm"])
    graph.world.health.publish(fault)
    graph.until(lambda: graph.world.states[-1].authority == Authority.HOLD)
    fault.reasons = ["the arm is in alarm: collision detected (alarm 117)"]
    graph.world.health.publish(fault)
    wanted = "left arm in fault: the arm is in alarm: collision detected (alarm 117)"
    graph.until(lambda: graph.world.states[-1].reason == wanted)
    state = graph.world.states[-1]
    assert (state.ready, state.wants_chunks, state.problems) == (False, False, [wanted])
    assert "collision" in graph.ask(Request.TAKE_OVER).message
    fault.states, fault.reasons = [DriverState.READY], [""]
    graph.world.health.publish(fault)
    graph.until(lambda: graph.world.states[-1].ready)
    graph.world.send_chunk(ROBOT.home, epoch)
    graph.until(lambda: "arbiter: refused chunk" in graph.world.diagnostics)
    assert graph.authority() == Authority.HOLD
    assert graph.ask(Request.POLICY).success


def test_a_stop_latches_until_resume(graph):
    epoch = drive(graph)
    assert graph.ask(Request.STOP).success
    assert not graph.ask(Request.POLICY).success
    graph.world.send_chunk(ROBOT.home - 0.3, epoch)
    graph.until(lambda: graph.authority() == Authority.STOPPED)
    count = len(graph.world.commands)
    graph.until(lambda: len(graph.world.commands) > count + 15)
    held = np.stack([c.position for c in graph.world.commands[-5:]])
    assert np.ptp(held, axis=0).max() == 0.0
    assert graph.ask(Request.RESUME).success
    graph.until(lambda: graph.authority() == Authority.HOLD)


def test_a_person_takes_over_without_a_jump(graph):
    drive(graph)
    assert graph.ask(Request.TAKE_OVER).success
    for i in range(45):
        graph.world.send_hand(0.001 * i)
        count = len(graph.world.commands)
        graph.until(lambda count=count: len(graph.world.commands) > count)
    assert graph.authority() == Authority.HUMAN
    path = np.stack([c.position for c in graph.world.commands])[:, :6]
    assert np.abs(np.diff(path, axis=0)).max() <= ROBOT.arms[0].limits.velocity.max() / 30.0
    speed = np.diff(path, axis=0) * 30.0
    ramp = ROBOT.arms[0].limits.acceleration / 30.0 + 1e-6
    assert np.all(np.abs(np.diff(speed, axis=0)) <= ramp)
    assert graph.ask(Request.POLICY).epoch > 2


def test_an_unknown_request_is_refused_with_the_known_ones(graph):
    response = graph.ask(77)
    assert not response.success
    assert "2 TAKE_OVER" in response.message


@pytest.mark.parametrize(
    ("parameters", "error", "words"),
    [
        ({"feedback_timout": 0.1}, UnknownName, "feedback_timeout"),
        ({"feedback_timeout": 9.0}, InvalidValue, "0.02 .. 2.0"),
        ({"action_spaces": ["joint", "eef"]}, UnknownName, "'ee'"),
        ({"arms": ["lefft"]}, UnknownName, "'left'"),
    ],
)
def test_senseless_parameters_are_refused_by_name(parameters, error, words):
    rclpy.init(domain_id=random.randrange(1, 200))
    try:
        with pytest.raises(error, match=words):
            Graph(**parameters)
    finally:
        rclpy.try_shutdown()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_node_with_zero(number):
    node = subprocess.Popen(
        [
            sys.executable, "-c",
            "import sys; from hiors_control.arbiter_node import main; sys.exit(main())",
            "--ros-args", "-p", f"robot_file:={ROBOT_FILE}",
        ],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "ROS_DOMAIN_ID": str(random.randrange(1, 200))},
    )  # fmt: skip
    assert node.stderr is not None
    while "control loop runs" not in node.stderr.readline():
        assert node.poll() is None
    node.send_signal(number)
    assert node.wait(timeout=20) == 0
    node.stderr.close()
