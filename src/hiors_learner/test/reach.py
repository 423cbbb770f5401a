# SPDX-License-Identifier: Apache-2.0
"""A quick problem for agents: move a point onto a goal and close the gripper there; reward 1 once,
at the end. The expert stands in for the person.
"""

from collections.abc import Sequence

import numpy as np

from hiors_learner.agent import Agent, AgentSpec
from hiors_learner.trajectory import Trajectory, make_trajectory

STEPS = 30
REACH = 0.1
NEAR = 0.06
SPEC = AgentSpec(features=5, actions=3, grippers=(2,), dt=0.1)


class Reach:
    """Points at -1 .. 1; a step moves by at most REACH in each axis."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.point = rng.uniform(-0.2, 0.2, 2)
        angle = rng.uniform(-np.pi, np.pi)
        self.goal = 0.7 * np.array([np.cos(angle), np.sin(angle)])
        self.gripper, self.done = 1.0, False

    def state(self) -> np.ndarray:
        return np.array([*self.point, *(self.goal - self.point), self.gripper], np.float32)

    def step(self, action: np.ndarray) -> float:
        self.point = np.clip(self.point + np.clip(action[:2], -REACH, REACH), -1.0, 1.0)
        self.gripper = float(action[2] > 0.5)
        self.done = self.gripper == 0.0 and bool(np.linalg.norm(self.goal - self.point) < NEAR)
        return float(self.done)

    def expert(self, rng: np.random.Generator) -> np.ndarray:
        away = self.goal - self.point
        move = np.clip(away + rng.normal(0.0, 0.01, 2), -REACH, REACH)
        return np.array([*move, float(np.linalg.norm(away) > REACH)], np.float32)


def demonstrate(seed: int, slips: float = 0.0) -> Trajectory:
    """Return an expert's episode; with ``slips`` it goes astray instead and fails."""
    rng, scene = np.random.default_rng([seed, 1]), Reach(seed)
    return _run(scene, lambda s: s.expert(rng), demonstration=True, human=lambda _: True)


def rollout(
    agent: Agent, seed: int, *, help_after: int = STEPS, explore: bool = True
) -> Trajectory:
    """Return an episode of the agent; the expert takes over at step ``help_after``."""
    rng, scene, rows = np.random.default_rng([seed, 2]), Reach(seed), []

    def act(s: Reach, step: list[int] = [0]) -> np.ndarray:  # noqa: B006
        step[0] += 1
        if step[0] > help_after:
            return s.expert(rng)
        if not rows:
            seeds = [seed * 1000 + step[0]]
            rows.extend(agent.act(s.state()[None], seeds, explore=explore)[0][: agent.execute])
        return rows.pop(0)

    return _run(scene, act, human=lambda t: t >= help_after)


def success(agent: Agent, seeds: Sequence[int]) -> float:
    """Return the share of successes, all seeds in lockstep."""
    scenes = [Reach(s) for s in seeds]
    for start in range(0, STEPS, agent.execute):
        chunks = agent.act(np.stack([s.state() for s in scenes]), [s + start for s in seeds])
        for row in range(min(agent.execute, STEPS - start)):
            for scene, chunk in zip(scenes, chunks, strict=True):
                if not scene.done:
                    scene.step(chunk[row])
    return sum(s.done for s in scenes) / len(scenes)


def _run(scene: Reach, act, *, human, demonstration: bool = False) -> Trajectory:
    states, actions, rewards, people = [scene.state()], [], [], []
    while not scene.done and len(actions) < STEPS:
        people.append(human(len(actions)))
        actions.append(act(scene))
        rewards.append(scene.step(actions[-1]))
        states.append(scene.state())
    return make_trajectory(
        states, actions, people, rewards, dt=0.1, grippers=(2,), terminal=scene.done,
        task="reach", demonstration=demonstration, start=tuple(scene.goal),
    )  # fmt: skip
