# SPDX-License-Identifier: Apache-2.0
"""Q-Chunking (Li et al., arXiv 2507.07969): TD learning on chunks of h actions beside a flow
policy of the behaviour. QC takes the best of n samples of it; QC-FQL distils it into a one-step
policy that also climbs Q (Park et al., arXiv 2502.02538).
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hiors_core.errors import InvalidValue, UnknownName
from hiors_learner.agent import AgentSpec
from hiors_learner.baselines.networks import Ensemble, follow
from hiors_learner.baselines.replay import CAPACITY, Replay, Steps
from hiors_learner.baselines.replay_agent import ReplayAgent
from hiors_learner.trajectory import Trajectory
from hiors_policy.network import FlowNetwork, NetworkSettings, Shapes
from hiors_policy.normalization import Normalization

F32 = NDArray[np.float32]

ACTORS = ("best_of_n", "one_step")

_TOGETHER = 512
"""Candidates that are made at a time: as many as a core's cache holds the layers of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QChunkSettings:
    """Values of Q-Chunking; networks as small as Hi-ORS' policy, for a CPU.

    Attributes:
        actor: "best_of_n" is QC, "one_step" is QC-FQL.
        horizon: h, executed as a whole.
        network: of the flow policies. hidden: of the critics (the authors: four times 512).
        samples: n of QC when acting; target_samples: n in the TD target (the authors: both 32).
        alpha: weight of the distillation in QC-FQL.
        members: critics; their mean is used. discount: γ. tau: of the target critics.
        reward_bias: added to every step's reward: -1 makes a sparse reward {-1, 0}.
        start: online steps before online training begins; demonstrations are trained on before.
        limits: (A,) largest actions, when known.
    """

    actor: str = "best_of_n"
    horizon: int = 5
    network: NetworkSettings = field(default_factory=NetworkSettings)
    hidden: tuple[int, ...] = (256, 256, 256)
    samples: int = 32
    target_samples: int = 8
    alpha: float = 100.0
    members: int = 2
    discount: float = 0.99
    tau: float = 0.005
    learning_rate: float = 3e-4
    batch_size: int = 256
    reward_bias: float = -1.0
    start: int = 100
    utd: float = 1.0
    capacity: int = CAPACITY
    limits: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.actor not in ACTORS:
            raise UnknownName("actor of Q-Chunking", self.actor, ACTORS)
        if self.network.head != "flow":
            raise InvalidValue(f"Q-Chunking needs the head 'flow', got '{self.network.head}'")
        least = min(self.horizon, self.samples, self.target_samples, self.members, self.batch_size)
        if least < 1 or not 0.0 < self.discount <= 1.0:
            raise InvalidValue(f"sizes must be at least 1 and 0 < discount <= 1, got {self}")


