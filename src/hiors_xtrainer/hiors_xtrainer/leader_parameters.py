# SPDX-License-Identifier: Apache-2.0
"""The leader node's ROS parameters, and how they become its settings."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from hiors_core.errors import InvalidValue
from hiors_core.robot import Arm
from hiors_ros.parameters import Doc, OneOf, Range
from hiors_xtrainer.leader_calibration import load_calibrations
from hiors_xtrainer.leader_mapping import LeaderMapping
from hiors_xtrainer.leader_session import LeaderRules
from hiors_xtrainer.leader_settings import (
    BOARDS,
    POSITION_TRAJECTORY,
    PRESENT_POSITION,
    LeaderCalibration,
    LeaderSettings,
)

SHIPPED_IDS = (1, 2, 4, 5, 6, 7)
SHIPPED_SECOND, SHIPPED_GRIPPER = 3, 8
SHIPPED_SIGNS = (1, 1, -1, -1, -1, 1)
RIGHT = 10
"""What is added to the ids on the right."""
RELEASES = ("hold", "policy", "human")


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderParameters:
    """Parameters of the node."""

    robot_file: Annotated[str, Doc("Robot file (config/robots/xtrainer.yaml).")]
    arms: Annotated[
        tuple[str, ...], Doc("Arms that have a leader, as in the robot file; empty: all of them.")
    ] = ()
    calibration_file: Annotated[str, Doc("What `hiors calibrate leader` wrote.")] = (
        "~/.ros/hiors/leader.yaml"
    )
    operator_name: Annotated[str, Doc("Who drives, for the record.")] = "operator"
    rate: Annotated[
        float, Doc("Readings and commands of each leader [Hz]."), Range(30.0, 250.0)
    ] = 60.0
    engage_limit: Annotated[
        float,
        Doc("Farthest a joint may be from the robot's when it begins to follow [rad]."),
        Range(0.05, 0.6),
    ] = 0.6
    max_step: Annotated[
        float, Doc("Leap of a joint between two readings that is a fault [rad]."), Range(0.05, 1.5)
    ] = 0.6
    tolerance: Annotated[
        float,
        Doc("Distance at which leader and robot count as together [rad]."),
        Range(0.01, 0.3),
    ] = 0.05
    hold_on_approach: Annotated[
        bool, Doc("Hold the leader still until the robot has come to it.")
    ] = True
    align_timeout: Annotated[
        float, Doc("Longest time to drive the leader to the robot [s]."), Range(1.0, 120.0)
    ] = 15.0
    patience: Annotated[
        float,
        Doc("Silence of the servos after which the leader counts as lost [s]."),
        Range(0.05, 1.0),
    ] = 0.2
    feedback_timeout: Annotated[
        float,
        Doc("Age of joint_states beyond which the robot's position is not known [s]."),
        Range(0.05, 2.0),
    ] = 0.3
    release_to: Annotated[
        str,
        Doc("Who has the robot after a person ended to follow: nobody, the policy, the person."),
        OneOf(RELEASES),
    ] = "hold"
    task: Annotated[
        str, Doc("Task of episodes begun with the record button; empty: the recorder's.")
    ] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderArmParameters:
    """Parameters of one leader; their names begin with the arm's."""

    port: Annotated[str, Doc("Serial port of the leader.")]
    baudrate: Annotated[int, Doc("Baud rate; 0: 2000000, then 1000000."), Range(0, 4500000)] = 0
    ids: Annotated[
        tuple[int, ...],
        Doc("Servo of each joint; empty: as shipped, 1 2 4 5 6 7, on the right 10 more."),
        Range(0, 252),
    ] = ()
    signs: Annotated[
        tuple[int, ...],
        Doc("Sense of each joint against the robot's, 1 or -1; empty: as shipped."),
        Range(-1, 1),
    ] = ()
    gripper_id: Annotated[
        int, Doc("Servo of the handle; 0: as shipped, 8, on the right 18."), Range(0, 252)
    ] = 0
    second_ids: Annotated[
        tuple[int, ...],
        Doc("Servos that share a joint with its main one; empty: as shipped, 3 or 13; -1: none."),
        Range(-1, 252),
    ] = ()
    second_joints: Annotated[
        tuple[int, ...], Doc("Joint of each of them, from 1; empty: as shipped, 2."), Range(1, 16)
    ] = ()
    second_signs: Annotated[
        tuple[int, ...],
        Doc("Sense of each against the main one, 0 leaves it limp; empty: 0."),
        Range(-1, 1),
    ] = ()
    read_address: Annotated[
        int,
        Doc("Register of the position: 132 present, 140 trajectory."),
        Range(PRESENT_POSITION, POSITION_TRAJECTORY),
    ] = PRESENT_POSITION
    extended: Annotated[
        bool,
        Doc("Set the servos to count turns: driving across the seam of a turn needs it."),
    ] = True
    board: Annotated[
        str, Doc("Button board: none, plain (2 bytes), with a hand sensor (4)."), OneOf((*BOARDS,))
    ] = "plain"
    gains: Annotated[
        tuple[int, ...],
        Doc("Position P gain of each joint; empty: what the servos have."),
        Range(0, 16383),
    ] = ()
    pwm_limit: Annotated[
        int, Doc("PWM limit, of 885; 0: what the servos have."), Range(0, 885)
    ] = 250
    align_speed: Annotated[
        float, Doc("Speed of the leader when it is driven [rad/s]."), Range(0.05, 2.0)
    ] = 0.5
    offsets: Annotated[
        tuple[int, ...],
        Doc("Position of each servo where the robot's joint is 0 [ticks]; empty: calibrated."),
        Range(-1048576, 1048576),
    ] = ()
    gripper_closed: Annotated[
        int, Doc("Position of the pressed handle [ticks]; with offsets."), Range(-4096, 8191)
    ] = 0
    gripper_opened: Annotated[
        int, Doc("Position of the handle let go [ticks]; with offsets."), Range(-4096, 8191)
    ] = 0


