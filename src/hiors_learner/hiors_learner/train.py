# SPDX-License-Identifier: Apache-2.0
"""The training process: one loop that every rank runs in step. Rank 0 decides, all obey.

Start it with hiors_learner.launch (several ranks, restarts) or as `python -m hiors_learner.train`
(one rank).
"""

import logging
import signal
import sys

import tyro

from hiors_core.clock import Clock, SteadyClock
from hiors_core.errors import HiorsError
from hiors_core.robot import RobotModel, load_robot
from hiors_core.task import Task, load_task
from hiors_learner.arguments import Arguments
from hiors_learner.config import load_settings
from hiors_learner.data import SampleReader
from hiors_learner.launch import REFUSED
from hiors_learner.lead import KINDS, OfflineLead, OnlineLead
from hiors_learner.learner import Learner
from hiors_learner.losses import tune
from hiors_learner.publisher import Publisher, is_online_version
from hiors_learner.settings import LearnerSettings
from hiors_learner.status import State, Status, StatusFile
from hiors_learner.team import Command, start_team
from hiors_policy.checkpoint import Checkpoint, load_checkpoint, read_latest
from hiors_policy.flow_policy import FlowPolicy, FlowSettings
from hiors_policy.manifest import Expectation
from hiors_policy.network import NetworkSettings
from hiors_policy.observation import VISION_GROUPS


def train(arguments: Arguments, clock: Clock) -> None:
    """Train until told to stop (online) or until the steps are done (offline)."""
    settings = load_settings(arguments.config)
    task = load_task(arguments.task)
    robot = load_robot(arguments.robot, arguments.arms or (task.arm,))
    start = _start(arguments, robot, settings)
    policy = start.policy if start else _new_policy(arguments, robot, task, settings)
    tune(policy, settings.tuning)
    parent = start.manifest.version if start else ""

    team = start_team()
    learner = Learner(policy, settings, team, normalized=start is not None, clock=clock)
    lead = _lead(arguments, task, learner, parent, clock) if team.leads else None
    if not lead:
        # Rank 0 hears the signal, saves, and then tells the others.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)

    states = arguments.run / "checkpoints" / "training" if arguments.run else None
    if states and learner.engine.resume(states):
        learner.resumed()
    elif start and not arguments.start and is_online_version(start.manifest):
        # The state was lost, the weights were not: the data have paid for these steps already.
        learner.engine.count_from(start.manifest.step)
    if lead:
        lead.begin()

    while True:
        command, value = team.tell(*(lead.decide() if lead else (Command.IDLE, 0)))
        if command is Command.DATA:
            samples = team.share(lead.pending if lead else None, learner.blank)
            learner.add(KINDS[min(value, 1)], samples, source=max(value - 1, 0))
        elif command is Command.STEP:
            loss = learner.step()
            if lead:
                lead.stepped(loss)
        elif command is Command.SAVE and states:
            learner.save(states)
            if lead:
                lead.saved()
        elif command is Command.STOP:
            break
    if lead:
        lead.end()
    team.end()


def _start(
    arguments: Arguments, robot: RobotModel, settings: LearnerSettings
) -> Checkpoint | None:
    folder = arguments.start
    if folder is None and arguments.run is not None:
        folder = read_latest(arguments.run / "checkpoints")
    if folder is None:
        return None
    wanted = settings.policy
    expect = Expectation(robot=robot, kind=wanted.kind, horizon=wanted.horizon, dt=wanted.dt)
    return load_checkpoint(folder, expect)


def _new_policy(
    arguments: Arguments, robot: RobotModel, task: Task, settings: LearnerSettings
) -> FlowPolicy:
    chosen, sees_images = settings.policy, arguments.policy == "vision"
    network = NetworkSettings(
        width=chosen.width,
        blocks=chosen.blocks,
        euler_steps=chosen.euler_steps,
        image_size=chosen.image_size,
        head=chosen.head,
    )
    flow = FlowSettings(
        kind=chosen.kind,
        horizon=chosen.horizon,
        dt=chosen.dt,
        objects=() if sees_images else task.objects,
        cameras=chosen.cameras if sees_images else (),
        features=VISION_GROUPS if sees_images else chosen.features,
        binary_gripper=chosen.binary_gripper,
        network=network,
    )
    return FlowPolicy(robot, flow, seed=settings.seed)


def _lead(
    arguments: Arguments, task: Task, learner: Learner, parent: str, clock: Clock
) -> OnlineLead | OfflineLead:
    reader = SampleReader(learner.policy, task.noop_threshold, learner.settings.data.lead_up)
    publisher = Publisher(learner.policy, parent, clock)
    if arguments.run is None:
        return OfflineLead(arguments, learner, reader, publisher, clock)
    return OnlineLead(arguments.run, arguments.demos, learner, reader, publisher, clock)


def main() -> int:
    """Run the command line; 0 done or stopped, 1 failed, 2 refused."""
    arguments = tyro.cli(Arguments, prog="python -m hiors_learner.train")
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    clock = SteadyClock()
    try:
        arguments.check()
        train(arguments, clock)
    except HiorsError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        if arguments.run:
            status = StatusFile(arguments.run / "link" / "status.json", clock)
            status.write(Status(state=State.FAILED, message=str(error)))
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
