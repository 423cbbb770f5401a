# SPDX-License-Identifier: Apache-2.0
"""What a driver is to the stream of set-points: arms that can be written to, read, and may fail.

Values and a protocol; knows no transport.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class ArmState(Enum):
    """State of a driver for one arm."""

    DISCONNECTED = "disconnected"
    STARTING = "starting"
    READY = "ready"
    FAULT = "fault"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class ArmStatus:
    """State and, unless ready, why."""

    state: ArmState
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Measured joints and grippers at ``stamp`` [ns]: position and velocity in the order of the
    robot's (or the arm's) columns [rad], [rad/s], grippers [0 closed .. 1 open], [1/s].
    """

    stamp: int
    position: Array
    velocity: Array


class DriverArm(Protocol):
    """One arm with its gripper, as a driver holds it. No method waits."""

    @property
    def name(self) -> str:
        """Name of the arm in the robot file."""

    @property
    def status(self) -> ArmStatus:
        """State with its reason."""

    def check(self) -> bool:
        """Look for problems; one of them turns READY into FAULT. Returns whether the arm may
        move.
        """

    def stop(self) -> None:
        """Stop by the arbiter's order: latches until ``release``."""

    def release(self) -> None:
        """End a stop."""

    def reading(self) -> Reading | None:
        """Return the newest measured columns (n + 1,), None when they are missing or old."""

    def write(self, position: Array) -> bool:
        """Send one set-point (n + 1,). False when the link broke."""
