# SPDX-License-Identifier: Apache-2.0
"""Parameters of recorder_node."""

from dataclasses import dataclass
from typing import Annotated

from hiors_ros.parameters import Doc, Range


@dataclass(frozen=True, slots=True, kw_only=True)
class RecorderParameters:
    """What recorder_node needs to know."""

    store: Annotated[str, Doc("Folder of the episode store; it is made if missing.")]
    robot_file: Annotated[str, Doc("Robot file, config/robots/*.yaml.")]
    task_file: Annotated[str, Doc("Task file, config/tasks/*.yaml.")]
    arms: Annotated[tuple[str, ...], Doc("Arms in use; all of the robot file when empty.")] = ()
    cameras: Annotated[
        tuple[str, ...], Doc("Cameras to record; those of the robot file when empty.")
    ] = ()
    record_images: Annotated[bool, Doc("Whether camera images are recorded.")] = True
    image_max_age: Annotated[
        float,
        Doc("Age above which a frame does not belong to a transition any more [s]."),
        Range(0.01, 60.0),
    ] = 0.5
    f_low: Annotated[
        float,
        Doc("f^low of eq. 6 [Hz]: transitions while the policy drives; 0: as in the task file."),
        Range(0.0, 1000.0),
    ] = 0.0
    f_high: Annotated[
        float,
        Doc("f^high of eq. 6 [Hz]: transitions while a person drives; 0: as in the task file."),
        Range(0.0, 1000.0),
    ] = 0.0
    reset_scene: Annotated[
        bool, Doc("Whether sim/reset_scene is called with the seed before an episode.")
    ] = False
    home: Annotated[bool, Doc("Whether the robot moves home before an episode.")] = True
    start_policy: Annotated[
        bool, Doc("Whether the policy is asked to drive at the start; else a person takes over.")
    ] = True
    ready_timeout: Annotated[
        float, Doc("Longest wait for fresh streams before an episode [s]."), Range(0.1, 600.0)
    ] = 10.0
    reset_timeout: Annotated[
        float, Doc("Longest wait for sim/reset_scene [s]."), Range(0.1, 3600.0)
    ] = 30.0
    home_timeout: Annotated[
        float, Doc("Longest wait for the home position [s]."), Range(0.1, 600.0)
    ] = 30.0
    control_timeout: Annotated[
        float,
        Doc("Time without an executed action after which the episode is aborted [s]."),
        Range(0.1, 60.0),
    ] = 2.0
