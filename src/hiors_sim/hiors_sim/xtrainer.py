# SPDX-License-Identifier: Apache-2.0
"""The simulated X-Trainer: arms, grippers, box and hole in MuJoCo, behind targets and state.

Knows no protocol and no ROS.

One thread may step it while others give targets, read the state or take snapshots for rendering.
"""

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from hiors_core.errors import InvalidValue, UnknownName
from hiors_core.robot import Arm, RobotModel
from hiors_sim.judge import InsertJudge
from hiors_sim.mjcf import DAMPING, STIFFNESS, STROKE, TIMESTEP, build_mjcf
from hiors_sim.mjcf_scene import BOX_JOINTS
from hiors_sim.rendering import SceneRenderer
from hiors_sim.servo import ServoFollower, ServoParameters
from hiors_sim.task import SimTask

Array = NDArray[np.float64]
Image = NDArray[np.uint8]

GRIPPER_SPEED = 4.0
"""Fastest gripper motion in strokes per second: 4096 of about 1000 ticks."""
CONTROL_PERIOD = 1.0 / 30.0
"""Default ServoJ duration [s]: one control tick."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmState:
    """What the devices of one arm measure.

    Attributes:
        position: (n,) joints [rad]. velocity: (n,) [rad/s]. effort: (n,) [N m].
        set_position, set_velocity: (n,) what the servo model drives the joints to [rad], [rad/s].
        gripper: 0 closed .. 1 open. gripper_load: force that presses the fingers together [N].
        tool: (7,) tool point in the arm's base frame, x y z [m], quaternion x y z w.
    """

    position: Array
    velocity: Array
    effort: Array
    set_position: Array
    set_velocity: Array
    gripper: float
    gripper_load: float
    tool: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class SimState:
    """The scene at ``time`` [s] since the start of the simulation; it goes on over resets.

    Attributes:
        arms: by arm name. objects: "box" (its middle) and "hole" (middle of its opening), (7,)
            each, in the base
            frame of the task's arm.
        success: the box stands in the hole, released, the gripper away. failed: the box left the
            plate.
    """

    time: float
    arms: Mapping[str, ArmState]
    objects: Mapping[str, Array]
    success: bool
    failed: bool


class _ArmPlant:
    """One arm within the model: its addresses, servo follower and gripper ramp."""

    def __init__(self, model: mujoco.MjModel, arm: Arm) -> None:
        self.arm = arm
        joints = [model.joint(name).id for name in arm.joints]
        fingers = [model.joint(f"{arm.name}_finger_{side}").id for side in "ab"]
        self.q = model.jnt_qposadr[joints]
        self.v = model.jnt_dofadr[joints]
        self.finger_q = model.jnt_qposadr[fingers]
        names = [*arm.joints, *(f"{arm.name}_finger_{side}" for side in "ab")]
        self.u = np.array([model.actuator(name).id for name in names])
        self.site = model.site(f"{arm.name}_tool").id
        self.base = model.body(f"{arm.name}_base").id
        n = len(arm.joints)
        # A servo that knows its set point's velocity follows without lag: feed it as a lead.
        self.lead = np.array(DAMPING[:n]) / np.array(STIFFNESS[:n])
        self.servo = ServoFollower(arm.home)
        self.opening = self.opening_target = arm.home_gripper
        self.opening_speed = GRIPPER_SPEED

    def reset(self, data: mujoco.MjData, position: Array, gripper: float) -> None:
        data.qpos[self.q] = position
        data.qpos[self.finger_q] = gripper * STROKE
        self.servo.reset(position)
        self.opening = self.opening_target = gripper
        data.ctrl[self.u] = [*position, gripper * STROKE, gripper * STROKE]

    def plan(self, dt: float, steps: int) -> Array:
        """Return the actuators' set points (steps, n + 2) for the next steps."""
        positions, velocities = self.servo.advance(dt, steps)
        way = self.opening_target - self.opening
        limit = self.opening_speed * dt * np.arange(1, steps + 1)
        opening = self.opening + np.clip(way, -limit, limit)
        self.opening = float(opening[-1])
        rows = np.empty((steps, self.u.size))
        rows[:, :-2] = positions + self.lead * velocities
        rows[:, -2:] = STROKE * opening[:, None]
        return rows

    def state(self, data: mujoco.MjData) -> ArmState:
        return ArmState(
            position=data.qpos[self.q],
            velocity=data.qvel[self.v],
            effort=data.actuator_force[self.u[:-2]],
            set_position=self.servo.position,
            set_velocity=self.servo.velocity,
            gripper=self.openness(data),
            gripper_load=-0.5 * float(data.actuator_force[self.u[-2:]].sum()),
            tool=self._tool(data),
        )

    def openness(self, data: mujoco.MjData) -> float:
        a, b = data.qpos[self.finger_q]
        return float(a + b) / (2.0 * STROKE)

    def _tool(self, data: mujoco.MjData) -> Array:
        base = data.xmat[self.base].reshape(3, 3)
        pose = np.empty(7)
        pose[:3] = base.T @ (data.site_xpos[self.site] - data.xpos[self.base])
        quat = np.empty(4)
        mujoco.mju_mat2Quat(quat, (base.T @ data.site_xmat[self.site].reshape(3, 3)).ravel())
        pose[3:6], pose[6] = quat[1:], quat[0]
        return pose


