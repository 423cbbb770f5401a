# SPDX-License-Identifier: Apache-2.0
"""The simulated X-Trainer as a process: arms behind the Dobot protocol on TCP, grippers on ptys,
cameras and object poses as topics. What the real machine gives by cable, this gives by cable too.
"""

import sys
from functools import partial

from std_srvs.srv import SetBool

from hiors_core.errors import HiorsError
from hiors_core.robot import Arm, load_robot
from hiors_ros.node import run_node
from hiors_sim.dobot import DobotEmulator, Ports
from hiors_sim.dobot_state import ControllerSettings
from hiors_sim.feetech import FeetechEmulator, GripperServo
from hiors_sim_ros.parameters import SimArmParameters, SimParameters
from hiors_sim_ros.scene_node import SceneNode
from hiors_sim_ros.world import WorldArm, WorldGripper


class XTrainerSimNode(SceneNode):
    """Owns the simulation and everything that is plugged into it."""

    def __init__(self) -> None:
        super().__init__("xtrainer_sim", hardware_id="simulation")
        p = self.declare_all(SimParameters)
        robot = load_robot(p.robot_file, p.arms or None)
        arms = {
            arm.name: self.declare_all(SimArmParameters, prefix=f"{arm.name}.")
            for arm in robot.arms
        }
        self.finish_parameters()
        self.build(p, robot)
        self._emulators: dict[str, DobotEmulator] = {}
        # Who connects must find a controller that keeps its rhythm: the cameras come first.
        self.run(p, robot)
        try:
            for arm in robot.arms:
                self._serve(arm, arms[arm.name])
        except HiorsError:
            self.close()
            raise

    def _serve(self, arm: Arm, p: SimArmParameters) -> None:
        emulator = DobotEmulator(
            WorldArm(self._world, arm.name),
            arm,
            host=p.host,
            ports=Ports(
                dashboard=p.dashboard_port, motion=p.motion_port, feedback=p.feedback_port
            ),
            settings=ControllerSettings(servoj_replies=p.servoj_replies),
            clock=self._steady,
        )
        emulator.start()
        self._closers.append(emulator.stop)
        self._emulators[arm.name] = emulator
        gripper = WorldGripper(self._world, arm.name)
        servo = GripperServo(gripper, closed=p.gripper_closed, opened=p.gripper_opened)
        number = p.gripper_id or (22 if arm.name == "right" else 21)
        bus = FeetechEmulator({number: servo}, link=p.gripper_port)
        bus.start()
        self._closers.append(bus.stop)
        self.create_service(SetBool, f"sim/estop/{arm.name}", partial(self._on_estop, arm.name))

    def _on_estop(
        self, arm: str, request: SetBool.Request, response: SetBool.Response
    ) -> SetBool.Response:
        """Press (true) or release (false) the e-stop button of an arm."""
        self._emulators[arm].call(
            lambda c: c.state.press_estop() if request.data else c.state.release_estop()
        )
        response.success = True
        response.message = f"{arm}: e-stop {'pressed' if request.data else 'released'}"
        return response


def main() -> int:
    """Run the node."""
    return run_node(XTrainerSimNode)


if __name__ == "__main__":
    sys.exit(main())
