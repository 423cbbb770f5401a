# SPDX-License-Identifier: Apache-2.0
"""ROS parameters of the simulator and of the scripted operator."""

from dataclasses import dataclass
from typing import Annotated

from hiors_ros.parameters import Doc, Range

_ROBOT = Doc("Robot file (config/robots/*.yaml).")
_TASK = Doc("Task file with a scene (config/tasks/*.yaml).")


@dataclass(frozen=True, slots=True, kw_only=True)
class SimParameters:
    """Parameters of every simulator."""

    robot_file: Annotated[str, _ROBOT]
    task_file: Annotated[str, _TASK]
    arms: Annotated[tuple[str, ...], Doc("Arms that move, as in the robot file; empty: all.")] = ()
    seed: Annotated[int, Doc("Seed of the first scene."), Range(0, 2**62)] = 0
    images: Annotated[bool, Doc("Render and publish the cameras.")] = True
    cameras: Annotated[
        tuple[str, ...], Doc("Cameras to publish; empty: all of the robot file.")
    ] = ()
    image_rate: Annotated[float, Doc("Rate of each camera [Hz]."), Range(0.1, 90.0)] = 10.0
    image_width: Annotated[int, Doc("Width of the pictures [pixels]."), Range(16, 1280)] = 160
    image_height: Annotated[int, Doc("Height of the pictures [pixels]."), Range(16, 960)] = 120
    object_rate: Annotated[float, Doc("Rate of objects/<name>/pose [Hz]."), Range(1.0, 120.0)] = (
        60.0
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SimArmParameters:
    """Where one arm's devices are served; names begin with the arm's name and a dot."""

    gripper_port: Annotated[
        str, Doc("Symbolic link to make to the gripper's pty; the driver opens the same path.")
    ]
    host: Annotated[str, Doc("Address to listen on; any of 127.0.0.0/8 works.")] = "127.0.0.1"
    dashboard_port: Annotated[int, Doc("TCP port of requests."), Range(1, 65535)] = 29999
    motion_port: Annotated[int, Doc("TCP port of motion commands."), Range(1, 65535)] = 30003
    feedback_port: Annotated[int, Doc("TCP port of the feedback."), Range(1, 65535)] = 30004
    gripper_id: Annotated[
        int, Doc("Servo id of the gripper; 0: as shipped, 21 left and 22 right."), Range(0, 253)
    ] = 0
    gripper_closed: Annotated[
        int, Doc("Servo position of the closed gripper [ticks]."), Range(0, 4095)
    ] = 2048
    gripper_opened: Annotated[
        int, Doc("Servo position of the open gripper [ticks]."), Range(0, 4095)
    ] = 3055
    servoj_replies: Annotated[bool, Doc("Answer ServoJ, as some firmware does.")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ToraSimParameters(SimParameters):
    """Parameters of tora_sim_node."""

    robot_namespace: Annotated[
        str, Doc("What the names of the simulated robot begin with, as in its driver.")
    ] = "tora"
    state_rate: Annotated[float, Doc("Rate of its joint states [Hz]."), Range(1.0, 500.0)] = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorParameters:
    """Parameters of operator_node."""

    robot_file: Annotated[str, _ROBOT]
    task_file: Annotated[str, _TASK]
    arms: Annotated[tuple[str, ...], Doc("Arms that move, as in the robot file; empty: all.")] = ()
    seed: Annotated[int, Doc("Seed of the person's choices."), Range(0, 2**62)] = 0
    rate: Annotated[float, Doc("Rate of looking and moving [Hz]."), Range(20.0, 100.0)] = 30.0
    demonstrate: Annotated[bool, Doc("Drive every episode from its start to its end.")] = False
    start_policy: Annotated[
        bool, Doc("Give the robot to the policy when recording begins and nobody drives.")
    ] = False
    max_age: Annotated[
        float, Doc("Age of tool, joints or objects at which the hand lets go [s]."), Range(0.05, 5)
    ] = 0.5
    name: Annotated[str, Doc("Name of the person, in labels and commands.")] = "scripted"
    skill: Annotated[float, Doc("0 .. 1: steadier and quicker when higher."), Range(0, 1)] = 0.9
    attention: Annotated[float, Doc("Share of episodes that are watched."), Range(0, 1)] = 0.8
    reaction_min: Annotated[
        float, Doc("Shortest time from trouble to taking over [s]."), Range(0, 10)
    ] = 0.1
    reaction_max: Annotated[
        float, Doc("Longest time from trouble to taking over [s]."), Range(0, 10)
    ] = 0.3
    hand_back: Annotated[
        float, Doc("Probability of handing back after each subgoal."), Range(0, 1)
    ] = 0.5
    keep_on: Annotated[
        float, Doc("Probability of finishing the task instead of handing back."), Range(0, 1)
    ] = 0.4
    pause: Annotated[float, Doc("Probability of a pause at a change of phase."), Range(0, 1)] = 0.0
    success_delay: Annotated[float, Doc("From success to the label [s]."), Range(0, 10)] = 0.3
    label_noise: Annotated[float, Doc("Probability of the opposite label."), Range(0, 1)] = 0.0
    glitch: Annotated[
        float, Doc("Probability of a slip: a success label soon after the start."), Range(0, 1)
    ] = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderSimParameters(OperatorParameters):
    """Parameters of leader_sim_node."""

    hand: Annotated[
        bool,
        Doc("A scripted person moves the leader and presses its buttons; false: nobody does."),
    ] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderArmSimParameters:
    """How one leader was put together; names begin with the arm's name and a dot."""

    port: Annotated[
        str, Doc("Symbolic link to make to the leader's pty; leader_node opens the same path.")
    ]
    offsets: Annotated[
        tuple[int, ...],
        Doc("Position of each servo where the robot's joint is 0 [ticks]."),
        Range(-1048576, 1048576),
    ]
    gripper_closed: Annotated[
        int, Doc("Position of the pressed handle [ticks]."), Range(-4096, 8191)
    ]
    gripper_opened: Annotated[
        int, Doc("Position of the handle let go [ticks]."), Range(-4096, 8191)
    ]
