# SPDX-License-Identifier: Apache-2.0
"""The scripted person at the robot: sees what a person sees, drives through teleop/command, asks
for the robot and labels through the same services as any front end.
"""

import math
import sys
import zlib
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from rclpy.client import Client
from rclpy.task import Future
from sensor_msgs.msg import JointState

from hiors_core.authority import Authority, Request
from hiors_core.clock import SteadyClock, to_s
from hiors_core.label import Outcome
from hiors_core.robot import load_robot
from hiors_core.teleop import Teleop
from hiors_interfaces.msg import ControlState, EpisodeStatus, TeleopCommand
from hiors_interfaces.srv import LabelEpisode, SetAuthority
from hiors_ros.conversions import JointReader, to_array, to_pose, to_stamp
from hiors_ros.diagnostics import Level
from hiors_ros.node import HiorsNode, run_node
from hiors_sim.operator import OperatorAction, OperatorSettings, ScriptedOperator
from hiors_sim.scene_view import SceneView
from hiors_sim.task import load_sim_task
from hiors_sim_ros.parameters import OperatorParameters


class OperatorNode(HiorsNode):
    """Runs a ScriptedOperator on the topics of the graph."""

    def __init__(self) -> None:
        super().__init__("operator")
        p = self.declare_all(OperatorParameters)
        self.finish_parameters()
        robot = load_robot(p.robot_file, p.arms or None)
        task = load_sim_task(p.task_file)
        self._p, self._arm = p, robot.arm(task.task.arm)
        self._objects = task.task.objects
        self._steady = SteadyClock()
        self._operator = ScriptedOperator(task, self._arm, _settings(p), seed=p.seed)
        self._gripper = JointReader([self._arm.gripper])
        self._seen: dict[str, tuple[int, Any]] = {}
        self._authority = Authority.HOLD
        self._episode = ""
        self._finished: set[str] = set()
        self._teleop = self.advertise(TeleopCommand, "teleop/command")
        self._set_authority = self.create_client(SetAuthority, "control/set_authority")
        self._label = self.create_client(LabelEpisode, "episode/label_episode")
        self.subscribe(PoseStamped, f"ee_pose/{self._arm.name}", self._see("tool"))
        for name in self._objects:
            self.subscribe(PoseStamped, f"objects/{name}/pose", self._see(name))
        self.subscribe(JointState, "joint_states", self._on_joints)
        self.subscribe(ControlState, "control/state", self._on_control)
        self.subscribe(EpisodeStatus, "episode/status", self._on_episode)
        self.create_timer(1.0 / p.rate, self._step)

    def _see(self, name: str) -> Any:
        def take(message: PoseStamped) -> None:
            self._seen[name] = (self._steady.now(), to_array(message.pose))

        return take

    def _on_joints(self, message: JointState) -> None:
        self._gripper.update(message)
        self._seen["gripper"] = (self._steady.now(), None)

    def _on_control(self, message: ControlState) -> None:
        self._authority = Authority(message.authority)

    def _on_episode(self, message: EpisodeStatus) -> None:
        if message.state != EpisodeStatus.RECORDING:
            self._finished.add(message.episode_id)
            if message.episode_id == self._episode:
                self._episode = ""
                self._let_go()
            return
        if message.episode_id in self._finished or message.episode_id == self._episode:
            return
        self._episode = message.episode_id
        seed = zlib.crc32(message.episode_id.encode())
        self._operator.start(self._steady.now(), seed, demonstrate=self._p.demonstrate)
        if self._p.start_policy and not self._p.demonstrate and self._authority is Authority.HOLD:
            self._ask(Request.POLICY, "recording began")

    def _step(self) -> None:
        if not self._episode:
            self.diagnostics.set("operator", Level.OK, "waits for an episode")
            return
        view, missing = self._view()
        if view is None:
            self.diagnostics.set("operator", Level.WARN, f"sees nothing fresh of {missing}")
            return
        self.diagnostics.set("operator", Level.OK, f"watches episode {self._episode}")
        self._act(self._operator.step(view))

    def _view(self) -> tuple[SceneView | None, str]:
        now = self._steady.now()
        needed = ("tool", *self._objects, "gripper")
        stale = [
            name
            for name in needed
            if name not in self._seen or to_s(now - self._seen[name][0]) > self._p.max_age
        ]
        if stale or not self._gripper.complete:
            return None, ", ".join(stale) or "the gripper"
        return (
            SceneView(
                stamp=now,
                tool=self._seen["tool"][1],
                gripper=float(np.clip(self._gripper.position[0], 0.0, 1.0)),
                objects={name: self._seen[name][1] for name in self._objects},
                authority=self._authority,
            ),
            "",
        )

    def _act(self, action: OperatorAction) -> None:
        if action.request is not None:
            self._ask(action.request, action.reason)
        if action.teleop is not None:
            self._teleop.publish(self._message(action.teleop))
        if action.label is not None:
            self._give_label(action.label)

    def _ask(self, request: Request, reason: str) -> None:
        call = SetAuthority.Request(
            request=int(request), operator_name=self._p.name, reason=reason
        )
        self._call(self._set_authority, call, f"set_authority {request.name}")

    def _give_label(self, outcome: Outcome) -> None:
        call = LabelEpisode.Request(
            episode_id=self._episode,
            outcome=int(outcome),
            episode_return=1.0 if outcome is Outcome.SUCCESS else 0.0,
            labeler=self._p.name,
            source="operator",
        )
        self._call(self._label, call, f"label {outcome.name} of {self._episode}")

    def _call(self, client: Client, request: Any, what: str) -> None:
        """Ask and report; a person does not stand still until the answer comes."""
        if not client.service_is_ready():
            self.get_logger().warning(f"{what}: nobody serves {client.srv_name}")
            return

        def answered(future: Future) -> None:
            response = future.result()
            if response is not None and not response.success:
                self.get_logger().warning(f"{what} was refused: {response.message}")

        client.call_async(request).add_done_callback(answered)

    def _let_go(self) -> None:
        """Open the clutch, in case the episode ended under the person's hand."""
        message = TeleopCommand(
            device="scripted",
            operator_name=self._p.name,
            arm=self._arm.name,
            engaged=False,
            gripper=math.nan,
        )
        message.header.stamp = to_stamp(self._steady.now())
        message.header.frame_id = self._arm.base_frame
        self._teleop.publish(message)

    def _message(self, teleop: Teleop) -> TeleopCommand:
        message = TeleopCommand(
            device=teleop.device,
            operator_name=teleop.operator,
            arm=teleop.arm,
            mode=TeleopCommand.RELATIVE_EE,
            engaged=teleop.engaged,
            clutch=teleop.clutch,
            pose=to_pose(teleop.pose),
            gripper=math.nan if teleop.gripper is None else float(teleop.gripper),
        )
        message.header.stamp = to_stamp(teleop.stamp)
        message.header.frame_id = self._arm.base_frame
        return message


def _settings(p: OperatorParameters) -> OperatorSettings:
    return OperatorSettings(
        skill=p.skill,
        attention=p.attention,
        reaction_time=(p.reaction_min, p.reaction_max),
        hand_back=p.hand_back,
        keep_on=p.keep_on,
        pause=p.pause,
        success_delay=p.success_delay,
        wrong_label=p.label_noise,
        glitch=p.glitch,
        name=p.name,
    )


def main() -> int:
    """Run the node."""
    return run_node(OperatorNode)


if __name__ == "__main__":
    sys.exit(main())
