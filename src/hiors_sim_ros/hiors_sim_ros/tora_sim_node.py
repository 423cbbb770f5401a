# SPDX-License-Identifier: Apache-2.0
"""The simulated Tora One as a process, behind the topics and services that its driver speaks, with
cameras and object poses.
"""

import sys

import numpy as np
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, Float64MultiArray
from std_srvs.srv import SetBool
from trajectory_msgs.msg import JointTrajectory

from hiors_core.robot import load_robot
from hiors_ros.conversions import doubles, to_array
from hiors_ros.diagnostics import Level
from hiors_ros.node import run_node
from hiors_ros.qos import STATE
from hiors_sim_ros.parameters import ToraSimParameters
from hiors_sim_ros.scene_node import SceneNode
from hiors_sim_ros.tora_robot import ArmControllers, SimulatedTora
from hiors_sim_ros.world import WorldArm, WorldGripper

_COMMANDS = 10
_ESTOP_PERIOD = 0.05


class ToraSimNode(SceneNode):
    """Owns the simulated robot and serves it."""

    def __init__(self) -> None:
        super().__init__("tora_sim", hardware_id="simulation")
        p = self.declare_all(ToraSimParameters)
        robot = load_robot(p.robot_file, p.arms or None)
        self.finish_parameters()
        self._space = p.robot_namespace
        world = self.build(p, robot)
        self._robot = SimulatedTora(
            {
                arm.name: ArmControllers(
                    arm, WorldArm(world, arm.name), WorldGripper(world, arm.name)
                )
                for arm in robot.arms
            }
        )
        self._names = [name for arm in robot.arms for name in arm.names]
        self._states = self.create_publisher(JointState, self._name("joint_states"), STATE)
        self._estop = self.create_publisher(Bool, self._name("estop"), STATE)
        self.create_service(SetBool, self._name("enable"), self._on_enable)
        self.create_service(SetBool, "sim/estop", self._on_estop)
        for arm in self._robot.arms.values():
            self._listen(arm)
        self.create_timer(1.0 / p.state_rate, self._publish_states)
        self.create_timer(_ESTOP_PERIOD, self._publish_estop)
        self.create_timer(1.0, self._report_controllers)
        self.run(p, robot)

    def _name(self, name: str) -> str:
        return f"{self._space}/{name}" if self._space else name

    def _listen(self, arm: ArmControllers) -> None:
        controller = self._name(f"{arm.arm.name}_arm_controller")
        gripper = self._name(f"{arm.arm.name}_gripper_controller")

        def forward(message: Float64MultiArray) -> None:
            arm.joints(arm.arm.joints, np.array(message.data))

        def trajectory(message: JointTrajectory) -> None:
            for point in message.points[-1:]:
                time = point.time_from_start
                seconds = time.sec + 1e-9 * time.nanosec
                arm.joints(message.joint_names, np.array(point.positions), seconds)

        def pose(message: PoseStamped) -> None:
            arm.pose(message.header.frame_id, to_array(message.pose))

        def grip(message: Float64MultiArray) -> None:
            arm.grip(np.array(message.data))

        for kind, topic, callback in (
            (Float64MultiArray, f"{controller}/commands", forward),
            (JointTrajectory, f"{controller}/joint_trajectory", trajectory),
            (PoseStamped, f"{controller}/target_frame", pose),
            (Float64MultiArray, f"{gripper}/commands", grip),
        ):
            self.create_subscription(kind, topic, callback, _COMMANDS)

    def _publish_states(self) -> None:
        readings = [arm.read() for arm in self._robot.arms.values()]
        message = JointState(
            name=self._names,
            position=doubles(np.concatenate([position for position, _ in readings])),
            velocity=doubles(np.concatenate([velocity for _, velocity in readings])),
        )
        message.header.stamp = self.get_clock().now().to_msg()
        self._states.publish(message)

    def _publish_estop(self) -> None:
        self._estop.publish(Bool(data=self._robot.pressed))

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        refusal = self._robot.enable(request.data)
        response.success = refusal is None
        response.message = refusal or f"motors {'on' if request.data else 'off'}"
        return response

    def _on_estop(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        """Press (true) or release (false) the e-stop button."""
        self._robot.press(request.data)
        self._publish_estop()
        response.success = True
        response.message = f"e-stop {'pressed' if request.data else 'released'}"
        return response

    def _report_controllers(self) -> None:
        for name, arm in self._robot.arms.items():
            refused = f"; last refused: {arm.refusal}" if arm.refusal else ""
            self.diagnostics.set(
                f"controllers {name}",
                Level.OK,
                ("enabled" if arm.enabled else "not enabled") + refused,
                taken=arm.taken,
                refused=arm.refused,
            )


def main() -> int:
    """Run the node."""
    return run_node(ToraSimNode)


if __name__ == "__main__":
    sys.exit(main())
