# SPDX-License-Identifier: Apache-2.0
"""The driver node's ROS parameters: every name that a robot can differ in."""

from dataclasses import dataclass
from typing import Annotated

from hiors_core.errors import InvalidValue
from hiors_core.robot import Arm
from hiors_ros.driver_node import StreamParameters
from hiors_ros.parameters import Doc, OneOf, Range
from hiors_tora.settings import STOP_ACTIONS, ArmSettings, DriverSettings

TOPICS = {
    "forward": "commands",
    "trajectory": "joint_trajectory",
    "cartesian": "target_frame",
    "trajectory_action": "follow_joint_trajectory",
}
"""Ways to send joints, each with the name it goes by below its controller."""
GRIPPER_TOPICS = {"forward": "commands", "action": "gripper_cmd", "none": ""}
"""Ways to send the gripper's position."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverParameters(StreamParameters):
    """Parameters of the node."""

    robot_file: Annotated[str, Doc("Robot file (config/robots/tora_one.yaml).")]
    robot_namespace: Annotated[
        str, Doc("What the robot's own names begin with; those that begin with / are left alone.")
    ] = "tora"
    joint_states_topic: Annotated[
        str, Doc("sensor_msgs/JointState of the robot; must not be the driver's own joint_states.")
    ] = "joint_states"
    feedback_timeout: Annotated[
        float, Doc("Age of a joint state at which the robot counts as lost [s]."), Range(0.05, 5.0)
    ] = 0.5
    stream_rate: Annotated[float, Doc("Rate of set-points [Hz]."), Range(10.0, 500.0)] = 50.0
    enable_service: Annotated[
        str, Doc("Service that switches the motors on; empty: the robot needs none.")
    ] = "enable"
    enable_type: Annotated[
        str,
        Doc("Its type, std_srvs/SetBool (true: on) or std_srvs/Trigger."),
        OneOf(("set_bool", "trigger")),
    ] = "set_bool"
    enable_at_start: Annotated[
        bool, Doc("Enable by itself when the robot is first seen; false: wait for driver/enable.")
    ] = True
    disable_service: Annotated[
        str,
        Doc("Service that switches the motors off (std_srvs/Trigger); empty: enable_service."),
    ] = ""
    clear_service: Annotated[
        str, Doc("Service that clears the robot's errors (std_srvs/Trigger); empty: none.")
    ] = ""
    estop_topic: Annotated[
        str, Doc("std_msgs/Bool that is true while the e-stop is pressed; empty: none.")
    ] = "estop"
    switch_service: Annotated[
        str,
        Doc("controller_manager_msgs/SwitchController to activate the controllers; empty: none."),
    ] = ""
    switch_deactivate: Annotated[
        tuple[str, ...], Doc("Controllers that the switch deactivates.")
    ] = ()
    service_timeout: Annotated[
        float, Doc("Bound of every answer of a service [s]."), Range(0.1, 60.0)
    ] = 5.0
    stop_action: Annotated[
        str,
        Doc("What a stop of the arbiter does: ends the stream, or switches the motors off too."),
        OneOf(STOP_ACTIONS),
    ] = "hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmParameters:
    """Parameters of one arm; their names begin with the arm's name and a dot."""

    output: Annotated[
        str,
        Doc(
            "How joints are sent: std_msgs/Float64MultiArray, trajectory_msgs/JointTrajectory,"
            " geometry_msgs/PoseStamped of the tool, or control_msgs/FollowJointTrajectory."
        ),
        OneOf(tuple(TOPICS)),
    ] = "forward"
    controller: Annotated[
        str, Doc("Name of the arm's controller; empty: <arm>_arm_controller.")
    ] = ""
    command_topic: Annotated[
        str,
        Doc(
            "Where joints are sent; empty: below the controller commands, joint_trajectory,"
            " target_frame or follow_joint_trajectory."
        ),
    ] = ""
    joint_names: Annotated[
        tuple[str, ...],
        Doc("The arm's joints as the robot calls them; empty: as the robot file does."),
    ] = ()
    trajectory_time: Annotated[
        float,
        Doc("time_from_start of a trajectory's point [s]; one or two periods of stream_rate."),
        Range(0.002, 1.0),
    ] = 0.04
    cartesian_frame: Annotated[
        str, Doc("frame_id of the tool's pose; empty: base_frame of the robot file.")
    ] = ""
    gripper_output: Annotated[
        str,
        Doc(
            "How the gripper is sent: std_msgs/Float64MultiArray of one value,"
            " control_msgs/GripperCommand, or not at all."
        ),
        OneOf(tuple(GRIPPER_TOPICS)),
    ] = "forward"
    gripper_controller: Annotated[
        str, Doc("Name of the gripper's controller; empty: <arm>_gripper_controller.")
    ] = ""
    gripper_topic: Annotated[
        str, Doc("Where it is sent; empty: below the controller commands or gripper_cmd.")
    ] = ""
    gripper_joint: Annotated[
        str, Doc("The gripper's joint as the robot calls it; empty: as the robot file does.")
    ] = ""
    gripper_measured: Annotated[
        bool, Doc("Whether the robot's JointState has it; false: taken to be where it was told.")
    ] = True
    gripper_closed: Annotated[
        float, Doc("Its position when closed, in its own unit."), Range(-1e4, 1e4)
    ] = 0.0
    gripper_opened: Annotated[
        float, Doc("Its position when open, in its own unit."), Range(-1e4, 1e4)
    ] = 1.0
    gripper_max_effort: Annotated[
        float, Doc("max_effort of GripperCommand; 0: the robot's own."), Range(0.0, 1e4)
    ] = 0.0

    def controllers(self, arm: str) -> list[str]:
        """Return the names of the controllers that the arm needs."""
        names = [self.controller or f"{arm}_arm_controller"]
        if self.gripper_output != "none":
            names.append(self.gripper_controller or f"{arm}_gripper_controller")
        return names

    def joints_topic(self, arm: str) -> str:
        """Return where joints are sent."""
        return self.command_topic or f"{self.controllers(arm)[0]}/{TOPICS[self.output]}"

    def grip_topic(self, arm: str) -> str:
        """Return where the gripper's position is sent."""
        below = GRIPPER_TOPICS[self.gripper_output]
        return self.gripper_topic or f"{self.controllers(arm)[-1]}/{below}"


