# SPDX-License-Identifier: Apache-2.0
"""One emulated leader arm of the X-Trainer as a person holds it: joints instead of servo ticks."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hiors_core.clock import Clock
from hiors_core.errors import InvalidValue
from hiors_core.robot import Arm
from hiors_sim.dynamixel import TURN, ButtonBoard, LeaderEmulator, leader_servos

Array = NDArray[np.float64]

_IDS, _SECOND, _HANDLE = (1, 2, 4, 5, 6, 7), 3, 8
_SIGNS = (1.0, 1.0, -1.0, -1.0, -1.0, 1.0)
_RIGHT = 10
_TICK = 2.0 * math.pi / TURN


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderZeros:
    """How one leader was put together.

    Attributes:
        offsets: (6,) position of each servo where the robot's joint is 0 [ticks].
        gripper_closed, gripper_opened: where the handle is pressed, and let go [ticks].
    """

    offsets: tuple[int, ...]
    gripper_closed: int
    gripper_opened: int

    def __post_init__(self) -> None:
        if len(self.offsets) != len(_IDS):
            raise InvalidValue(f"A leader has {len(_IDS)} offsets, got {list(self.offsets)}")


class LeaderArm:
    """The leader of ``arm`` on a pty named ``link``; it hangs limp at the arm's home at first.

    Servo ids and senses are those of the X-Trainer as shipped: 1 2 4 5 6 7, a second motor 3, the
    handle 8; on the right 10 more.
    """

    def __init__(self, arm: Arm, zeros: LeaderZeros, clock: Clock, link: str | Path) -> None:
        more = _RIGHT if arm.name == "right" else 0
        self._ids = tuple(i + more for i in _IDS)
        self._handle = _HANDLE + more
        self._zeros = np.array(zeros.offsets, dtype=np.float64)
        self._signs = np.array(_SIGNS)
        self._closed = zeros.gripper_closed
        self._stroke = zeros.gripper_opened - zeros.gripper_closed
        self.board = ButtonBoard()
        numbers = [*self._ids, _SECOND + more, self._handle]
        self.emulator = LeaderEmulator(leader_servos(numbers, clock), self.board, link)
        self.move(arm.home, 1.0)

    @property
    def joints(self) -> Array:
        """Where the joints are (6,) [rad], as the robot counts them."""
        ticks = np.array([self.emulator.servos[i].ticks for i in self._ids])
        return self._signs * (ticks - self._zeros) * _TICK

    @property
    def opening(self) -> float:
        """The handle, 0 pressed .. 1 let go."""
        return (self.emulator.servos[self._handle].ticks - self._closed) / self._stroke

    def move(self, joints: Array, opening: float) -> None:
        """Move joints (6,) [rad] and handle by hand; a joint whose motor holds it stays."""
        ticks = self._zeros + self._signs * joints / _TICK
        for number, value in zip(self._ids, ticks, strict=True):
            self.emulator.servos[number].place(float(value))
        self.emulator.servos[self._handle].place(self._closed + opening * self._stroke)
