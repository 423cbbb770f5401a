# SPDX-License-Identifier: Apache-2.0
"""The simulated X-Trainer with a box to handle. Knows no protocol and no ROS."""

from hiors_sim.angles import upright
from hiors_sim.arm_plant import ArmState
from hiors_sim.insert.task import InsertTask
from hiors_sim.simulation import RobotSim, SimState

__all__ = ["ArmState", "SimState", "XTrainerSim"]


class XTrainerSim(RobotSim):
    """A RobotSim whose task is the insertion."""

    task: InsertTask

    def place_box(self, x: float, y: float, yaw: float, z: float | None = None) -> None:
        """Stand the box at x, y [m], yaw [rad], by default on the plate."""
        scene = self.task.scene
        height = scene.plate_height + float(scene.box_size[2]) / 2 if z is None else z
        self.place("box", upright(x, y, height, yaw))
