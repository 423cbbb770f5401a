# SPDX-License-Identifier: Apache-2.0
"""Records demonstrations: every episode is driven by a person, into run_dir/demos."""

from launch import LaunchDescription

from hiors.launching import bringup_description


def generate_launch_description() -> LaunchDescription:
    """Return the description that ros2 launch runs."""
    return bringup_description(
        "record_demos.launch.py",
        rooms=("robot", "arbiter", "episodes", "people"),
        fixed={"demonstrate": "true"},
        left_out=("policy", "learner", "keys", "listen", "learner_config"),
    )
