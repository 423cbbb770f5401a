# SPDX-License-Identifier: Apache-2.0
"""One arm with its gripper within the MuJoCo model. Knows no task and no thread."""

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from hiors_core.robot import Arm
from hiors_sim.mjcf import STROKE
from hiors_sim.servo import ServoFollower

Array = NDArray[np.float64]

GRIPPER_SPEED = 4.0
"""Fastest gripper motion in strokes per second: 4096 of about 1000 ticks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmState:
    """What the devices of one arm measure.

    Attributes:
        position: (n,) joints [rad]. velocity: (n,) [rad/s].
        gripper: 0 closed .. 1 open. gripper_load: force that presses the fingers together [N].
        tool: (7,) tool point in the arm's base frame, x y z [m], quaternion x y z w.
    """

    position: Array
    velocity: Array
    gripper: float
    gripper_load: float
    tool: Array


class ArmPlant:
    """One arm within the model: its addresses, servo follower and gripper ramp."""

    def __init__(self, model: mujoco.MjModel, arm: Arm) -> None:
        self._model = model
        self.arm = arm
        self.name = arm.name
        joints = [model.joint(name).id for name in arm.joints]
        fingers = [model.joint(f"{arm.name}_finger_{side}").id for side in "ab"]
        self.q = model.jnt_qposadr[joints]
        self.v = model.jnt_dofadr[joints]
        self.finger_q = model.jnt_qposadr[fingers]
        names = [*arm.joints, *(f"{arm.name}_finger_{side}" for side in "ab")]
        self.u = np.array([model.actuator(name).id for name in names])
        self.site = model.site(f"{arm.name}_tool").id
        self.base = model.body(f"{arm.name}_base").id
        # A servo that knows its set point's velocity follows without lag: feed it as a lead.
        gain, bias = model.actuator_gainprm[self.u[:-2]], model.actuator_biasprm[self.u[:-2]]
        self.lead = -bias[:, 2] / gain[:, 0]
        self.servo = ServoFollower(arm.home)
        self.opening = self.opening_target = arm.home_gripper
        self.opening_speed = GRIPPER_SPEED

    def reset(self, data: mujoco.MjData, position: Array, gripper: float) -> None:
        """Stand at joints ``position`` (n,) [rad], the gripper at 0 closed .. 1 open."""
        data.qpos[self.q] = position
        data.qpos[self.finger_q] = gripper * STROKE
        self.servo.reset(position)
        self.opening = self.opening_target = gripper
        data.ctrl[self.u] = [*position, gripper * STROKE, gripper * STROKE]

    def plan(self, dt: float, steps: int) -> Array:
        """Return the actuators' set points (steps, n + 2) for the next steps."""
        positions, velocities = self.servo.advance(dt, steps)
        rows = np.empty((steps, self.u.size))
        rows[:, :-2] = positions + self.lead * velocities
        if way := self.opening_target - self.opening:
            limit = self.opening_speed * dt * np.arange(1, steps + 1)
            opening = self.opening + np.minimum(np.maximum(way, -limit), limit)
            self.opening = float(opening[-1])
            rows[:, -2:] = STROKE * opening[:, None]
        else:
            rows[:, -2:] = STROKE * self.opening
        return rows

    def state(self, data: mujoco.MjData) -> ArmState:
        """Return what the devices measure; kinematics must be up to date."""
        return ArmState(
            position=data.qpos[self.q],
            velocity=data.qvel[self.v],
            gripper=self.openness(data),
            gripper_load=-0.5 * float(data.actuator_force[self.u[-2:]].sum()),
            tool=self._tool(data),
        )

    def pose(self, data: mujoco.MjData) -> Array:
        """Return the tool point (7,) in the arm's base frame, of the present configuration."""
        mujoco.mj_kinematics(self._model, data)
        return self._tool(data)

    def openness(self, data: mujoco.MjData) -> float:
        """Return how open the gripper is, 0 closed .. 1 open."""
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
