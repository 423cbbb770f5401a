# SPDX-License-Identifier: Apache-2.0
"""Who drives the robot. The numbers are those of ControlState.msg and SetAuthority.srv."""

from enum import IntEnum


class Authority(IntEnum):
    """State of the arbiter."""

    HOLD = 0
    POLICY = 1
    HANDOVER = 2
    HUMAN = 3
    STOPPED = 4


class Request(IntEnum):
    """What can be asked of the arbiter."""

    HOLD = 0
    POLICY = 1
    TAKE_OVER = 2
    STOP = 3
    RESUME = 4
    HOME = 5


COLOURS = {
    Authority.HOLD: "#8a94a3",
    Authority.POLICY: "#2f81f7",
    Authority.HANDOVER: "#d29922",
    Authority.HUMAN: "#2da66a",
    Authority.STOPPED: "#e5484d",
}
"""The colour of an authority in every front end and marker, as RGB."""
