# SPDX-License-Identifier: Apache-2.0
"""An arbiter with a robot that follows, for the tests of who drives."""

import dataclasses
from pathlib import Path

import numpy as np

from hiors_core.action_space import ActionMapper, action_space
from hiors_core.arbiter import Arbiter, ArbiterSettings
from hiors_core.authority import Request
from hiors_core.chunk import Chunk
from hiors_core.clock import FakeClock
from hiors_core.command import Command
from hiors_core.kinematics import ArmKinematics
from hiors_core.robot import load_robot
from hiors_core.teleop import Teleop

ROBOT = load_robot(Path(__file__).parents[3] / "config/robots/xtrainer.yaml", ["left"])
ARM = ROBOT.arms[0]
KINEMATICS = ArmKinematics(ARM)
MAPPER = ActionMapper(ROBOT)
DT = 1.0 / 30.0
IDENTITY = np.array((0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0))


class Rig:
    """An arbiter, a clock and a robot that is at each command one tick later."""

    def __init__(self, **settings) -> None:
        self.clock = FakeClock(10**12)
        self.arbiter = Arbiter(ROBOT, ArbiterSettings(**settings))
        self.feedback = True
        self.sequence = 0
        self.commands: list[Command] = []
        self.arbiter.on_feedback(ROBOT.home, self.clock.now())
        self.run(1)

    def run(self, ticks: int) -> Command:
        for _ in range(ticks):
            now = self.clock.advance(DT)
            if self.feedback:
                assert self.arbiter.on_feedback(self.arbiter.command, now) is None
            self.commands.append(self.arbiter.tick(now))
        return self.commands[-1]

    def ask(self, request: Request, operator: str = "ada"):
        return self.arbiter.request(request, operator, "", self.clock.now())

    def chunk(self, goal, *, rows=20, dt=0.1, kind="joint", start=None, **changes) -> Chunk:
        """A straight line from the command in force to ``goal`` over the chunk."""
        space = action_space(ROBOT, kind)
        start = self.arbiter.command if start is None else start
        way = np.linspace(0.0, 1.0, rows + 1)[1:, None]
        self.sequence += 1
        made = Chunk(
            obs_stamp=self.clock.now(),
            sequence=self.sequence,
            epoch=self.arbiter.epoch,
            policy_version="v000007",
            kind=kind,
            names=space.names,
            units=space.units,
            dt=dt,
            values=start + way * (goal - start),
        )
        return dataclasses.replace(made, **changes)

    def send(self, chunk: Chunk) -> str | None:
        return self.arbiter.on_chunk(chunk, self.clock.now())

    def hand(self, **changes) -> str | None:
        made = Teleop(
            stamp=self.clock.now(),
            device="quest",
            operator="ada",
            arm="left",
            mode="relative_ee",
            engaged=True,
            clutch=1,
            pose=IDENTITY,
            names=(),
            position=np.zeros(0),
            gripper=None,
        )
        return self.arbiter.on_teleop(dataclasses.replace(made, **changes), self.clock.now())

    def leader(self, offset: float, **changes) -> str | None:
        position = ARM.home + offset
        return self.hand(mode="joint", names=ARM.joints, position=position, **changes)

    def assert_smooth(self) -> None:
        """Every command since the start is a legal step from the one before."""
        path = np.stack([c.position for c in self.commands])[:, :6]
        speed = np.diff(path, axis=0) / DT
        assert np.all(np.abs(speed) <= ARM.limits.velocity + 1e-6)
        ramp = ARM.limits.acceleration * DT + 1e-6
        assert np.all(np.abs(np.diff(speed, axis=0)) <= ramp)


GOAL = ROBOT.home + np.array((0.3, 0.1, -0.1, 0.1, 0.1, 0.1, -0.5))


def driving_rig(**settings) -> Rig:
    rig = Rig(**settings)
    assert rig.ask(Request.POLICY).ok
    assert rig.send(rig.chunk(GOAL)) is None
    return rig
