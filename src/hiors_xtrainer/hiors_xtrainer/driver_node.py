# SPDX-License-Identifier: Apache-2.0
"""ROS node around XTrainerDriver."""

import sys
from functools import partial

from hiors_core.clock import SteadyClock
from hiors_core.driver_arm import ArmState
from hiors_core.robot import load_robot
from hiors_interfaces.msg import EpisodeStatus
from hiors_ros.diagnostics import Level
from hiors_ros.driver_node import DriverNode
from hiors_ros.node import run_node
from hiors_xtrainer.driver import XTrainerDriver
from hiors_xtrainer.light import StackLight, lamps
from hiors_xtrainer.parameters import (
    ArmParameters,
    DriverParameters,
    driver_settings,
    light_settings,
)

_LIGHT_PERIOD = 0.2


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
        driver.claim()
        light = light_settings(p, [arm.name for arm in robot.arms])
        self.drive(robot, driver, p.state_rate)
        if light is not None:
            self._recording = ""
            self._light = StackLight(light, partial(driver.output, light.arm))
            self._light_arm = light.arm
            self.subscribe(EpisodeStatus, "episode/status", self._on_episode)
            self.create_timer(_LIGHT_PERIOD, self._show_light)

    def _on_episode(self, message: EpisodeStatus) -> None:
        if message.state == EpisodeStatus.RECORDING:
            self._recording = message.episode_id
        elif message.episode_id == self._recording:
            self._recording = ""

    def _show_light(self) -> None:
        status = self._driver.status()
        if status.arms[self._light_arm].state in (ArmState.STARTING, ArmState.DISCONNECTED):
            self._light.forget()
            return
        self._light.show(lamps(status, bool(self._recording)))
        problem = self._light.problem
        level = Level.WARN if problem else Level.OK
        self.diagnostics.set("stack light", level, problem or "shows the state")


def main() -> int:
    """Run the node."""
    return run_node(XTrainerNode, realtime=True)


if __name__ == "__main__":
    sys.exit(main())
