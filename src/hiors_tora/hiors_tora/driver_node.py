# SPDX-License-Identifier: Apache-2.0
"""ROS node around ToraDriver: the robot's topics and services on one side, hiors' on the other."""

import sys

from sensor_msgs.msg import JointState

from hiors_core.clock import SteadyClock
from hiors_core.robot import load_robot
from hiors_ros.conversions import to_ns
from hiors_ros.driver_node import DriverNode
from hiors_ros.node import run_node
from hiors_ros.qos import STATE
from hiors_tora.driver import ToraDriver
from hiors_tora.parameters import ArmParameters, DriverParameters, arm_settings, driver_settings
from hiors_tora.wiring import joint_states_topic, make_port, make_power

_LOOK = 0.5
"""Time between looks at who else is on the robot's topics [s]."""


class ToraNode(DriverNode):
    """Drives one or two arms of a Tora One."""

    def __init__(self) -> None:
        super().__init__("driver", hardware_id="tora_one")
        p = self.declare_all(DriverParameters)
        robot = load_robot(p.robot_file, p.arms or None)
        arms = {a.name: self.declare_all(ArmParameters, f"{a.name}.") for a in robot.arms}
        self.finish_parameters()
        settings = {a.name: arm_settings(a, arms[a.name]) for a in robot.arms}
        states = joint_states_topic(self, p)
        self._steady = SteadyClock()
        controllers = [name for arm, a in arms.items() for name in a.controllers(arm)]
        power = make_power(self, p, controllers, self._steady)
        self._ports = {a.name: make_port(self, p, a, arms[a.name]) for a in robot.arms}
        self._tora = ToraDriver(
            robot,
            driver_settings(p, settings),
            self._ports,
            power,
            self._steady,
            self.publish_executed,
        )
        self.subscribe(JointState, states, self._on_joints, profile=STATE)
        self.create_timer(_LOOK, self._look)
        self.drive(robot, self._tora, p.state_rate)
        self.get_logger().info(f"Joint states of the robot: {self.resolve_topic_name(states)}")

    def _on_joints(self, message: JointState) -> None:
        self._tora.feedback.take(
            message.name,
            message.position,
            message.velocity,
            to_ns(message.header.stamp),
            self._steady.now(),
        )

    def _look(self) -> None:
        for port in self._ports.values():
            for output in port.outputs:
                output.watch()


def main() -> int:
    """Run the node."""
    return run_node(ToraNode, realtime=True)


if __name__ == "__main__":
    sys.exit(main())
