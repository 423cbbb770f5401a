# SPDX-License-Identifier: Apache-2.0
"""What can differ between two Tora Ones, as far as it does not concern ROS names. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass

STOP_ACTIONS = ("hold", "disable")
"""What a stop of the arbiter does: ends the stream, or switches the motors off as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmSettings:
    """One arm with its gripper.

    Attributes:
        joints: (n,) names in the robot's JointState, in the order of the robot file.
        gripper_joint: its name there; "" when the gripper is not measured.
        gripper_closed, gripper_opened: its position at either end, in the robot's own unit.
    """

    joints: tuple[str, ...]
    gripper_joint: str
    gripper_closed: float = 0.0
    gripper_opened: float = 1.0

    def to_wire(self, opening: float) -> float:
        """Return the robot's gripper position for ``opening`` (0 closed .. 1 open)."""
        return self.gripper_closed + opening * (self.gripper_opened - self.gripper_closed)

    def scale(self) -> float:
        """Return the opening per unit of the robot's gripper position."""
        return 1.0 / (self.gripper_opened - self.gripper_closed)


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverSettings:
    """The driver of all arms.

    Attributes:
        arms: by name, as in the robot file.
        period: between set-points [s].
        delay, command_timeout, max_jump: see hiors_core.set_points.StreamSettings.
        feedback_timeout: age of the joint states at which the robot counts as lost [s].
        enable_at_start: enable by itself the first time that the robot is seen.
        stop_action: one of STOP_ACTIONS.
    """

    arms: Mapping[str, ArmSettings]
    period: float = 0.02
    delay: float = 0.04
    command_timeout: float = 0.2
    max_jump: float = 0.6
    feedback_timeout: float = 0.5
    enable_at_start: bool = True
    stop_action: str = "hold"
