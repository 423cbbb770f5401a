# SPDX-License-Identifier: Apache-2.0
"""ROS time stamps as integer nanoseconds."""

from typing import Any

from hiors_core.clock import NS


def time_fields(stamp: int) -> dict[str, int]:
    """Return the fields of a builtin_interfaces/Time for a stamp [ns]."""
    seconds, nanoseconds = divmod(stamp, NS)
    return {"sec": seconds, "nanosec": nanoseconds}


def stamp_of(message: Any) -> int:
    """Return the header stamp [ns] of a message."""
    time = message.header.stamp
    return int(time.sec) * NS + int(time.nanosec)