class QChunkAgent(ReplayAgent):
    """An Agent that executes whole chunks."""

    def __init__(
        self, spec: AgentSpec, settings: QChunkSettings | None = None, seed: int = 0
    ) -> None:
        chosen = self.settings = settings or QChunkSettings()
        super().__init__(spec, seed=seed, utd=chosen.utd, start=chosen.start, limits=chosen.limits)
        self.horizon = self.execute = chosen.horizon
        shapes = Shapes(
            features=spec.features, horizon=chosen.horizon, actions=spec.actions, cameras=0
        )
        inputs = spec.features + chosen.horizon * spec.actions
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.behaviour = FlowNetwork(shapes, chosen.network)
            self.one_step = (
                FlowNetwork(shapes, chosen.network) if chosen.actor == "one_step" else None
            )
            self.critic = Ensemble(chosen.members, inputs, chosen.hidden, 1, gelu=True)
            self.target = copy.deepcopy(self.critic).requires_grad_(False)
        self.modules.update(
            {
                "behaviour": self.behaviour,
                "critic": self.critic,
                "target": self.target,
                **({"one_step": self.one_step} if self.one_step else {}),
            }
        )
        self._parameters = [p for p in self.modules.parameters() if p.requires_grad]
        self._adam = torch.optim.Adam(self._parameters, lr=chosen.learning_rate, fused=True)
        self._replay = Replay(spec.features, spec.actions, chosen.capacity)

    @torch.inference_mode()
    def act(
        self, states: F32, seeds: Sequence[int] | None = None, *, explore: bool = False
    ) -> F32:
        """Return chunks (B, h, A); collecting and being tested are the same here."""
        del explore
        seen = torch.from_numpy(np.asarray(states, np.float32))
        several = 1 if self.one_step else self.settings.samples
        noise = self.noise(seeds, len(seen), (several, self.horizon, self.spec.actions))
        return self.scaling.from_unit(self._choose(seen, noise)).numpy()

    def store(self, trajectory: Trajectory) -> None:
        """Keep everything in one buffer."""
        self._replay.add(trajectory)

    def scaled(self) -> None:
        """Give the flow policies the same scaling: x¹ lies in -1 .. 1."""
        values = Normalization(
            state_mean=self.scaling.mean.numpy(),
            state_std=self.scaling.std.numpy(),
            action_mean=self.scaling.middle.numpy(),
            action_std=self.scaling.reach.numpy(),
        )
        for network in filter(None, (self.behaviour, self.one_step)):
            network.set_normalization(values)

    def lacking(self) -> str:
        """Return what training waits for."""
        if not len(self._replay):
            return "no step to learn from"
        if self.online_steps and self.online_steps < self.settings.start:
            return f"{self.online_steps} online steps, {self.settings.start} are needed"
        return ""

    def learn(self) -> dict[str, float]:
        """Do one step on the sum of all losses."""
        chosen = self.settings
        steps = self._replay.sample(self.rng, chosen.batch_size, self.horizon, chosen.discount)
        unit = self.scaling.to_unit(steps.actions)
        critic = self._critic_loss(steps, unit)
        context = self.behaviour.encode(steps.states)
        flow = self._flow_loss(context, unit, steps.valid)
        loss = critic + flow
        metrics = {"critic_loss": float(critic.detach()), "flow_loss": float(flow.detach())}
        if self.one_step:
            distil, climb = self._one_step_losses(steps.states, context.detach())
            loss = loss + chosen.alpha * distil - climb
            metrics |= {"distil_loss": float(distil.detach()), "value": float(climb.detach())}
        self._adam.zero_grad(set_to_none=True)
        loss.backward()
        self._adam.step()
        follow(self.target, self.critic, chosen.tau)
        return metrics

    def _critic_loss(self, steps: Steps, unit: Tensor) -> Tensor:
        chosen = self.settings
        bias = chosen.reward_bias * (
            steps.valid * chosen.discount ** torch.arange(self.horizon)
        ).sum(1)
        several = 1 if self.one_step else chosen.target_samples
        noise = self._normal((len(unit), several, self.horizon, self.spec.actions))
        with torch.no_grad():
            # What follows the task's end, or a chunk that was cut off, counts for nothing below.
            counts = (steps.continues * steps.whole).bool()
            after = steps.next_states[counts]
            best = self._choose(after, noise[counts])
            later = torch.zeros(len(unit))
            later[counts] = self._value(self.target, after, best).mean(0)
            factor = chosen.discount**self.horizon * steps.continues
            goal = steps.returns + bias + factor * later
        error = (self._value(self.critic, steps.states, unit) - goal).square()
        # A chunk within which the task ends is a whole action: without it the last states before
        # success would never be trained, and every target that leads there would be of chance.
        return (error * steps.whole).mean()

    def _flow_loss(self, context: Tensor, unit: Tensor, valid: Tensor) -> Tensor:
        u = torch.from_numpy(self.rng.random((len(unit), 1), np.float32))
        noise = self._normal((len(unit), 1, *unit.shape[1:]))
        return self.behaviour.field.loss(context, unit, valid, torch.ones(len(unit)), u, noise)

    def _one_step_losses(self, states: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        if self.one_step is None:
            raise InvalidValue("QC has no one-step policy")
        noise = self._normal((len(states), self.horizon, self.spec.actions))
        with torch.no_grad():
            steps = self.settings.network.euler_steps
            taught = self.behaviour.field.sample(context, noise, steps).clamp(-1.0, 1.0)
        own = self.one_step.field.sample(self.one_step.encode(states), noise, 1)
        self.critic.requires_grad_(False)
        climb = self._value(self.critic, states, own.clamp(-1.0, 1.0)).mean()
        self.critic.requires_grad_(True)
        return (own - taught).square().mean(), climb

    def _choose(self, states: Tensor, noise: Tensor) -> Tensor:
        """Return the best chunk (B, h, A) in -1 .. 1 of those that noise (B, n, h, A) makes."""
        rows = max(1, _TOGETHER // noise.shape[1])
        parts = zip(states.split(rows), noise.split(rows), strict=True)
        return torch.cat([self._best(*part) for part in parts])

    def _best(self, states: Tensor, noise: Tensor) -> Tensor:
        several = noise.shape[1]
        policy, steps = self.behaviour, self.settings.network.euler_steps
        if self.one_step:
            policy, steps = self.one_step, 1
        context = policy.encode(states).repeat_interleave(several, dim=0)
        chunks = policy.field.sample(context, noise.flatten(0, 1), steps).clamp(-1.0, 1.0)
        if several == 1:
            return chunks
        repeated = states.repeat_interleave(several, dim=0)
        value = self._value(self.critic, repeated, chunks).mean(0)
        best = value.view(len(states), several).argmax(1)
        return chunks.view(noise.shape)[torch.arange(len(best)), best]

    def _value(self, critic: Ensemble, states: Tensor, chunks: Tensor) -> Tensor:
        """Return Q (E, B) of chunks (B, h, A) in -1 .. 1."""
        values: Tensor = critic(self.scaling.state(states), chunks.flatten(1))[..., 0]
        return values

    def _normal(self, shape: tuple[int, ...]) -> Tensor:
        return torch.from_numpy(self.rng.standard_normal(shape, np.float32))
