# SPDX-License-Identifier: Apache-2.0
"""Publishes a recorded episode again, with /clock. A robot's driver must not be running."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess
from launch.substitutions import LaunchConfiguration

from hiors.commands import find_executable


def generate_launch_description() -> LaunchDescription:
    """Return the description that ros2 launch runs."""
    return LaunchDescription(
        [
            DeclareLaunchArgument("bag", description="Bag folder or .mcap file."),
            DeclareLaunchArgument("rate", default_value="1.0", description="Speed."),
            ExecuteProcess(
                cmd=[
                    str(find_executable("hiors", "hiors")),
                    "replay",
                    LaunchConfiguration("bag"),
                    "--rate",
                    LaunchConfiguration("rate"),
                ],
                output="screen",
            ),
        ]
    )