class XTrainerSim:
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
            robot: arms that move; the X-Trainer's other arm is drawn parked.
            seed: of the first random start.
            image_size: width and height of ``render`` [pixels].
        """
        self.robot = robot
        self.task = task
        self.judge = InsertJudge(task.scene)
        self.model = mujoco.MjModel.from_xml_string(build_mjcf(robot, task))
        self._data = mujoco.MjData(self.model)
        self._plants = {arm.name: _ArmPlant(self.model, arm) for arm in robot.arms}
        # Columns of the plans, arm by arm, in the order of the model's actuators.
        self._order = np.argsort(np.concatenate([p.u for p in self._plants.values()]))
        self._main = task.task.arm
        self._box = np.array([self.model.joint(name).qposadr[0] for name in BOX_JOINTS])
        self._hole = task.scene.hole_pose
        self._image_size = image_size
        self._renderer: SceneRenderer | None = None
        self._lock = threading.RLock()
        self._epoch = self._debt = self._held = 0.0
        self.reset(seed)

    def reset(self, seed: int, *, arms: bool = True) -> None:
        """Put the box at the random start of ``seed`` and, when ``arms``, the arms to their home
        positions.
        """
        scene = self.task.scene
        rng = np.random.default_rng(seed)
        x, y = scene.start_center + scene.start_size * rng.uniform(-0.5, 0.5, 2)
        yaw = rng.uniform(-scene.start_yaw, scene.start_yaw)
        with self._lock:
            if arms:
                self._epoch += self._data.time
                mujoco.mj_resetData(self.model, self._data)
                for plant in self._plants.values():
                    plant.reset(self._data, plant.arm.home, plant.arm.home_gripper)
            self._debt = 0.0
            self.place_box(float(x), float(y), float(yaw))

    def place_box(self, x: float, y: float, yaw: float, z: float | None = None) -> None:
        """Stand the box at x, y [m], yaw [rad], by default on the plate."""
        scene = self.task.scene
        height = scene.plate_height + float(scene.box_size[2]) / 2 if z is None else z
        with self._lock:
            self._data.qpos[self._box] = (x, y, height, yaw)
            self._data.qvel[
                self.model.jnt_dofadr[[self.model.joint(n).id for n in BOX_JOINTS]]
            ] = 0
            self._held = 0.0
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
                self._judge(steps * TIMESTEP)

    def _simulate(self, steps: int) -> None:
        plans = [plant.plan(TIMESTEP, steps) for plant in self._plants.values()]
        rows = np.concatenate(plans, axis=1)[:, self._order]
        ctrl = self._data.ctrl
        for row in rows:
            ctrl[:] = row
            mujoco.mj_step(self.model, self._data)

    def _judge(self, seconds: float) -> None:
        plant = self._plants[self._main]
        # Openness first: it is cheap to read and settles nearly every step.
        opened = plant.openness(self._data) >= self.task.scene.openness
        if opened and self.judge.seated(self._box_pose(), self._hole):
            mujoco.mj_kinematics(self.model, self._data)
            high = self._data.site_xpos[plant.site][2] - self._data.qpos[self._box[2]]
            self._held = self._held + seconds if high >= self.task.scene.retreat else 0.0
        else:
            self._held = 0.0

    def state(self) -> SimState:
        """Return what devices and perception measure now."""
        with self._lock:
            mujoco.mj_kinematics(self.model, self._data)
            box = self._box_pose()
            return SimState(
                time=self._epoch + self._data.time,
                arms={name: plant.state(self._data) for name, plant in self._plants.items()},
                objects={"box": box, "hole": self._hole.copy()},
                success=self._held >= self.task.scene.hold,
                failed=self.judge.lost(box),
            )

    def success(self) -> bool:
        """Tell whether the task is done."""
        with self._lock:
            return self._held >= self.task.scene.hold

    def failed(self) -> bool:
        """Tell whether the box has left the plate."""
        with self._lock:
            return self.judge.lost(self._box_pose())

    def snapshot(self) -> Array:
        """Return the configuration (nq,), for a SceneRenderer in another thread."""
        with self._lock:
            return np.array(self._data.qpos)

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

    def _box_pose(self) -> Array:
        x, y, z, yaw = self._data.qpos[self._box]
        return np.array([x, y, z, 0.0, 0.0, math.sin(yaw / 2), math.cos(yaw / 2)])

    def _plant(self, arm: str | None) -> _ArmPlant:
        plant = self._plants.get(arm or self._main)
        if plant is None:
            raise UnknownName("arm", str(arm), self._plants, "It is not simulated.")
        return plant
