# SPDX-License-Identifier: Apache-2.0
"""A robot and a task in MuJoCo, behind targets and state.

Knows no protocol and no ROS, and of the task only what every task has.

One thread may step it while others give targets, read the state or take snapshots for rendering.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from hiors_core.errors import InvalidValue, UnknownName
from hiors_core.robot import RobotModel
from hiors_sim.arm_plant import GRIPPER_SPEED, ArmPlant, ArmState
from hiors_sim.mjcf import TIMESTEP, build_mjcf
from hiors_sim.rendering import SceneRenderer, snapshot_of
from hiors_sim.servo import ServoParameters
from hiors_sim.sim_task import SimTask

Array = NDArray[np.float64]
Image = NDArray[np.uint8]

CONTROL_PERIOD = 1.0 / 30.0
"""Default ServoJ duration [s]: one control tick."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimState:
    """The scene at ``time`` [s] since the start of the simulation; it goes on over resets.

    Attributes:
        arms: by arm name. objects: by name as in the task file, (7,) each, in the base frame of
            the task's arm.
        success: the task is done. failed: nobody can finish it any more.
    """

    time: float
    arms: Mapping[str, ArmState]
    objects: Mapping[str, Array]
    success: bool
    failed: bool


class RobotSim:
    """The simulation of one robot and one task; the world frame is the base frame of the task's
    arm.
    """

    def __init__(
        self,
        robot: RobotModel,
        task: SimTask,
        *,
        seed: int = 0,
        image_size: tuple[int, int] = (160, 120),
    ) -> None:
        """Build the model and reset it.

        Args:
            robot: arms that move; the other one is drawn parked.
            seed: of the first random start.
            image_size: width and height of ``render`` [pixels].
        """
        self.robot = robot
        self.task = task
        self.model = mujoco.MjModel.from_xml_string(build_mjcf(robot, task))
        self._data = mujoco.MjData(self.model)
        self._plants = {arm.name: ArmPlant(self.model, arm) for arm in robot.arms}
        # Columns of the plans, arm by arm, in the order of the model's actuators.
        self._order = np.argsort(np.concatenate([p.u for p in self._plants.values()]))
        self._main = task.task.arm
        self._props = task.props(self.model)
        self._image_size = image_size
        self._renderer: SceneRenderer | None = None
        self._lock = threading.RLock()
        self._epoch = self._debt = 0.0
        self.reset(seed)

    def reset(self, seed: int, *, arms: bool = True) -> None:
        """Put the things of the task at the random start of ``seed`` and, when ``arms``, the arms
        to their home positions.
        """
        with self._lock:
            if arms:
                self._epoch += self._data.time
                mujoco.mj_resetData(self.model, self._data)
                for plant in self._plants.values():
                    plant.reset(self._data, plant.arm.home, plant.arm.home_gripper)
            self._debt = 0.0
            self._props.reset(self._data, seed)
            mujoco.mj_forward(self.model, self._data)

    def place(self, name: str, pose: Array) -> None:
        """Put one thing of the task at a pose (7,) in the task arm's base frame, at rest."""
        with self._lock:
            self._props.place(self._data, name, np.asarray(pose, dtype=np.float64))
            mujoco.mj_forward(self.model, self._data)

    def set_targets(self, q: Array, gripper: float, arm: str | None = None) -> None:
        """Aim the arm at joints ``q`` (n,) [rad] within one control tick, and the gripper at 0
        closed .. 1 open.
        """
        with self._lock:
            self.servo_j(q, ServoParameters(duration=CONTROL_PERIOD), arm)
            self.set_gripper(gripper, arm)

    def servo_j(self, q: Array, parameters: ServoParameters, arm: str | None = None) -> None:
        """Take a ServoJ command: joints ``q`` (n,) [rad]."""
        with self._lock:
            self._plant(arm).servo.set_target(q, parameters)

    def set_gripper(
        self, openness: float, arm: str | None = None, speed: float = GRIPPER_SPEED
    ) -> None:
        """Aim the gripper at ``openness`` (0 closed .. 1 open), at ``speed`` [strokes/s]."""
        if not 0.0 <= openness <= 1.0 or not speed > 0.0:
            raise InvalidValue(
                f"Gripper openness must be within 0 .. 1 and its speed above 0, got {openness} and"
                f" {speed}"
            )
        with self._lock:
            plant = self._plant(arm)
            plant.opening_target = float(openness)
            plant.opening_speed = min(float(speed), GRIPPER_SPEED)

    def stop(self, arm: str | None = None) -> None:
        """Let the arm stand still where it is now."""
        with self._lock:
            plant = self._plant(arm)
            plant.servo.reset(self._data.qpos[plant.q])

    def step(self, seconds: float) -> None:
        """Simulate ``seconds``; the next call makes up for what is less than a physics step."""
        with self._lock:
            self._debt += seconds
            steps = int(self._debt / TIMESTEP + 1e-6)
            self._debt -= steps * TIMESTEP
            if steps:
                self._simulate(steps)
                self._props.update(self._data, steps * TIMESTEP, self._plants[self._main])

    def _simulate(self, steps: int) -> None:
        plans = [plant.plan(TIMESTEP, steps) for plant in self._plants.values()]
        rows = plans[0] if len(plans) == 1 else np.concatenate(plans, axis=1)
        rows = rows[:, self._order]
        ctrl = self._data.ctrl
        for row in rows:
            ctrl[:] = row
            mujoco.mj_step(self.model, self._data)

    def state(self) -> SimState:
        """Return what devices and perception measure now."""
        with self._lock:
            mujoco.mj_kinematics(self.model, self._data)
            return SimState(
                time=self._epoch + self._data.time,
                arms={name: plant.state(self._data) for name, plant in self._plants.items()},
                objects=self._props.poses(self._data),
                success=self._props.success,
                failed=self._props.lost(self._data),
            )

    def success(self) -> bool:
        """Tell whether the task is done."""
        with self._lock:
            return self._props.success

    def failed(self) -> bool:
        """Tell whether nobody can finish the task any more."""
        with self._lock:
            return self._props.lost(self._data)

    def snapshot(self) -> Array:
        """Return where everything is, for a SceneRenderer in another thread."""
        with self._lock:
            return snapshot_of(self._data)

    def render(self, camera: str, snapshot: Array | None = None) -> Image:
        """Return the picture (height, width, 3) of a camera, of now or of a snapshot; always from
        the same thread.

        Another thread makes its own SceneRenderer and gives it ``snapshot()``.
        """
        if self._renderer is None:
            width, height = self._image_size
            self._renderer = SceneRenderer(self.model, width=width, height=height)
        return self._renderer.render(camera, self.snapshot() if snapshot is None else snapshot)

    def close(self) -> None:
        """Free the renderer."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def _plant(self, arm: str | None) -> ArmPlant:
        plant = self._plants.get(arm or self._main)
        if plant is None:
            raise UnknownName("arm", str(arm), self._plants, "It is not simulated.")
        return plant
