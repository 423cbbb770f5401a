# SPDX-License-Identifier: Apache-2.0
"""Turns the graph into actions of ros2 launch. The only module that imports launch and launch_ros.

Exit code of `ros2 launch`: 1 when a required node ended with an error, 0 otherwise.
"""

import sys
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    ExecuteProcess,
    OpaqueFunction,
    RegisterEventHandler,
    Shutdown,
    TimerAction,
)
from launch.event_handlers import OnProcessStart
from launch.events import matches_action
from launch_ros.actions import LifecycleNode, Node
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from lifecycle_msgs.msg import Transition

from hiors.arguments import BringupArgs, describe, parse_values
from hiors.commands import write_parameters
from hiors.graph import ROOMS, build_graph
from hiors.run import prepare
from hiors.spec import NodeSpec, ProcessSpec
from hiors.supervisor import KILL_AFTER, TERM_AFTER
from hiors_core.errors import HiorsError, UnknownName

RESPAWN_DELAY = 2.0
WAIT_PERIOD = 1.0
"""How often to look for the file that a managed node needs [s]."""


def bringup_description(
    file_name: str,
    rooms: Collection[str] = ROOMS,
    fixed: Mapping[str, str] | None = None,
    left_out: Collection[str] = (),
) -> LaunchDescription:
    """Return the launch description of the graph's rooms.

    Args:
        file_name: of the launch file, to know whether the command line speaks to it.
        fixed: arguments that the launch file decides itself.
        left_out: arguments that say nothing to these rooms.
    """
    decided = {spec.name: spec.default_text for spec in describe() if spec.name in left_out}
    decided |= fixed or {}
    declared = [
        DeclareLaunchArgument(
            spec.name,
            default_value=spec.default_text,
            description=spec.doc,
            choices=list(spec.allowed) or None,
        )
        for spec in describe()
        if spec.name not in decided
    ]
    actions = partial(_actions, file_name=file_name, rooms=rooms, fixed=decided)
    return LaunchDescription([*declared, OpaqueFunction(function=actions)])


def unknown_arguments(words: Collection[str], allowed: Collection[str]) -> list[str]:
    """Return the names of ``name:=value`` words that are not allowed."""
    names = [word.partition(":=")[0] for word in words if ":=" in word]
    return [name for name in names if name not in allowed]


def _actions(
    context: LaunchContext, file_name: str, rooms: Collection[str], fixed: Mapping[str, str]
) -> list[Any]:
    names = [spec.name for spec in describe() if spec.name not in fixed]
    # launch takes any name in silence. A file that includes this one has arguments of its own.
    if any(word.endswith(file_name) for word in sys.argv):
        for name in unknown_arguments(context.argv, names):
            raise UnknownName("launch argument", name, names)
    given = {name: context.launch_configurations[name] for name in names}
    args = parse_values({**given, **fixed})
    folder = prepare(args) / "parameters"
    folder.mkdir(exist_ok=True)
    graph = build_graph(args, rooms)
    actions: list[Any] = []
    for node in graph.nodes:
        actions += _node_actions(node, str(write_parameters(node, folder)), args)
    return actions + [_process_action(process) for process in graph.processes]


def _node_actions(node: NodeSpec, parameter_file: str, args: BringupArgs) -> list[Any]:
    kind = LifecycleNode if node.lifecycle else Node
    action = kind(
        package=node.package,
        executable=node.executable,
        name=node.name,
        namespace=node.namespace,
        parameters=[parameter_file],
        remappings=list(node.remappings.items()),
        ros_arguments=["--log-level", args.log_level],
        additional_env=dict(node.env),
        output="screen",
        emulate_tty=True,
        respawn=node.respawn and not node.required,
        respawn_delay=RESPAWN_DELAY,
        on_exit=when_required_ends(node.name) if node.required else None,
        sigterm_timeout=str(TERM_AFTER),
        sigkill_timeout=str(KILL_AFTER - TERM_AFTER),
    )
    return [*_transitions(action, node), action] if node.lifecycle else [action]


def _process_action(process: ProcessSpec) -> ExecuteProcess:
    return ExecuteProcess(
        cmd=list(process.command),
        name=process.name,
        additional_env=dict(process.env),
        output="screen",
        respawn=process.respawn and not process.required,
        respawn_delay=RESPAWN_DELAY,
        on_exit=when_required_ends(process.name) if process.required else None,
        sigterm_timeout=str(TERM_AFTER),
        sigkill_timeout=str(KILL_AFTER - TERM_AFTER),
    )


def when_required_ends(name: str) -> Callable[[Any, LaunchContext], list[Any] | None]:
    """Return what ends the launch when a process ends: with an error, if it ended with one."""

    def ended(event: Any, context: LaunchContext) -> list[Any] | None:
        if context.is_shutdown:
            return None
        text = f"{name} ended with exit code {event.returncode}; it is required: ending all."
        if event.returncode:
            # An error is what makes ros2 launch end with a code that is not 0.
            raise HiorsError(text)
        return [Shutdown(reason=text)]

    return ended


def _transitions(action: LifecycleNode, node: NodeSpec) -> list[RegisterEventHandler]:
    def change(transition: int) -> EmitEvent:
        return EmitEvent(
            event=ChangeState(
                lifecycle_node_matcher=matches_action(action), transition_id=transition
            )
        )

    def configure(_: LaunchContext) -> list[Any]:
        if node.needs and not node.needs.exists():
            return [TimerAction(period=WAIT_PERIOD, actions=[OpaqueFunction(function=configure)])]
        return [change(Transition.TRANSITION_CONFIGURE)]

    def refused(_: LaunchContext) -> None:
        raise HiorsError(f"{node.full_name} could not be configured; its log says why.")

    return [
        RegisterEventHandler(
            OnProcessStart(target_action=action, on_start=[OpaqueFunction(function=configure)])
        ),
        RegisterEventHandler(
            OnStateTransition(
                target_lifecycle_node=action,
                start_state="configuring",
                goal_state="inactive",
                entities=[change(Transition.TRANSITION_ACTIVATE)],
            )
        ),
        RegisterEventHandler(
            OnStateTransition(
                target_lifecycle_node=action,
                start_state="configuring",
                goal_state="unconfigured",
                entities=[OpaqueFunction(function=refused)],
            )
        ),
    ]
