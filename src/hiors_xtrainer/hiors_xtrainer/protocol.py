# SPDX-License-Identifier: Apache-2.0
"""In what the protocols V3 and V4 of the maker differ, as far as the driver speaks them."""

from collections.abc import Mapping
from dataclasses import dataclass

PROBE = "PositiveKin(0,0,0,0,0,0)"
"""A question that V4 answers and V3 does not know; it changes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How one protocol says things.

    Attributes:
        motion_port: ServoJ has a port of its own; else it goes through the dashboard's.
        lookahead: name of ServoJ's option. joint_speed: command that sets it.
        output: command that sets a digital output at once.
        stops: what is sent for each stop action.
        takes_control: control must be asked for before the arm is enabled.
        modes: modes whose meaning differs.
    """

    motion_port: bool
    lookahead: str
    joint_speed: str
    output: str
    stops: Mapping[str, str | None]
    takes_control: bool
    modes: Mapping[int, str]


DIALECTS = {
    "v3": Dialect(
        motion_port=True,
        lookahead="lookahead_time",
        joint_speed="SpeedJ",
        output="DOExecute",
        stops={"hold": None, "reset": "ResetRobot()", "emergency_stop": "EmergencyStop()"},
        takes_control=False,
        modes={},
    ),
    "v4": Dialect(
        motion_port=False,
        lookahead="aheadtime",
        joint_speed="VelJ",
        output="DOInstant",
        stops={"hold": None, "reset": "Stop()", "emergency_stop": "EmergencyStop(1)"},
        takes_control=True,
        modes={8: "in a single move", 11: "stopped after a collision"},
    ),
}
AUTO = "auto"
STOP_ACTIONS = ("hold", "reset", "emergency_stop")
