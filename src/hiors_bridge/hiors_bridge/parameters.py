# SPDX-License-Identifier: Apache-2.0
"""Parameters of bridge_node and the acceptance rule that they and the task file amount to."""

from dataclasses import dataclass
from typing import Annotated

from hiors_core.acceptance import SCHEDULES, AcceptanceRule
from hiors_core.task import Task
from hiors_ros.parameters import Doc, OneOf, Range


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeParameters:
    """What bridge_node needs to know."""

    store: Annotated[str, Doc("Folder of the episode store.")]
    link: Annotated[str, Doc("Folder of the notices, the ledger and the learner's status.")]
    checkpoints: Annotated[str, Doc("Folder where the learner publishes checkpoints.")]
    robot_file: Annotated[str, Doc("Robot file, config/robots/*.yaml.")]
    task_file: Annotated[
        str, Doc("Task file, config/tasks/*.yaml: m, L_min and the no-op threshold.")
    ]
    arms: Annotated[tuple[str, ...], Doc("Arms in use; all of the robot file when empty.")] = ()
    label_grace: Annotated[
        float, Doc("Time after a label in which it may still be changed [s]."), Range(0.0, 3600.0)
    ] = 1.0
    schedule: Annotated[
        str, Doc("How the threshold m(k) of eq. 3 goes on: see hiors_core."), OneOf(SCHEDULES)
    ] = "constant"
    thresholds: Annotated[
        tuple[float, ...], Doc("Progressive schedule: m_1 <= m_2 <= ..., instead of the task's m.")
    ] = ()
    stage_episodes: Annotated[
        int, Doc("Progressive schedule: accepted episodes per stage."), Range(1, 1_000_000)
    ] = 10
    quantile: Annotated[
        float, Doc("Quantile schedule: share of the last returns below m."), Range(0.0, 1.0)
    ] = 0.5
    window: Annotated[
        int, Doc("Quantile and lower_bound: number of last returns."), Range(1, 100_000)
    ] = 20
    radius: Annotated[
        float, Doc("lower_bound: distance of similar starts [m]."), Range(0.0, 1000.0)
    ] = 0.03
    least_rate: Annotated[
        float,
        Doc("lower_bound: least lower confidence bound of similar starts' success rate."),
        Range(0.0, 1.0),
    ] = 0.3
    deviations: Annotated[
        float, Doc("lower_bound: standard deviations of the bound."), Range(0.0, 10.0)
    ] = 1.0
    grace: Annotated[
        int, Doc("lower_bound: similar starts believed before judging."), Range(0, 100_000)
    ] = 4
    max_gap: Annotated[
        float,
        Doc("Longest time without an action or joint state in an accepted episode [s]."),
        Range(0.0, 3600.0),
    ] = 0.5
    max_missing: Annotated[
        float, Doc("Largest share of lost control ticks in an accepted episode."), Range(0.0, 1.0)
    ] = 0.2
    status_timeout: Annotated[
        float, Doc("Age of the learner's status after which it is GONE [s]."), Range(0.5, 3600.0)
    ] = 5.0
    learner: Annotated[
        str, Doc("Where the learner is: local (files), or tcp://HOST:PORT of another machine.")
    ] = "local"
    actor: Annotated[str, Doc("Name of this robot at a learner on another machine.")] = "robot"
    keys: Annotated[
        str, Doc("Folder of keys (`hiors keys`); needed unless the learner is on this machine.")
    ] = ""
    spool_limit_gib: Annotated[
        float,
        Doc(
            "Accepted episodes that wait for the learner [GiB]; then none may begin. 0: no limit."
        ),
        Range(0.0, 1e6),
    ] = 50.0
    store_limit_gib: Annotated[
        float,
        Doc("Size above which the oldest rejected episodes are deleted [GiB]; 0: never."),
        Range(0.0, 1e6),
    ] = 0.0
    checkpoint_limit_gib: Annotated[
        float,
        Doc(
            "Size above which the oldest checkpoints from a learner on another machine are"
            " deleted, but for the three newest [GiB]; 0: never."
        ),
        Range(0.0, 1e6),
    ] = 50.0


def acceptance_rule(parameters: BridgeParameters, task: Task) -> AcceptanceRule:
    """Return the rule for the task's episodes."""
    return AcceptanceRule(
        schedule=parameters.schedule,
        threshold=task.threshold,
        thresholds=parameters.thresholds,
        stage_episodes=parameters.stage_episodes,
        quantile=parameters.quantile,
        window=parameters.window,
        radius=parameters.radius,
        least_rate=parameters.least_rate,
        deviations=parameters.deviations,
        grace=parameters.grace,
        min_length=task.min_length,
        min_transitions=task.min_transitions,
        max_gap=parameters.max_gap,
        max_missing=parameters.max_missing,
    )
