# SPDX-License-Identifier: Apache-2.0
"""ROS node around XTrainerDriver."""

import sys

from hiors_core.clock import SteadyClock
from hiors_core.robot import load_robot
from hiors_ros.driver_node import DriverNode
from hiors_ros.node import run_node
from hiors_xtrainer.driver import XTrainerDriver
from hiors_xtrainer.parameters import ArmParameters, DriverParameters, driver_settings


class XTrainerNode(DriverNode):
    """Drives one or two arms of an X-Trainer."""

    def __init__(self) -> None:
        super().__init__("driver", hardware_id="xtrainer")
        p = self.declare_all(DriverParameters)
        robot = load_robot(p.robot_file, p.arms or None)
        arms = {
            arm.name: self.declare_all(ArmParameters, prefix=f"{arm.name}.") for arm in robot.arms
        }
        self.finish_parameters()
        settings = driver_settings(p, arms)
        driver = XTrainerDriver(robot, settings, SteadyClock(), self.publish_executed)
        self.drive(robot, driver, p.state_rate)


def main() -> int:
    """Run the node."""
    return run_node(XTrainerNode, realtime=True)


if __name__ == "__main__":
    sys.exit(main())