def leader_settings(arm: Arm, p: LeaderArmParameters) -> LeaderSettings:
    """Make the settings of the leader of this arm."""
    more = RIGHT if arm.name == "right" else 0
    if p.read_address not in (PRESENT_POSITION, POSITION_TRAJECTORY):
        raise InvalidValue(
            f"Parameter '{arm.name}.read_address' must be {PRESENT_POSITION} or"
            f" {POSITION_TRAJECTORY}, got {p.read_address}"
        )
    second = p.second_ids or (SHIPPED_SECOND + more,)
    second = () if second == (-1,) else second
    settings = LeaderSettings(
        port=p.port,
        baudrate=p.baudrate,
        ids=p.ids or tuple(i + more for i in SHIPPED_IDS),
        signs=p.signs or SHIPPED_SIGNS,
        gripper_id=p.gripper_id or SHIPPED_GRIPPER + more,
        second_ids=second,
        second_joints=p.second_joints or (2,) * len(second),
        second_signs=p.second_signs or (0,) * len(second),
        read_address=p.read_address,
        extended=p.extended,
        board=p.board,
        gains=p.gains,
        pwm_limit=p.pwm_limit,
        align_speed=p.align_speed,
    )
    if len(settings.ids) != len(arm.joints):
        raise InvalidValue(
            f"Parameter '{arm.name}.ids' must have one id for each of the {len(arm.joints)}"
            f" joints, got {list(settings.ids)}"
        )
    return settings


def leader_mapping(arm: Arm, p: LeaderArmParameters, file: str) -> LeaderMapping | None:
    """Make the mapping from the parameters, else from the file; None when neither has it."""
    path = Path(file).expanduser()
    if p.offsets:
        found = LeaderCalibration(
            offsets=p.offsets, gripper_closed=p.gripper_closed, gripper_opened=p.gripper_opened
        )
    elif (stored := load_calibrations(path).get(arm.name)) is None:
        return None
    else:
        found = stored
    if len(found.offsets) != len(arm.joints):
        raise InvalidValue(
            f"The calibration of the {arm.name} leader has {len(found.offsets)} offsets for"
            f" {len(arm.joints)} joints ({'parameters' if p.offsets else path})."
        )
    return LeaderMapping(p.signs or SHIPPED_SIGNS, found)


def leader_rules(p: LeaderParameters) -> LeaderRules:
    """Make the rules of every leader."""
    return LeaderRules(
        engage_limit=p.engage_limit,
        max_step=p.max_step,
        tolerance=p.tolerance,
        hold_on_approach=p.hold_on_approach,
        align_timeout=p.align_timeout,
        feedback_timeout=p.feedback_timeout,
    )
