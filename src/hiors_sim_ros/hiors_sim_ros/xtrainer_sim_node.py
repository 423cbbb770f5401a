# SPDX-License-Identifier: Apache-2.0
"""The simulated X-Trainer as a process: arms behind the Dobot protocol on TCP, grippers on ptys,
cameras and object poses as topics. What the real machine gives by cable, this gives by cable too.
"""

import sys
from collections.abc import Callable
from functools import partial

import numpy as np
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import Image
from std_srvs.srv import SetBool

from hiors_core.clock import SteadyClock
from hiors_core.errors import HiorsError, UnknownName
from hiors_core.robot import Arm, load_robot
from hiors_interfaces.srv import ResetScene
from hiors_ros.conversions import to_pose, to_stamp
from hiors_ros.diagnostics import Level
from hiors_ros.images import to_message
from hiors_ros.node import HiorsNode, run_node
from hiors_sim.dobot import DobotEmulator, Ports
from hiors_sim.dobot_state import ControllerSettings
from hiors_sim.feetech import FeetechEmulator, GripperServo
from hiors_sim.gl import choose_backend
from hiors_sim.task import load_sim_task
from hiors_sim.xtrainer import XTrainerSim
from hiors_sim_ros.cameras import CameraLoop
from hiors_sim_ros.parameters import SimArmParameters, SimParameters
from hiors_sim_ros.world import World, WorldArm, WorldGripper


class XTrainerSimNode(HiorsNode):
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
        self._task = load_sim_task(p.task_file)
        self._steady = SteadyClock()
        sim = XTrainerSim(robot, self._task, seed=p.seed)
        self._world = World(sim, self._steady)
        self._frame = robot.arm(self._task.task.arm).base_frame
        self._closers: list[Callable[[], None]] = []
        self._emulators: dict[str, DobotEmulator] = {}
        self._cameras: CameraLoop | None = None
        try:
            for arm in robot.arms:
                self._serve(arm, arms[arm.name])
        except HiorsError:
            self.close()
            raise
        self._poses = {
            name: self.advertise(PoseStamped, f"objects/{name}/pose")
            for name in self._world.state.objects
        }
        self.create_service(ResetScene, "sim/reset_scene", self._on_reset)
        self._world.start()
        self._closers.append(self._world.close)
        if p.images:
            self._start_cameras(p, robot.cameras)
        self.create_timer(1.0 / p.object_rate, self._publish_objects)
        self.create_timer(1.0, self._report)

    def close(self) -> None:
        """Unplug everything."""
        for close in reversed(self._closers):
            close()
        self._closers.clear()

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

    def _start_cameras(self, p: SimParameters, known: tuple[str, ...]) -> None:
        for name in p.cameras:
            if name not in known:
                raise UnknownName("camera", name, known, "They are those of the robot file.")
        cameras = p.cameras or known
        choose_backend()
        self._images = {
            name: self.advertise(Image, f"camera/{name}/color/image_raw") for name in cameras
        }
        size = (p.image_width, p.image_height)
        self._cameras = CameraLoop(
            self._world.sim, cameras, size, p.image_rate, self._steady, self._publish_image
        )
        self._closers.append(self._cameras.close)

    def _publish_image(self, camera: str, image: np.ndarray, stamp: int) -> None:
        message = to_message(image, "rgb8", frame_id=f"{camera}_color_optical_frame")
        message.header.stamp = to_stamp(stamp)
        self._images[camera].publish(message)

    def _publish_objects(self) -> None:
        objects, stamp = self._world.state.objects, to_stamp(self._steady.now())
        for name, publisher in self._poses.items():
            message = PoseStamped(pose=to_pose(objects[name]))
            message.header.stamp, message.header.frame_id = stamp, self._frame
            publisher.publish(message)

    def _on_reset(
        self, request: ResetScene.Request, response: ResetScene.Response
    ) -> ResetScene.Response:
        try:
            name = self._task.task.name
            if request.task not in ("", name):
                raise UnknownName("task", request.task, [name], "The simulator was started so.")
            self._world.reset(request.seed)
            response.success, response.message = True, f"scene of seed {request.seed}"
        except HiorsError as error:
            response.success, response.message = False, str(error)
        return response

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

    def _report(self) -> None:
        factor = self._world.real_time_factor
        slow = factor < 0.98
        self.diagnostics.set(
            "physics",
            Level.WARN if slow else Level.OK,
            f"real-time factor {factor:.3f}" + (": the machine is too slow" if slow else ""),
            real_time_factor=f"{factor:.3f}",
            lost_s=f"{self._world.lost_time:.2f}",
        )
        if cameras := self._cameras:
            level = Level.ERROR if cameras.failure else Level.OK
            self.diagnostics.set(
                "cameras",
                level,
                cameras.failure or "rendering",
                pictures=cameras.pictures,
                slow_turns=cameras.slow,
            )


def main() -> int:
    """Run the node."""
    return run_node(XTrainerSimNode)


if __name__ == "__main__":
    sys.exit(main())
