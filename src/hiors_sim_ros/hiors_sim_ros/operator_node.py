# SPDX-License-Identifier: Apache-2.0
"""The scripted person at the robot without a device: drives through teleop/command, asks for the
robot and labels through the same services as any front end.
"""

import math
import sys
from typing import Any

from rclpy.client import Client
from rclpy.task import Future

from hiors_core.authority import Authority, Request
from hiors_core.label import Outcome
from hiors_core.teleop import Teleop
from hiors_interfaces.msg import TeleopCommand
from hiors_interfaces.srv import LabelEpisode, SetAuthority
from hiors_ros.conversions import to_pose, to_stamp
from hiors_ros.node import run_node
from hiors_sim.operator import OperatorAction
from hiors_sim.scene_view import SceneView
from hiors_sim_ros.parameters import OperatorParameters
from hiors_sim_ros.person_node import PersonNode


class OperatorNode(PersonNode):
    """Puts what the operator wants on the topics and services of the graph."""

    def __init__(self) -> None:
        super().__init__("operator")
        p = self.declare_all(OperatorParameters)
        self.finish_parameters()
        self.build(p)
        self._teleop = self.advertise(TeleopCommand, "teleop/command")
        self._set_authority = self.create_client(SetAuthority, "control/set_authority")
        self._label = self.create_client(LabelEpisode, "episode/label_episode")
        self.watch()

    def begun(self) -> None:
        """Let the policy begin, where nobody else does."""
        p = self._p
        if p.start_policy and not p.demonstrate and self._authority is Authority.HOLD:
            self._ask(Request.POLICY, "recording began")

    def act(self, action: OperatorAction, view: SceneView) -> None:
        """Send requests, motion and label."""
        if action.request is not None:
            self._ask(action.request, action.reason)
        if action.teleop is not None:
            self._teleop.publish(self._message(action.teleop))
        if action.label is not None:
            self._give_label(action.label)

    def let_go(self) -> None:
        """Open the clutch."""
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


def main() -> int:
    """Run the node."""
    return run_node(OperatorNode)


if __name__ == "__main__":
    sys.exit(main())
