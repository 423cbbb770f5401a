# SPDX-License-Identifier: Apache-2.0
"""What every simulated robot is to the graph: its cameras, the objects' poses, a scene that can be
laid out anew. How the robot itself is reached is a subclass's business.
"""

from collections.abc import Callable

import numpy as np
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import Image

from hiors_core.clock import SteadyClock
from hiors_core.errors import HiorsError, InvalidValue, UnknownName
from hiors_core.robot import RobotModel
from hiors_interfaces.srv import ResetScene
from hiors_ros.conversions import to_pose, to_stamp
from hiors_ros.diagnostics import Level
from hiors_ros.images import to_message
from hiors_ros.node import HiorsNode
from hiors_sim.gl import choose_backend
from hiors_sim.simulation import RobotSim
from hiors_sim.task import load_sim_task
from hiors_sim_ros.cameras import CameraLoop
from hiors_sim_ros.parameters import SimParameters
from hiors_sim_ros.world import World


class SceneNode(HiorsNode):
    """Base of the simulators: ``build`` the world, plug the robot in, then ``run``."""

    def build(self, p: SimParameters, robot: RobotModel) -> World:
        """Make the world of the robot and the task. Nothing moves yet."""
        self._task = load_sim_task(p.task_file)
        needed = self._task.task.robot
        if needed not in ("", robot.name):
            raise InvalidValue(
                f"Task '{self._task.task.name}' is for the robot {needed}, not {robot.name}."
                f" Say robot:={needed}, or choose another task."
            )
        self._steady = SteadyClock()
        self._world = World(RobotSim(robot, self._task, seed=p.seed), self._steady)
        self._frame = robot.arm(self._task.task.arm).base_frame
        self._closers: list[Callable[[], None]] = []
        self._cameras: CameraLoop | None = None
        return self._world

    def run(self, p: SimParameters, robot: RobotModel) -> None:
        """Let time run, show pictures and poses, serve the reset."""
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
