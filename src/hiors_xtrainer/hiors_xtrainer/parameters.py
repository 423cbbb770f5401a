# SPDX-License-Identifier: Apache-2.0
"""The driver node's ROS parameters, and how they become the driver's settings."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated

from hiors_core.errors import InvalidValue, UnknownName
from hiors_ros.driver_node import StreamParameters
from hiors_ros.parameters import Doc, OneOf, Range
from hiors_xtrainer.dobot import Address
from hiors_xtrainer.feetech import GripperSettings
from hiors_xtrainer.light import LAMPS, LightSettings
from hiors_xtrainer.protocol import AUTO, DIALECTS, STOP_ACTIONS
from hiors_xtrainer.settings import ArmSettings, DriverSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverParameters(StreamParameters):
    """Parameters of the node."""

    robot_file: Annotated[str, Doc("Robot file (config/robots/xtrainer.yaml).")]
    servo_rate: Annotated[
        float, Doc("Rate of ServoJ commands [Hz]; the maker recommends 33."), Range(10.0, 50.0)
    ] = 33.333
    servo_lookahead: Annotated[
        float, Doc("lookahead_time of ServoJ; acts like damping."), Range(20.0, 100.0)
    ] = 50.0
    servo_gain: Annotated[
        float, Doc("gain of ServoJ; acts like stiffness."), Range(200.0, 1000.0)
    ] = 500.0
    light_arm: Annotated[
        str, Doc("Arm at whose controller the stack light hangs; empty: there is none.")
    ] = ""
    light_outputs: Annotated[
        tuple[int, ...], Doc("Digital outputs of its red, yellow and green lamp."), Range(1, 24)
    ] = (1, 2, 3)
    lock_folder: Annotated[
        str, Doc("Folder of the lock files, one an arm; empty: the system's temporary folder.")
    ] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmParameters:
    """Parameters of one arm; their names begin with the arm's name and a dot."""

    host: Annotated[str, Doc("Address of the arm's controller.")]
    gripper_port: Annotated[str, Doc("Serial port of the gripper; empty: the arm has none.")] = ""
    gripper_id: Annotated[
        int, Doc("Servo id of the gripper; 0: as shipped, 21 left and 22 right."), Range(0, 253)
    ] = 0
    dashboard_port: Annotated[int, Doc("TCP port of requests."), Range(1, 65535)] = 29999
    motion_port: Annotated[int, Doc("TCP port of motion commands."), Range(1, 65535)] = 30003
    feedback_port: Annotated[int, Doc("TCP port of the feedback."), Range(1, 65535)] = 30004
    protocol: Annotated[
        str, Doc("The maker's protocol; auto asks the controller."), OneOf((AUTO, *DIALECTS))
    ] = AUTO
    timeout: Annotated[
        float, Doc("Bound of every connect and every answer [s]."), Range(0.1, 10.0)
    ] = 3.0
    feedback_timeout: Annotated[
        float, Doc("Age of the feedback at which the link counts as lost [s]."), Range(0.05, 5.0)
    ] = 0.5
    speed_factor: Annotated[int, Doc("SpeedFactor at start [%]."), Range(1, 100)] = 20
    acceleration: Annotated[int, Doc("AccJ at start [%]."), Range(1, 100)] = 20
    speed: Annotated[int, Doc("SpeedJ at start [%]."), Range(1, 100)] = 20
    tool_length: Annotated[
        float, Doc("Flange to the point between the finger tips [mm]."), Range(0.0, 500.0)
    ] = 197.0
    open_gripper: Annotated[bool, Doc("Open the gripper at start.")] = True
    stop_action: Annotated[
        str,
        Doc("What a stop of the arbiter sends: nothing, ResetRobot() or EmergencyStop()."),
        OneOf(STOP_ACTIONS),
    ] = "reset"
    gripper_closed: Annotated[
        int, Doc("Servo position of the closed gripper [ticks]."), Range(0, 4095)
    ] = 2048
    gripper_opened: Annotated[
        int, Doc("Servo position of the open gripper [ticks]."), Range(0, 4095)
    ] = 3055
    gripper_speed: Annotated[int, Doc("Speed [ticks/s]."), Range(1, 10000)] = 4096
    gripper_torque: Annotated[int, Doc("Torque limit, of 1000."), Range(1, 1000)] = 300
    gripper_baudrate: Annotated[
        int, Doc("Baud rate of the gripper's port."), Range(9600, 4000000)
    ] = 1_000_000


def arm_settings(name: str, p: ArmParameters) -> ArmSettings:
    """Make the settings of the arm of that name."""
    gripper = GripperSettings(
        port=p.gripper_port,
        number=p.gripper_id or (22 if name == "right" else 21),
        baudrate=p.gripper_baudrate,
        closed=p.gripper_closed,
        opened=p.gripper_opened,
        speed=p.gripper_speed,
        torque_limit=p.gripper_torque,
    )
    return ArmSettings(
        address=Address(
            host=p.host,
            dashboard_port=p.dashboard_port,
            motion_port=p.motion_port,
            feedback_port=p.feedback_port,
            timeout=p.timeout,
            protocol=p.protocol,
        ),
        gripper=gripper if p.gripper_port else None,
        speed_factor=p.speed_factor,
        acceleration=p.acceleration,
        speed=p.speed,
        tool_length=p.tool_length,
        open_gripper=p.open_gripper,
        feedback_timeout=p.feedback_timeout,
        stop_action=p.stop_action,
    )


def light_settings(p: DriverParameters, arms: Collection[str]) -> LightSettings | None:
    """Make the stack light's settings, None when there is none."""
    if not p.light_arm:
        return None
    if p.light_arm not in arms:
        raise UnknownName("value of parameter 'light_arm'", p.light_arm, arms)
    if len(p.light_outputs) != len(LAMPS):
        raise InvalidValue(
            f"Parameter 'light_outputs' must name one output for each of {', '.join(LAMPS)},"
            f" got {list(p.light_outputs)}"
        )
    red, yellow, green = p.light_outputs
    return LightSettings(p.light_arm, (red, yellow, green))


def driver_settings(p: DriverParameters, arms: dict[str, ArmParameters]) -> DriverSettings:
    """Make the driver's settings."""
    return DriverSettings(
        arms={name: arm_settings(name, arm) for name, arm in arms.items()},
        period=1.0 / p.servo_rate,
        lookahead=p.servo_lookahead,
        gain=p.servo_gain,
        delay=p.interpolation_delay,
        command_timeout=p.command_timeout,
        max_jump=p.max_jump,
        lock_folder=p.lock_folder or None,
    )
