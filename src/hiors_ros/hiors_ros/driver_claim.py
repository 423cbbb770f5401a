# SPDX-License-Identifier: Apache-2.0
"""One driver an arm on a graph: each tells the others what it drives; of two the later one ends.

Drivers hear each other on driver/state. A driver that was killed says nothing more, so a new one
is not kept waiting by what DDS still remembers of it.
"""

import os
import socket
import time
from collections.abc import Sequence

from hiors_core.errors import StateError
from hiors_interfaces.msg import DriverState
from hiors_ros.conversions import to_ns, to_stamp

LOOK = 0.25
"""Time between two looks for other drivers, before the robot is touched [s]."""
LOOKS, LOOKS_AT_KNOWN = 5, 9
"""How many looks there are, and how many at a driver that DDS knows of, or remembers."""


class DriverClaim:
    """What this driver says of itself, and its judgement of others.

    Args:
        arms: names of the arms it drives. topic: full name of driver/state, for the message.
    """

    def __init__(self, arms: Sequence[str], topic: str) -> None:
        self._arms, self._topic = tuple(arms), topic
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        # Comparable between machines, unlike a steady clock; ties go by name.
        self._since = time.time_ns()

    def sign(self, message: DriverState) -> DriverState:
        """Write who and since when into a message."""
        message.driver, message.since = self._name, to_stamp(self._since)
        message.arms = list(self._arms)
        return message

    def hear(self, other: DriverState) -> str:
        """Judge a message of driver/state: StateError when its sender was there first.

        Returns:
            who else drives an arm of ours and must end by itself, "" for nobody.
        """
        shared = [arm for arm in self._arms if arm in other.arms]
        if not other.driver or other.driver == self._name or not shared:
            return ""
        if (to_ns(other.since), other.driver) < (self._since, self._name):
            raise StateError(
                f"{' and '.join(shared)} of {self._topic} is already driven by {other.driver}"
                " (host and process). Stop that driver first, or give this robot a namespace of"
                " its own; two would fight over the arm."
            )
        return other.driver
