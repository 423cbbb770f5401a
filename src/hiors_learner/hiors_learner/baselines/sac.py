# SPDX-License-Identifier: Apache-2.0
"""HIL-SERL (Luo et al., arXiv 2410.21845): RLPD's soft actor-critic on two buffers, half the batch
from each; what a person does goes into both. Values as in the authors' public code; states here
are object poses and proprioception, so there is no image encoder.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hiors_core.errors import InvalidValue
from hiors_learner.agent import AgentSpec
from hiors_learner.baselines.grasp import GraspCritic
from hiors_learner.baselines.networks import Ensemble, SquashedGaussian, follow
from hiors_learner.baselines.replay import CAPACITY, Replay, Steps, join_steps
from hiors_learner.baselines.replay_agent import ReplayAgent
from hiors_learner.trajectory import Trajectory

F32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class SacSettings:
    """Values of HIL-SERL.

    Attributes:
        hidden: widths of actor and critics. members: critics; subset: as many random ones give the
            target's minimum (REDQ), all when None.
        discount: γ. tau: of the target networks, at every critic step.
        critic_steps: critic steps to one step of actor and temperature.
        temperature: at the start. target_entropy: -A/2 when None.
        batch_size: half online, half demonstrations and interventions.
        start: online steps before training begins.
        utd: iterations (``critic_steps`` critic steps and an actor step) to an online step.
        gripper_levels: 2 when a gripper is told to be closed or open, 3 with hold in the middle;
            0 treats grippers as continuous.
        grasp_penalty: cost of a changed gripper command.
        clone: weight of log π of demonstrations and interventions in the actor's loss; also trains
            the actor before there are online steps. 0 as in HIL-SERL.
        limits: (A,) largest actions, when known.
    """

    hidden: tuple[int, ...] = (256, 256)
    members: int = 2
    subset: int | None = None
    discount: float = 0.97
    tau: float = 0.005
    critic_steps: int = 2
    learning_rate: float = 3e-4
    temperature: float = 1e-2
    target_entropy: float | None = None
    batch_size: int = 256
    start: int = 100
    utd: float = 1.0
    gripper_levels: int = 2
    grasp_penalty: float = 0.02
    clone: float = 0.0
    capacity: int = CAPACITY
    limits: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.gripper_levels not in (0, 2, 3):
            raise InvalidValue(f"gripper_levels must be 0, 2 or 3, got {self.gripper_levels}")
        if not 1 <= (self.subset or 1) <= self.members:
            raise InvalidValue(f"subset must be within 1 .. {self.members}, got {self.subset}")
        if self.batch_size < 2 or self.critic_steps < 1 or not 0.0 < self.discount <= 1.0:
            raise InvalidValue(
                f"batch_size >= 2, critic_steps >= 1 and 0 < discount <= 1 are needed, got {self}"
            )


class SacAgent(ReplayAgent):
    """An Agent that acts every step."""

    horizon = execute = 1

    def __init__(
        self, spec: AgentSpec, settings: SacSettings | None = None, seed: int = 0
    ) -> None:
        chosen = self.settings = settings or SacSettings()
        super().__init__(spec, seed=seed, utd=chosen.utd, start=chosen.start, limits=chosen.limits)
        discrete = spec.grippers if chosen.gripper_levels else ()
        self._gripper = list(discrete)
        self._moving = [i for i in range(spec.actions) if i not in discrete]
        width = len(self._moving)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.actor = SquashedGaussian(spec.features, chosen.hidden, width)
            self.critic = Ensemble(chosen.members, spec.features + width, chosen.hidden, 1)
            self.target = copy.deepcopy(self.critic).requires_grad_(False)
            self.grasp = (
                GraspCritic(spec.features, chosen.hidden, len(discrete), chosen.gripper_levels)
                if discrete
                else None
            )
        self.temperature = nn.ParameterList(
            [torch.tensor(math.log(math.expm1(chosen.temperature)))]
        )
        self._entropy = -0.5 * width if chosen.target_entropy is None else chosen.target_entropy
        self.modules.update(
            {
                "actor": self.actor,
                "critic": self.critic,
                "target": self.target,
                "temperature": self.temperature,
                **({"grasp": self.grasp} if self.grasp else {}),
            }
        )
        self._adam = {
            name: torch.optim.Adam(
                [p for p in module.parameters() if p.requires_grad], lr=chosen.learning_rate
            )
            for name, module in self.modules.items()
            if name not in ("scaling", "target")
        }
        self._online_replay = Replay(spec.features, spec.actions, chosen.capacity)
        self._shown_replay = Replay(spec.features, spec.actions, chosen.capacity)

    @torch.inference_mode()
    def act(
        self, states: F32, seeds: Sequence[int] | None = None, *, explore: bool = False
    ) -> F32:
        """Return (B, 1, A); as in HIL-SERL, actions are drawn from π also when tested."""
        del explore
        state = self.scaling.state(torch.from_numpy(np.asarray(states, np.float32)))
        noise = self.noise(seeds, len(states), (len(self._moving),))
        unit = torch.zeros(len(states), self.spec.actions)
        unit[:, self._moving] = self.actor(state, noise)[0]
        actions = self.scaling.from_unit(unit)
        if self.grasp:
            actions[:, self._gripper] = self.grasp.choose(state)
        return actions[:, None].numpy()

    def store(self, trajectory: Trajectory) -> None:
        """Keep demonstrations apart; a person's steps of an online episode go into both."""
        if trajectory.demonstration:
            self._shown_replay.add(trajectory)
        else:
            self._online_replay.add(trajectory)
            self._shown_replay.add(trajectory, trajectory.human)

    def lacking(self) -> str:
        """Return what training waits for."""
        cloning = self.settings.clone > 0.0 and len(self._shown_replay)
        if cloning and not self.online_steps:
            return ""
        if self.online_steps < max(1, self.settings.start):
            return f"{self.online_steps} online steps, {self.settings.start} are needed"
        return ""

    def learn(self) -> dict[str, float]:
        """Do ``critic_steps`` critic steps, then one of actor and temperature."""
        if not len(self._online_replay):
            return {"clone_loss": self._clone(self._shown_replay.sample(self.rng, self._half * 2))}
        for _ in range(self.settings.critic_steps):
            batch, shown = self._batch()
            state = self.scaling.state(batch.states)
            metrics = {"critic_loss": self._critic_step(batch, state)}
        return {**metrics, **self._actor_step(state, shown)}

    @property
    def _half(self) -> int:
        return self.settings.batch_size // 2

    def _batch(self) -> tuple[Steps, Steps]:
        online = self._online_replay.sample(self.rng, self._half)
        source = self._shown_replay if len(self._shown_replay) else self._online_replay
        shown = source.sample(self.rng, self.settings.batch_size - self._half)
        return join_steps(online, shown), shown

    def _critic_step(self, batch: Steps, state: Tensor) -> float:
        chosen = self.settings
        after = self.scaling.state(batch.next_states)
        action = self.scaling.to_unit(batch.actions[:, 0])[:, self._moving]
        with torch.no_grad():
            next_action, _ = self.actor(after, self._normal(len(after)))
            later = self.target(after, next_action)[..., 0]
            if chosen.subset is not None:
                later = later[self.rng.permutation(chosen.members)[: chosen.subset]]
            goal = batch.returns + chosen.discount * batch.continues * later.amin(0)
        loss = (self.critic(state, action)[..., 0] - goal).square().mean()
        self._step("critic", loss)
        follow(self.target, self.critic, chosen.tau)
        if self.grasp:
            wrong = self.grasp.loss(
                batch,
                state,
                after,
                self._gripper,
                discount=chosen.discount,
                penalty=chosen.grasp_penalty,
            )
            self._step("grasp", wrong)
            self.grasp.follow(chosen.tau)
        return float(loss.detach())

    def _actor_step(self, state: Tensor, shown: Steps) -> dict[str, float]:
        heat = nn.functional.softplus(self.temperature[0])
        action, density = self.actor(state, self._normal(len(state)))
        # The critic's own gradient is not needed: only the way through the action counts.
        self.critic.requires_grad_(False)
        value = self.critic(state, action)[..., 0].mean(0)
        self.critic.requires_grad_(True)
        loss = (heat.detach() * density - value).mean()
        if self.settings.clone > 0.0:
            loss = loss + self.settings.clone * self._surprise(shown)
        self._step("actor", loss)
        entropy = -density.detach().mean()
        self._step("temperature", heat * (entropy - self._entropy))
        return {
            "value": float(value.detach().mean()),
            "entropy": float(entropy),
            "temperature": float(heat.detach()),
        }

    def _clone(self, shown: Steps) -> float:
        loss = self._surprise(shown)
        self._step("actor", loss)
        return float(loss.detach())

    def _surprise(self, shown: Steps) -> Tensor:
        action = self.scaling.to_unit(shown.actions[:, 0])[:, self._moving]
        return -self.actor.log_density(self.scaling.state(shown.states), action).mean()

    def _normal(self, batch: int) -> Tensor:
        return torch.from_numpy(self.rng.standard_normal((batch, len(self._moving)), np.float32))

    def _step(self, name: str, loss: Tensor) -> None:
        self._adam[name].zero_grad(set_to_none=True)
        loss.backward()
        self._adam[name].step()
