# SPDX-License-Identifier: Apache-2.0
"""Simulator and scripted operator as processes: what they publish, serve, ask and refuse."""

import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("mujoco")

from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import JointState
from witness import DEADLINE, Witness

from hiors_core.kinematics import ArmKinematics
from hiors_core.robot import load_robot
from hiors_interfaces.msg import ControlState, EpisodeStatus, TeleopCommand
from hiors_interfaces.srv import LabelEpisode, ResetScene, SetAuthority
from hiors_ros.conversions import to_pose

CONFIG = Path(__file__).parents[3] / "config"


class Party(Witness):
    """The test's node and the simulated parts."""

    def start(self, module: str, **parameters: object) -> "subprocess.Popen[str]":
        files = {
            "robot_file": CONFIG / "robots" / "xtrainer.yaml",
            "task_file": CONFIG / "tasks" / "insert_moisturizer.yaml",
            "arms": "[left]",
        }
        return super().start(f"hiors_sim_ros.{module}", **files | parameters)


@pytest.fixture
def party(ros: None) -> Iterator[Party]:
    party = Party("test_sim")
    yield party
    party.close()


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def test_simulator_serves_devices_objects_and_resets(party: Party, tmp_path: Path) -> None:
    dashboard, motion, feedback = free_ports(3)
    process = party.start(
        "xtrainer_sim_node",
        images=False,
        **{
            "left.gripper_port": tmp_path / "left_gripper",
            "left.dashboard_port": dashboard,
            "left.motion_port": motion,
            "left.feedback_port": feedback,
        },
    )
    boxes = party.listen(PoseStamped, "objects/box/pose")
    holes = party.listen(PoseStamped, "objects/hole/pose")
    party.spin_until(lambda: bool(boxes) and bool(holes), "object poses")
    assert boxes[-1].header.frame_id == "left_base_link"
    assert (tmp_path / "left_gripper").is_symlink()
    with socket.create_connection(("127.0.0.1", dashboard), timeout=5) as arm:
        arm.sendall(b"GetAngle()")
        first = float(arm.recv(256).decode().split("{")[1].split(",")[0])
    assert first == pytest.approx(-90.0, abs=0.5)

    before = boxes[-1].pose.position.x
    assert party.call(ResetScene, "sim/reset_scene", seed=11, task="insert_moisturizer").success
    party.spin_until(lambda: abs(boxes[-1].pose.position.x - before) > 1e-3, "another start")
    refused = party.call(ResetScene, "sim/reset_scene", seed=1, task="insert_moisturiser")
    assert not refused.success
    assert "Did you mean 'insert_moisturizer'" in refused.message
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0
    assert not (tmp_path / "left_gripper").is_symlink()


def test_simulator_names_a_port_that_is_taken(party: Party, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = party.start(
            "xtrainer_sim_node",
            images=False,
            **{"left.gripper_port": tmp_path / "g", "left.dashboard_port": port},
        )
        _, text = process.communicate(timeout=DEADLINE)
    assert process.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}" in text


class Stage:
    """What the operator sees and whom it asks, played by the test."""

    def __init__(self, party: Party) -> None:
        self.party, node = party, party.node
        self.arm = load_robot(CONFIG / "robots" / "xtrainer.yaml", ["left"]).arms[0]
        self.authority = ControlState.HOLD
        self.episode, self.state = "", EpisodeStatus.RECORDING
        self.requests: list[SetAuthority.Request] = []
        self.labels: list[LabelEpisode.Request] = []
        self.box = np.array([-0.2, -0.37, 0.09, 0, 0, 0, 1.0])
        self.teleop = party.listen(TeleopCommand, "teleop/command")
        self._out = {
            topic: party.advertise(kind, topic)
            for kind, topic in (
                (PoseStamped, "ee_pose/left"),
                (PoseStamped, "objects/box/pose"),
                (PoseStamped, "objects/hole/pose"),
                (JointState, "joint_states"),
                (ControlState, "control/state"),
                (EpisodeStatus, "episode/status"),
            )
        }
        node.create_service(SetAuthority, "control/set_authority", self._on_authority)
        node.create_service(LabelEpisode, "episode/label_episode", self._on_label)
        node.create_timer(1 / 30, self._play)

    def _play(self) -> None:
        tool = ArmKinematics(self.arm).forward(self.arm.home)
        hole = np.array([0.02, -0.37, 0.05, 0, 0, 0, 1.0])
        poses = {"ee_pose/left": tool, "objects/box/pose": self.box, "objects/hole/pose": hole}
        for topic, pose in poses.items():
            self._out[topic].publish(PoseStamped(pose=to_pose(pose)))
        position = [*self.arm.home.tolist(), 1.0]
        joints = JointState(name=list(self.arm.names), position=position)
        self._out["joint_states"].publish(joints)
        self._out["control/state"].publish(ControlState(authority=self.authority))
        if self.episode:
            status = EpisodeStatus(episode_id=self.episode, state=self.state)
            self._out["episode/status"].publish(status)

    def _on_authority(
        self, request: SetAuthority.Request, response: SetAuthority.Response
    ) -> SetAuthority.Response:
        self.requests.append(request)
        takes = request.request == SetAuthority.Request.TAKE_OVER
        self.authority = ControlState.HUMAN if takes else ControlState.POLICY
        response.success = True
        return response

    def _on_label(
        self, request: LabelEpisode.Request, response: LabelEpisode.Response
    ) -> LabelEpisode.Response:
        self.labels.append(request)
        response.success = True
        return response


def test_operator_takes_over_moves_and_labels(party: Party) -> None:
    party.start("operator_node", demonstrate=True, name="Ada", pause=0.0, seed=4)
    stage = Stage(party)
    party.spin_until(lambda: party.node.count_publishers("teleop/command") > 0, "the operator")
    stage.episode = "20260101-000000-aaaa"
    party.spin_until(lambda: bool(stage.requests), "the wish to take over")
    request = stage.requests[0]
    assert (request.request, request.operator_name) == (SetAuthority.Request.TAKE_OVER, "Ada")
    party.spin_until(
        lambda: bool(stage.teleop) and abs(stage.teleop[-1].pose.position.x) > 0.01,
        "a hand that moves",
    )
    move = stage.teleop[-1]
    assert (move.engaged, move.arm, move.operator_name) == (True, "left", "Ada")
    assert move.header.frame_id == "left_base_link"
    stage.box = np.array([0.9, 0.9, 0.0, 0, 0, 0, 1.0])
    party.spin_until(lambda: bool(stage.labels), "the label of a lost box")
    label = stage.labels[0]
    assert (label.outcome, label.episode_id) == (LabelEpisode.Request.FAILURE, stage.episode)
    assert (label.labeler, label.source) == ("Ada", "operator")
    stage.state = EpisodeStatus.SEALED
    party.spin_until(lambda: not stage.teleop[-1].engaged, "the hand to let go")
    assert len(stage.labels) == 1
