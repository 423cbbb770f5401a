# SPDX-License-Identifier: Apache-2.0
"""When a person's trigger or handle gets hold of a gripper. Knows no device."""

import math

_OPEN = 0.85
"""A gripper that is wider open than this follows at once."""
_SHUT = 0.1
"""A hand that has closed to within this of its end reaches every gripper."""


class GripperCatch:
    """The gripper follows the hand once the hand has closed to where the gripper is.

    Without this a person who takes over from a policy that holds something, or who had let go of
    the trigger while the clutch was open, would drop it at the moment the clutch closes.
    """

    def __init__(self) -> None:
        self._threshold = 0.0
        self._follows = False

    def anchor(self, gripper: float) -> None:
        """Begin anew with the gripper (0 closed .. 1 open, NaN unknown) as it is."""
        self._follows = math.isnan(gripper) or gripper >= _OPEN
        self._threshold = max(gripper, _SHUT)

    def update(self, opening: float) -> float:
        """Return the gripper's target for the hand's opening (0 closed .. 1 open), NaN as long as
        the hand has not reached the gripper.
        """
        self._follows = self._follows or opening <= self._threshold
        return opening if self._follows else math.nan
