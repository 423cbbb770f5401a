# SPDX-License-Identifier: Apache-2.0
"""What can differ between two leader arms, and what a calibration finds. Values only."""

import math
from dataclasses import dataclass

from hiors_core.errors import InvalidValue

TURN = 4096
"""Ticks of one turn of a Dynamixel X-series servo."""
TICK = 2.0 * math.pi / TURN
"""One tick [rad]."""
PRESENT_POSITION, POSITION_TRAJECTORY = 132, 140
BAUDRATES = (2_000_000, 1_000_000)
"""Tried in turn when none is given."""
BOARDS = {"none": 0, "plain": 2, "sensor": 4}
"""Kinds of button boards: how many bytes each answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderCalibration:
    """Where one leader arm's zeros are.

    Attributes:
        offsets: (n,) position at which the follower's joint is 0 [ticks].
        gripper_closed, gripper_opened: ends of the handle [ticks].
    """

    offsets: tuple[int, ...]
    gripper_closed: int
    gripper_opened: int

    def __post_init__(self) -> None:
        stroke = abs(self.gripper_opened - self.gripper_closed)
        if not 20 <= stroke <= TURN // 2:
            raise InvalidValue(
                f"The handle's stroke must be within 20 .. {TURN // 2} ticks, got {stroke}"
                f" (closed {self.gripper_closed}, opened {self.gripper_opened})."
                " Calibrate again and close the handle when asked to."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderSettings:
    """One leader arm on its serial port.

    Attributes:
        port: serial port. baudrate: 0 tries those of BAUDRATES.
        ids: (n,) servo of each joint. signs: (n,) +1 or -1, its sense against the follower's.
        gripper_id: servo of the handle.
        second_ids: servos that drive a joint together with its main one; second_joints: that
            joint of each, from 1; second_signs: sense against the main one, 0 leaves it limp.
        read_address: register of the position, 132 or 140.
        extended: set the servos to count turns, without which they cannot be driven across the
            seam of their turn; false leaves their mode.
        board: a key of BOARDS.
        gains: (n,) position P gain; empty leaves what the servos have.
        pwm_limit: of 885; 0 leaves what the servos have.
        align_speed: of the leader when it is driven [rad/s].
    """

    port: str
    ids: tuple[int, ...]
    signs: tuple[int, ...]
    gripper_id: int
    baudrate: int = 0
    second_ids: tuple[int, ...] = ()
    second_joints: tuple[int, ...] = ()
    second_signs: tuple[int, ...] = ()
    read_address: int = PRESENT_POSITION
    extended: bool = True
    board: str = "plain"
    gains: tuple[int, ...] = ()
    pwm_limit: int = 250
    align_speed: float = 0.5

    def __post_init__(self) -> None:
        n, all_ids = len(self.ids), (*self.ids, *self.second_ids, self.gripper_id)
        if len(set(all_ids)) != len(all_ids):
            raise InvalidValue(
                f"Every servo of {self.port} needs an id of its own, got ids {self.ids},"
                f" second_ids {self.second_ids} and gripper_id {self.gripper_id}"
            )
        for name, allowed in (("signs", (-1, 1)), ("second_signs", (-1, 0, 1))):
            if any(sign not in allowed for sign in getattr(self, name)):
                raise InvalidValue(f"{name} must be of {allowed}, got {getattr(self, name)}")
        if len(self.signs) != n or len(self.gains) not in (0, n):
            raise InvalidValue(
                f"signs and gains must have one value for each of the {n} ids,"
                f" got {self.signs} and {self.gains}"
            )
        m = len(self.second_ids)
        if len(self.second_joints) != m or len(self.second_signs) != m:
            raise InvalidValue(
                f"second_joints and second_signs must have one value for each of the {m}"
                f" second_ids, got {self.second_joints} and {self.second_signs}"
            )
        if any(not 1 <= joint <= n for joint in self.second_joints):
            raise InvalidValue(f"second_joints must be of 1 .. {n}, got {self.second_joints}")
