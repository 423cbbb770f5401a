# SPDX-License-Identifier: Apache-2.0
"""An Agent as a Policy of a robot: Observation in, absolute chunk out. Knows no algorithm."""

from collections.abc import Sequence

import numpy as np

from hiors_core.observation import Observation
from hiors_core.robot import RobotModel
from hiors_learner.agent import Actor, AgentSpec
from hiors_policy.actions import ActionCodec
from hiors_policy.observation import STATE_GROUPS, StateEncoder
from hiors_policy.policy import Array, PolicySpec


def agent_spec(
    robot: RobotModel,
    kind: str,
    objects: Sequence[str],
    features: Sequence[str] = STATE_GROUPS,
    dt: float = 0.1,
) -> AgentSpec:
    """Return the shapes of a robot's problem; ``kind`` is the action space."""
    codec = ActionCodec(robot, kind)
    return AgentSpec(
        features=len(StateEncoder(robot, objects, features).names),
        actions=len(codec.space.names),
        grippers=tuple(int(i) for i in np.flatnonzero(codec.grippers)),
        dt=dt,
    )


class AgentPolicy:
    """A Policy over an Agent that goes on learning. One instance serves one thread at a time.

    Attributes:
        explore: passed to the agent's ``act``; True while collecting data.
    """

    def __init__(
        self,
        agent: Actor,
        robot: RobotModel,
        kind: str = "ee",
        objects: Sequence[str] = (),
        features: Sequence[str] = STATE_GROUPS,
        *,
        binary_gripper: bool = True,
        explore: bool = False,
    ) -> None:
        self.agent, self.explore = agent, explore
        self._encoder = StateEncoder(robot, objects, features)
        self._codec = ActionCodec(robot, kind)
        self._binary = binary_gripper
        space = self._codec.space
        self._spec = PolicySpec(
            robot=robot.name,
            kind=kind,
            names=space.names,
            units=space.units,
            horizon=agent.horizon,
            dt=agent.spec.dt,
            objects=tuple(objects),
        )

    @property
    def spec(self) -> PolicySpec:
        """The columns, the horizon and what an observation must have."""
        return self._spec

    def predict(
        self, observation: Observation, instruction: str = "", seed: int | None = None
    ) -> Array:
        """Return a chunk (H, A) of absolute actions; the instruction is not used."""
        seeds = None if seed is None else [seed]
        chunk: Array = self.predict_batch([observation], [instruction], seeds)[0]
        return chunk

    def predict_batch(
        self,
        observations: Sequence[Observation],
        instructions: Sequence[str] = (),
        seeds: Sequence[int] | None = None,
    ) -> Array:
        """Return chunks (B, H, A) of absolute actions."""
        del instructions  # One agent, one task.
        if not observations:
            return np.empty((0, self._spec.horizon, len(self._spec.names)))
        states = np.stack([self._encoder.encode(o) for o in observations])
        steps = self.agent.act(states, seeds, explore=self.explore)
        bases = [self._codec.base(o.position) for o in observations]
        chunks = np.stack([self._codec.decode(s, b) for s, b in zip(steps, bases, strict=True)])
        return self._codec.close_or_open(chunks) if self._binary else chunks
