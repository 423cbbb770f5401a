# SPDX-License-Identifier: Apache-2.0
"""From parameters to the publishers, actions and services that they name."""

from typing import Any

from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory

from hiors_core.clock import Clock
from hiors_core.errors import InvalidValue
from hiors_core.kinematics import ArmKinematics
from hiors_core.robot import Arm
from hiors_tora.actions import ActionOutput
from hiors_tora.optional import interface
from hiors_tora.outputs import Output, Port, TopicOutput, float_array, tool_pose, trajectory
from hiors_tora.parameters import ArmParameters, DriverParameters
from hiors_tora.power import Call, ServicePower, set_bool, trigger

_GRIP_STEP = 0.01
"""Share of the gripper's stroke below which no new goal is sent."""


def robot_name(p: DriverParameters, name: str) -> str:
    """Return one of the robot's own names with the namespace it lives in."""
    return name if name.startswith("/") or not p.robot_namespace else f"{p.robot_namespace}/{name}"


def joint_states_topic(node: Node, p: DriverParameters) -> str:
    """Return the robot's joint states, or raise InvalidValue when they are the driver's own."""
    name = robot_name(p, p.joint_states_topic)
    if node.resolve_topic_name(name) == node.resolve_topic_name("joint_states"):
        raise InvalidValue(
            f"joint_states_topic means {node.resolve_topic_name(name)}, where the driver itself"
            " publishes. Start hiors in a namespace (namespace:=hiors) or remap the robot's topic."
        )
    return name


def make_port(node: Node, p: DriverParameters, arm: Arm, a: ArmParameters) -> Port:
    """Return where the set-points of an arm go."""
    gripper = None if a.gripper_output == "none" else _gripper(node, p, arm, a)
    return Port(_joints(node, p, arm, a), gripper)


def _joints(node: Node, p: DriverParameters, arm: Arm, a: ArmParameters) -> Output:
    topic, parameter = robot_name(p, a.joints_topic(arm.name)), f"{arm.name}.command_topic"
    names = a.joint_names or arm.joints
    if a.output == "forward":
        return TopicOutput(node, Float64MultiArray, topic, float_array, parameter)
    if a.output == "cartesian":
        build = tool_pose(node, ArmKinematics(arm), a.cartesian_frame or arm.base_frame)
        return TopicOutput(node, PoseStamped, topic, build, parameter)
    path = trajectory(names, a.trajectory_time)
    if a.output == "trajectory":
        return TopicOutput(node, JointTrajectory, topic, path, parameter)
    wanted = f"{arm.name}.output: trajectory_action"
    kind = interface("control_msgs", "action", "FollowJointTrajectory", wanted)
    return ActionOutput(node, kind, topic, lambda v: kind.Goal(trajectory=path(v)), parameter)


def _gripper(node: Node, p: DriverParameters, arm: Arm, a: ArmParameters) -> Output:
    topic, parameter = robot_name(p, a.grip_topic(arm.name)), f"{arm.name}.gripper_topic"
    if a.gripper_output == "forward":
        return TopicOutput(node, Float64MultiArray, topic, float_array, parameter)
    wanted = f"{arm.name}.gripper_output: action"
    kind = interface("control_msgs", "action", "GripperCommand", wanted)

    def build(values: Any) -> Any:
        goal = kind.Goal()
        goal.command.position = float(values[0])
        goal.command.max_effort = a.gripper_max_effort
        return goal

    step = _GRIP_STEP * abs(a.gripper_opened - a.gripper_closed)
    return ActionOutput(node, kind, topic, build, parameter, deadband=step)


def make_power(
    node: Node, p: DriverParameters, controllers: list[str], clock: Clock
) -> ServicePower:
    """Return what switches the robot on and off."""
    power = ServicePower(node, clock, p.service_timeout)
    if p.enable_service:
        name = robot_name(p, p.enable_service)
        if p.enable_type == "set_bool":
            power.on = (set_bool(node, name, True, "switch the motors on"),)
            power.off = (set_bool(node, name, False, "switch the motors off"),)
        else:
            power.on = (trigger(node, name, "switch the motors on"),)
    if p.disable_service:
        name = robot_name(p, p.disable_service)
        power.off = (trigger(node, name, "switch the motors off"),)
    if p.stop_action == "disable" and not power.off:
        raise InvalidValue(
            "stop_action: disable needs disable_service, or enable_type: set_bool with an"
            " enable_service"
        )
    if p.switch_service:
        power.on = (*power.on, _switch(node, p, controllers))
    if p.clear_service:
        power.clearing = (trigger(node, robot_name(p, p.clear_service), "clear errors"),)
    if p.estop_topic:
        power.listen(robot_name(p, p.estop_topic))
    return power


def _switch(node: Node, p: DriverParameters, controllers: list[str]) -> Call:
    kind = interface("controller_manager_msgs", "srv", "SwitchController", "switch_service")
    request = kind.Request(
        activate_controllers=controllers,
        deactivate_controllers=list(p.switch_deactivate),
        strictness=kind.Request.STRICT,
        activate_asap=True,
    )
    request.timeout.sec = int(p.service_timeout)
    return Call(
        client=node.create_client(kind, robot_name(p, p.switch_service)),
        request=request,
        what=f"activate {', '.join(controllers)}",
        judge=_judge_switch,
    )


def _judge_switch(response: Any) -> str | None:
    # Older controller managers say no more than that.
    why = getattr(response, "message", "")
    return None if response.ok else why or "the controller manager said no"
