# SPDX-License-Identifier: Apache-2.0
"""Everything: robot or simulator, policy, arbiter, recorder, label, bridge, learner."""

from launch import LaunchDescription

from hiors.launching import bringup_description


def generate_launch_description() -> LaunchDescription:
    """Return the description that ros2 launch runs."""
    return bringup_description("bringup.launch.py")
