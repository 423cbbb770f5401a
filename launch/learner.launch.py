# SPDX-License-Identifier: Apache-2.0
"""The learner and the bridge to it, for a machine beside the one that drives the robot."""

from launch import LaunchDescription

from hiors.launching import bringup_description


def generate_launch_description() -> LaunchDescription:
    """Return the description that ros2 launch runs."""
    return bringup_description(
        "learner.launch.py",
        rooms=("bridge", "learner"),
        left_out=("sim", "teleop", "joy", "console", "markers", "cameras", "demonstrate", "seed"),
    )
