# SPDX-License-Identifier: Apache-2.0
"""Publishes a recording again, with /clock. A robot's driver must not be running."""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction
from launch.substitutions import LaunchConfiguration

from hiors.commands import find_executable
from hiors.launching import when_required_ends

FLAGS = {
    "loop": "Start again at the end.",
    "start_paused": "Wait for the blank key before the first message.",
    "with_commands": "Publish commands too: A RUNNING DRIVER WILL FOLLOW THEM.",
}


def generate_launch_description() -> LaunchDescription:
    """Return the description that ros2 launch runs."""
    return LaunchDescription(
        [
            DeclareLaunchArgument("bag", description="Bag folder, .mcap or .db3 file."),
            DeclareLaunchArgument("rate", default_value="1.0", description="Speed, 0.01 .. 100."),
            *(
                DeclareLaunchArgument(
                    name, default_value="false", description=text, choices=["true", "false"]
                )
                for name, text in FLAGS.items()
            ),
            OpaqueFunction(function=_replay),
        ]
    )


def _replay(context: LaunchContext) -> list[ExecuteProcess]:
    bag, rate = (LaunchConfiguration(name).perform(context) for name in ("bag", "rate"))
    chosen = [n for n in FLAGS if LaunchConfiguration(n).perform(context) == "true"]
    words = [f"--{name.replace('_', '-')}" for name in chosen]
    command = [str(find_executable("hiors", "hiors")), "replay", bag, "--rate", rate, *words]
    return [ExecuteProcess(cmd=command, output="screen", on_exit=when_required_ends("replay"))]
