# SPDX-License-Identifier: Apache-2.0
"""What the Tora One's own computer does, simulated: controllers that take commands, and power.

Knows no ROS. Commands are obeyed only while the robot is enabled; e-stop and disabling hold it.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hiors_core.kinematics import ArmKinematics
from hiors_core.robot import Arm
from hiors_sim.plant import GripperPlant, JointPlant
from hiors_sim.servo import ServoParameters

Array = NDArray[np.float64]

SHORTEST = 0.02
"""Time in which a streamed set-point is approached at the quickest [s]."""


class ArmControllers:
    """The controllers of one arm, as ros2_control has them: joints, tool pose, gripper."""

    def __init__(self, arm: Arm, joints: JointPlant, gripper: GripperPlant) -> None:
        self.arm, self._joints, self._gripper = arm, joints, gripper
        self._chain = ArmKinematics(arm)
        self.enabled = False
        self.taken = self.refused = 0
        self.refusal = ""

    def joints(self, names: Sequence[str], values: Array, seconds: float = SHORTEST) -> None:
        """Go to named joints [rad] in ``seconds``."""
        order = {name: i for i, name in enumerate(names)}
        if set(order) != set(self.arm.joints) or len(values) != len(order):
            self._refuse(f"{len(values)} values for {list(names)}, expected {self.arm.joints}")
            return
        self._go(np.array([values[order[name]] for name in self.arm.joints]), seconds)

    def pose(self, frame: str, pose: Array) -> None:
        """Bring the tool to ``pose`` (7,) in the base frame, as near as the joint ranges allow."""
        if frame != self.arm.base_frame:
            self._refuse(f"pose in frame '{frame}', expected {self.arm.base_frame}")
            return
        if not np.isfinite(pose).all():
            self._refuse("the pose is not finite")
            return
        seed = self._joints.read().target
        self._go(self._chain.inverse(pose, seed).q, SHORTEST)

    def grip(self, values: Array) -> None:
        """Move the gripper: one value, 0 closed .. 1 open."""
        if len(values) != 1 or not np.isfinite(values).all():
            self._refuse(f"gripper command {list(values)}, expected one finite value")
        elif self._allowed():
            self._gripper.command(float(np.clip(values[0], 0.0, 1.0)), self._grip_speed)

    def hold(self) -> None:
        """Stop where the arm is."""
        self._joints.hold()

    def read(self) -> tuple[Array, Array]:
        """Return position and velocity (n + 1,), gripper last; its velocity is not measured."""
        reading, opening = self._joints.read(), self._gripper.read()
        return np.append(reading.position, opening), np.append(reading.velocity, np.nan)

    @property
    def _grip_speed(self) -> float:
        return self.arm.limits.gripper_velocity

    def _go(self, target: Array, seconds: float) -> None:
        limits = self.arm.limits
        if not np.isfinite(target).all():
            self._refuse("a joint is not finite")
        elif np.any(target < limits.lower - 1e-3) or np.any(target > limits.upper + 1e-3):
            self._refuse(f"joints {np.round(target, 3).tolist()} are outside their range")
        elif self._allowed():
            duration = max(seconds, SHORTEST)
            self._joints.servo(target, ServoParameters(duration=duration))

    def _allowed(self) -> bool:
        if self.enabled:
            self.taken += 1
        else:
            self._refuse("not enabled")
        return self.enabled

    def _refuse(self, reason: str) -> None:
        self.refused += 1
        self.refusal = reason


class SimulatedTora:
    """All arms with one power switch and one e-stop button."""

    def __init__(self, arms: Mapping[str, ArmControllers]) -> None:
        self.arms = arms
        self.pressed = False

    @property
    def enabled(self) -> bool:
        """Whether the motors are on."""
        return all(arm.enabled for arm in self.arms.values())

    def enable(self, on: bool) -> str | None:
        """Switch the motors on or off; returns why not, or None."""
        if on and self.pressed:
            return "the e-stop is pressed"
        for arm in self.arms.values():
            arm.enabled = on
            arm.hold()
        return None

    def press(self, pressed: bool) -> None:
        """Press or release the e-stop; releasing enables nothing."""
        self.pressed = pressed
        if pressed:
            self.enable(False)
