# SPDX-License-Identifier: Apache-2.0
"""Parameters of the policy node."""

from dataclasses import dataclass
from typing import Annotated

from hiors_ros.parameters import Doc, OneOf, Range

SWAPS = ("chunk", "episode")
DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyParameters:
    """Parameters of the node; what the policy looks at is in its checkpoint."""

    robot_file: Annotated[str, Doc("Robot file (config/robots/*.yaml).")]
    task_file: Annotated[str, Doc("Task file (config/tasks/*.yaml): the instruction.")]
    checkpoint: Annotated[
        str, Doc("Checkpoint folder to start with; empty: the newest in checkpoints.")
    ] = ""
    checkpoints: Annotated[
        str, Doc("Folder in which the learner publishes checkpoints (latest.json).")
    ] = ""
    arms: Annotated[
        tuple[str, ...], Doc("Arms in use, as in the robot file; empty: all of them.")
    ] = ()
    replan_interval: Annotated[
        float, Doc("Time from one inference to the next [s]."), Range(0.02, 5.0)
    ] = 0.4
    follow_learner: Annotated[
        bool, Doc("Load what learner/checkpoint announces, without being asked.")
    ] = True
    swap: Annotated[
        str,
        Doc("When a new checkpoint takes over: between chunks, or once the policy stops driving."),
        OneOf(SWAPS),
    ] = "chunk"
    gate: Annotated[
        str,
        Doc(
            "Episode store with held-out demonstrations: a new checkpoint whose chunks are much"
            " farther from them than those of the present one is refused; empty: no such check."
        ),
    ] = ""
    gate_ratio: Annotated[
        float, Doc("How many times the present policy's error a new one may have."), Range(1, 100)
    ] = 1.5
    rtc: Annotated[
        bool,
        Doc(
            "Real-time chunking: a new chunk goes on from the one in execution, so that slow"
            " inference makes no seam; each step of the flow costs a backward pass more."
        ),
    ] = False
    device: Annotated[
        str,
        Doc("Where a pi0 runs; auto: the GPU when there is one. Small policies: always the CPU."),
        OneOf(DEVICES),
    ] = "auto"
    noise: Annotated[
        float,
        Doc(
            "Scale of the noise that an inference starts from: 1 as it was trained; with less, the"
            " chunks of one moment are more alike and follow each other without a jerk; with 0 the"
            " same is done whenever the same is seen."
        ),
        Range(0, 2),
    ] = 1.0
    seed: Annotated[int, Doc("Seed of the policy's noise."), Range(0, 2**31 - 1)] = 0
    joints_max_age: Annotated[
        float, Doc("Age of joint_states beyond which nothing is inferred [s]."), Range(0.01, 5.0)
    ] = 0.2
    command_max_age: Annotated[
        float, Doc("The same for control/command, the command in force [s]."), Range(0.01, 5.0)
    ] = 0.2
    objects_max_age: Annotated[
        float, Doc("The same for each objects/<name>/pose [s]."), Range(0.01, 10.0)
    ] = 0.5
    cameras_max_age: Annotated[
        float, Doc("The same for each camera/<name>/color/image_raw [s]."), Range(0.01, 10.0)
    ] = 0.5
    state_max_age: Annotated[
        float, Doc("The same for control/state, which says who drives [s]."), Range(0.3, 10.0)
    ] = 1.0
