# SPDX-License-Identifier: Apache-2.0
"""The running graph with somebody's seat in it, and what became of an episode."""

from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from device_people import Person, story
from geometry_msgs.msg import PoseStamped

from hiors.arguments import BringupArgs
from hiors.demo.records import EpisodeRow
from hiors.demo.session import Session
from hiors.graph import build_graph
from hiors.places import config_file
from hiors.up import Bringup
from hiors_core.authority import Authority
from hiors_core.episode import Episode, load_episode
from hiors_core.robot import RobotModel, load_robot
from hiors_core.task import load_task
from hiors_policy.checkpoint import save_checkpoint
from hiors_policy.flow_policy import FlowPolicy, FlowSettings
from hiors_policy.manifest import CheckpointManifest
from hiors_policy.network import NetworkSettings
from hiors_policy.normalization import Normalization
from hiors_ros import qos

ROOMS = ("robot", "arbiter", "policy", "episodes", "bridge", "people")
TRIES = 3


def calm_policy(
    robot: RobotModel, objects: tuple[str, ...], folder: Path, step: int = 0
) -> CheckpointManifest:
    """Save an untrained policy that trembles by millimetres with an open gripper."""
    network = NetworkSettings(width=16, blocks=1)
    policy = FlowPolicy(robot, FlowSettings(objects=objects, network=network, horizon=8))
    features = len(policy.network.state_mean)
    grippers = np.array([unit == "1" for unit in policy.spec.units])
    policy.network.set_normalization(
        Normalization(
            state_mean=np.zeros(features, np.float32),
            state_std=np.ones(features, np.float32),
            action_mean=grippers.astype(np.float32),
            action_std=np.full(len(grippers), 0.001, np.float32),
        )
    )
    return save_checkpoint(folder, policy, version=f"v{step:06d}", step=step)


def patient_task(name: str, folder: Path) -> Path:
    """Write the task with a time limit that a loaded machine does not run into."""
    data = yaml.safe_load(config_file("tasks", name).read_text(encoding="utf-8"))
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(data | {"time_limit": 45.0}), encoding="utf-8")
    return path


def drove(episode: Episode) -> list[Authority]:
    """Return who moved the robot in turn. Of a busy machine's faltering nothing is left."""
    moved = [who for who in episode.authority.tolist() if who != Authority.HOLD]
    return [Authority(who) for who, _ in groupby(moved)]


class Room:
    """A graph of ``hiors up`` with a policy that needs help.

    Args:
        own: parameters of nodes, by node. words: arguments of the graph.
    """

    def __init__(self, folder: Path, task: str, own: dict[str, Any], **words: Any) -> None:
        task_file = patient_task(task, folder)
        self.folder, self.task = folder, load_task(task_file)
        self.robot = load_robot(config_file("robots", self.task.robot), ["left"])
        # A loaded machine must not look like a faltering hand, nor like an arm that is lost.
        arms = "left." if self.task.robot == "xtrainer" else ""
        nodes = {
            "arbiter": {"teleop_timeout": 0.5, "feedback_timeout": 0.5},
            "driver": {f"{arms}feedback_timeout": 3.0},
        } | own
        params = folder / "params.yaml"
        text = yaml.safe_dump({name: {"ros__parameters": p} for name, p in nodes.items()})
        params.write_text(text, encoding="utf-8")
        start = folder / "start"
        calm_policy(self.robot, self.task.objects, start)
        self.args = BringupArgs(
            robot=self.task.robot,
            task=str(task_file),
            cameras=False,
            run_dir=str(folder / "run"),
            params=str(params),
            policy=str(start),
            **words,
        )
        self.said: list[str] = []
        self.session: Session
        self._height = float("nan")

    def play(
        self,
        person: Callable[[Any], Person] | None = None,
        between: Callable[[], object] = lambda: None,
        wanted: int = 1,
    ) -> list[tuple[EpisodeRow, Episode]]:
        """Run episodes until ``wanted`` of them are accepted; return those.

        Args:
            person: makes who sits down at the graph, from the node of the seat.
            between: called after each accepted episode but the last.
        """
        graph = build_graph(self.args, ROOMS)
        with Bringup(graph, self.args, self.said.append) as bringup, Session() as session:
            self.session = session

            def beat() -> None:
                assert bringup.step() is None, "\n".join(self.said[-20:])

            self.beat = beat
            session.node.create_subscription(
                PoseStamped, "ee_pose/left", self._on_tool, qos.profile("ee_pose")
            )
            session.ready(beat)
            seated = person(session.node) if person else None
            try:
                return self._play(seated, between, wanted)
            finally:
                if seated:
                    seated.close()

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Wait while the graph runs."""
        self.session.wait(condition, 60.0, what, self.beat)

    def _play(
        self, person: Person | None, between: Callable[[], object], wanted: int
    ) -> list[tuple[EpisodeRow, Episode]]:
        if person:
            self.wait(person.ready, "the device")
        accepted, rows = [], []
        # On a machine that is busy with other things, ticks or time may be lost: tried again.
        for number in range(wanted + TRIES - 1):
            rows.append(row := EpisodeRow(number=number, seed=10 + number))
            self._run(row, person)
            if not row.episode_id and not self.session.robot_ready:
                self.session.recover(self.beat, self.said.append)
            if row.decision != "accepted":
                continue
            where = self.folder / "run" / "store" / "episodes" / row.episode_id
            accepted.append((row, load_episode(where)))
            if len(accepted) == wanted:
                return accepted
            between()
        pytest.fail("\n".join([*map(str, rows), *self.said[-30:]]))

    def _run(self, row: EpisodeRow, person: Person | None) -> None:
        turns: Iterator[None] = iter(())
        if person:
            turns = story(person, self._authority, lambda: self._height)

        def act() -> None:
            self.beat()
            next(turns, None)

        self.session.run_episode(row, self.task.name, act)
        if row.outcome == "success":
            self.wait(lambda: self._decided(row), "the decision")

    def _decided(self, row: EpisodeRow) -> bool:
        self.session.update(row)
        return bool(row.decision)

    def _authority(self) -> str:
        control = self.session.heard.control
        return "" if control is None else Authority(control.authority).name

    def _on_tool(self, message: PoseStamped) -> None:
        self._height = message.pose.position.z
