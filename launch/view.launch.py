# SPDX-License-Identifier: Apache-2.0
"""RViz on a running robot; with model:=true also its model, where the robot's machine has none."""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from hiors import places
from hiors.description import PUBLISHER, robot_description, root_link, tf_remappings
from hiors.places import config_file


def generate_launch_description() -> LaunchDescription:
    """Return the description that ros2 launch runs."""
    declared = (
        ("robot", "xtrainer", "Robot, named by its file in config/robots.", None),
        ("arms", "left", "Arms that are driven.", ["left", "right", "both"]),
        ("namespace", "", "Namespace of the robot, such as robot1.", None),
        (
            "model",
            "false",
            "Publish model and tf too: `markers:=true` does it.",
            ["true", "false"],
        ),
        ("config", str(places.config() / "rviz" / "hiors.rviz"), "RViz configuration.", None),
    )
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=text, choices=choices)
        for name, default, text, choices in declared
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=_view)])


def _view(context: LaunchContext) -> list[Node]:
    robot, arms, space, model, config = (
        LaunchConfiguration(name).perform(context)
        for name in ("robot", "arms", "namespace", "model", "config")
    )
    text = robot_description(config_file("robots", robot), () if arms == "both" else (arms,))
    common = {"namespace": space, "remappings": list(tf_remappings(space).items())}
    rviz = Node(
        package="rviz2",
        executable="rviz2",
        arguments=["-d", config, "-f", root_link(text)],
        output="screen",
        on_exit=[Shutdown(reason="RViz was closed")],
        **common,
    )
    if model == "false":
        return [rviz]
    description = [{"robot_description": text}]
    return [Node(package=PUBLISHER, executable=PUBLISHER, parameters=description, **common), rviz]
