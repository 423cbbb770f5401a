# SPDX-License-Identifier: Apache-2.0
"""Robot, arbiter and the one who drives: no policy, nothing is recorded."""

from launch import LaunchDescription

from hiors.launching import bringup_description


def generate_launch_description() -> LaunchDescription:
    """Return the description that ros2 launch runs."""
    return bringup_description(
        "teleop.launch.py",
        rooms=("robot", "arbiter", "people"),
        left_out=("policy", "learner", "keys", "listen", "learner_config", "demonstrate"),
    )