def arm_settings(arm: Arm, p: ArmParameters) -> ArmSettings:
    """Make the settings of an arm, or raise InvalidValue."""
    joints = p.joint_names or arm.joints
    if len(joints) != len(arm.joints) or len(set(joints)) != len(joints):
        raise InvalidValue(
            f"{arm.name}.joint_names must be {len(arm.joints)} different names, one for each of"
            f" {', '.join(arm.joints)}; got {', '.join(joints)}"
        )
    if p.gripper_closed == p.gripper_opened:
        raise InvalidValue(
            f"{arm.name}.gripper_closed and gripper_opened must differ, got {p.gripper_closed}"
            " twice"
        )
    measured = p.gripper_measured and p.gripper_output != "none"
    return ArmSettings(
        joints=joints,
        gripper_joint=(p.gripper_joint or arm.gripper) if measured else "",
        gripper_closed=p.gripper_closed,
        gripper_opened=p.gripper_opened,
    )


def driver_settings(p: DriverParameters, arms: dict[str, ArmSettings]) -> DriverSettings:
    """Make the driver's settings."""
    return DriverSettings(
        arms=arms,
        period=1.0 / p.stream_rate,
        delay=p.interpolation_delay,
        command_timeout=p.command_timeout,
        max_jump=p.max_jump,
        feedback_timeout=p.feedback_timeout,
        enable_at_start=p.enable_at_start,
        stop_action=p.stop_action,
    )
