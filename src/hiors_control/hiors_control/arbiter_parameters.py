# SPDX-License-Identifier: Apache-2.0
"""Parameters of the arbiter node, and the settings of hiors_core that they become."""

from dataclasses import dataclass
from typing import Annotated

from hiors_core.action_space import KINDS
from hiors_core.arbiter import ArbiterSettings
from hiors_core.chunk import ChunkRules
from hiors_core.homing import HomeRules
from hiors_core.teleop import TeleopRules
from hiors_ros.parameters import Doc, OneOf, Range


@dataclass(frozen=True, slots=True, kw_only=True)
class ArbiterParameters:
    """Parameters of the node; the robot's limits and control rate are in the robot file."""

    robot_file: Annotated[str, Doc("Robot file (config/robots/*.yaml): limits, rate, home.")]
    arms: Annotated[
        tuple[str, ...], Doc("Arms to control, as in the robot file; empty: all of them.")
    ] = ()
    feedback_timeout: Annotated[
        float, Doc("Age of joint_states at which the robot holds [s]."), Range(0.02, 2.0)
    ] = 0.2
    follow_tolerance: Annotated[
        float,
        Doc("A joint farther than this from its command does not follow: HOLD [rad]."),
        Range(0.01, 3.0),
    ] = 0.5
    action_spaces: Annotated[
        tuple[str, ...], Doc("Kinds of chunks that are taken."), OneOf(KINDS)
    ] = KINDS
    chunk_max_age: Annotated[
        float,
        Doc("Age of an observation beyond which no action from it is executed [s]."),
        Range(0.05, 30.0),
    ] = 2.0
    chunk_blend: Annotated[
        float, Doc("Time over which a new chunk replaces the one before [s]."), Range(0.0, 1.0)
    ] = 0.1
    chunk_dt: Annotated[
        float, Doc("Only time between rows that is taken [s]; 0: any."), Range(0.0, 1.0)
    ] = 0.0
    starvation_grace: Annotated[
        float,
        Doc("POLICY without a fresh chunk row is HOLD after this [s]; it stands still before."),
        Range(0.01, 2.0),
    ] = 0.15
    first_chunk_timeout: Annotated[
        float, Doc("The same, from the request to the first chunk [s]."), Range(0.05, 60.0)
    ] = 2.0
    resume_window: Annotated[
        float,
        Doc("For how long after that fresh chunks resume POLICY unasked [s]."),
        Range(0.001, 3600.0),
    ] = 10.0
    release_timeout: Annotated[
        float, Doc("Silence of every device after which HUMAN is HOLD [s]."), Range(0.2, 3600.0)
    ] = 5.0
    teleop_timeout: Annotated[
        float,
        Doc("Silence of a device after which its arm holds until the clutch closes anew [s]."),
        Range(0.05, 1.0),
    ] = 0.2
    teleop_max_jump: Annotated[
        float, Doc("Leap between two poses that is a tracking fault [m]."), Range(0.01, 2.0)
    ] = 0.15
    teleop_max_turn: Annotated[
        float, Doc("Turn between two poses that is a tracking fault [rad]."), Range(0.05, 3.14)
    ] = 0.8
    teleop_max_joint_jump: Annotated[
        float, Doc("Leap of a leader arm's joint that is a fault [rad]."), Range(0.05, 3.14)
    ] = 0.6
    translation_scale: Annotated[
        float, Doc("Motion of the tool per motion of the hand."), Range(0.05, 5.0)
    ] = 1.0
    rotation_scale: Annotated[
        float, Doc("Turn of the tool per turn of the hand."), Range(0.05, 5.0)
    ] = 1.0
    approach_velocity: Annotated[
        float, Doc("Speed of the joints towards a leader arm [rad/s]."), Range(0.01, 3.0)
    ] = 0.4
    approach_tolerance: Annotated[
        float, Doc("Distance at which the leader arm has the robot [rad]."), Range(0.001, 0.5)
    ] = 0.05
    approach_limit: Annotated[
        float, Doc("A leader arm farther away is not followed [rad]."), Range(0.05, 7.0)
    ] = 0.6
    home_height: Annotated[
        float, Doc("A tool point below this is lifted before going home [m]."), Range(-2.0, 3.0)
    ] = 0.15
    home_lift: Annotated[float, Doc("By how much it is lifted [m]."), Range(0.0, 1.0)] = 0.10
    home_lift_velocity: Annotated[float, Doc("Speed of the lift [m/s]."), Range(0.01, 1.0)] = 0.15
    home_velocity: Annotated[
        float, Doc("Speed of the fastest joint on the way home [rad/s]."), Range(0.01, 3.0)
    ] = 0.6
    home_timeout: Annotated[
        float, Doc("Time after which the way home ends in HOLD [s]."), Range(1.0, 600.0)
    ] = 20.0
    realtime_priority: Annotated[
        int, Doc("SCHED_FIFO priority of the control thread; 0: leave it."), Range(0, 99)
    ] = 0

    def settings(self) -> ArbiterSettings:
        """Return the settings of the arbiter."""
        return ArbiterSettings(
            feedback_timeout=self.feedback_timeout,
            follow_tolerance=self.follow_tolerance,
            starvation_grace=self.starvation_grace,
            first_chunk_timeout=self.first_chunk_timeout,
            resume_window=self.resume_window,
            release_timeout=self.release_timeout,
            action_spaces=self.action_spaces,
            chunk=ChunkRules(
                max_age=self.chunk_max_age, blend=self.chunk_blend, dt=self.chunk_dt or None
            ),
            teleop=TeleopRules(
                timeout=self.teleop_timeout,
                max_jump=self.teleop_max_jump,
                max_turn=self.teleop_max_turn,
                max_joint_jump=self.teleop_max_joint_jump,
                translation_scale=self.translation_scale,
                rotation_scale=self.rotation_scale,
                approach_velocity=self.approach_velocity,
                approach_tolerance=self.approach_tolerance,
                approach_limit=self.approach_limit,
            ),
            home=HomeRules(
                height=self.home_height,
                lift=self.home_lift,
                lift_velocity=self.home_lift_velocity,
                velocity=self.home_velocity,
                timeout=self.home_timeout,
            ),
        )
