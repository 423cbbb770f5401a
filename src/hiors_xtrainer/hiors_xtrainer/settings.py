# SPDX-License-Identifier: Apache-2.0
"""What can differ between two X-Trainers: addresses, ids, rates. Values only; the node fills them
from parameters.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hiors_xtrainer.dobot import Address
from hiors_xtrainer.feetech import GripperSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmSettings:
    """One arm with its gripper.

    Attributes:
        speed_factor, acceleration, speed: of queued motions [%]; ServoJ is not scaled by them.
        tool_length: flange to the point between the finger tips [mm].
        open_gripper: open the gripper at start-up.
        feedback_timeout: age of the feedback at which the link counts as lost [s].
        stop_action: one of protocol.STOP_ACTIONS.
    """

    address: Address
    gripper: GripperSettings | None
    speed_factor: int = 20
    acceleration: int = 20
    speed: int = 20
    tool_length: float = 197.0
    open_gripper: bool = True
    feedback_timeout: float = 0.5
    stop_action: str = "reset"


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverSettings:
    """The driver of all arms.

    Attributes:
        arms: by name, as in the robot file.
        period: between ServoJ commands [s]; also their t.
        lookahead, gain: of ServoJ (20 .. 100, 200 .. 1000).
        delay: from a command's stamp to its execution, for interpolation [s].
        command_timeout: silence of the arbiter after which the driver holds [s].
        max_jump: distance of a command from where the arm is that is refused [rad].
        lock_folder: where the claims lie; None is the system's temporary folder.
    """

    arms: Mapping[str, ArmSettings]
    period: float = 0.03
    lookahead: float = 50.0
    gain: float = 500.0
    delay: float = 0.04
    command_timeout: float = 0.2
    max_jump: float = 0.6
    lock_folder: str | None = None
