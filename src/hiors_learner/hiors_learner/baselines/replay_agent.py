# SPDX-License-Identifier: Apache-2.0
"""What the agents that learn from all episodes have in common: scaling, data taken in, steps paid
for, weights in and out. Knows no loss.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hiors_core.errors import HiorsError, InvalidValue
from hiors_learner.agent import AgentSpec, Intake, Progress
from hiors_learner.baselines.networks import Scaling
from hiors_learner.trajectory import Trajectory
from hiors_policy.noise import Noise

F32 = NDArray[np.float32]


class ReplayAgent:
    """Base of the baselines. A subclass fills ``modules``, stores episodes and does the steps."""

    def __init__(
        self,
        spec: AgentSpec,
        *,
        seed: int,
        utd: float,
        start: int,
        limits: Sequence[float] = (),
    ) -> None:
        """Take the update-to-data ratio and the online steps that training waits for."""
        self.spec = spec
        self.scaling = Scaling(spec.features, spec.actions, spec.grippers)
        self.modules = nn.ModuleDict({"scaling": self.scaling})
        self.steps = 0
        self.rng = np.random.default_rng(seed)
        self._utd, self._start, self._limits = utd, start, tuple(limits)
        self._online = self._offline_steps = 0
        self._first: list[Trajectory] = []

    @property
    def online_steps(self) -> int:
        """Steps of online episodes taken in, policy's and person's."""
        return self._online

    @property
    def budget(self) -> int:
        """Gradient steps that online steps pay for and that are not done."""
        if self._online < max(1, self._start):
            return 0
        return max(0, int(self._utd * self._online) + self._offline_steps - self.steps)

    def add(self, trajectory: Trajectory) -> Intake:
        """Take in every episode, failures too: they say what to avoid."""
        width = (trajectory.states.shape[1], trajectory.actions.shape[1])
        if width != (self.spec.features, self.spec.actions):
            raise InvalidValue(
                f"Episode {trajectory.episode_id} has {width[0]} features and {width[1]} action"
                f" columns, the agent has {self.spec.features} and {self.spec.actions}"
            )
        if not trajectory.demonstration:
            if not self._online:
                self._offline_steps = self.steps
            self._online += len(trajectory)
        if not self.scaling.fitted:
            self._first.append(trajectory)
        self.store(trajectory)
        return Intake(accepted=True, reasons=("learns from every episode",), rows=len(trajectory))

    def update(self, steps: int) -> Progress:
        """Do gradient steps; none while ``lacking`` says what is missing."""
        if (lacking := self.lacking()) or steps < 1:
            return Progress(done=0, steps=self.steps, message=lacking)
        if not self.scaling.fitted:
            self.scaling.fit(self._first, self._limits)
            self._first.clear()
            self.scaled()
        totals: dict[str, float] = {}
        for _ in range(steps):
            for name, value in self.learn().items():
                totals[name] = totals.get(name, 0.0) + value
            self.steps += 1
        metrics = {name: value / steps for name, value in totals.items()}
        if bad := [name for name, value in metrics.items() if not np.isfinite(value)]:
            raise HiorsError(f"{', '.join(bad)} not finite at step {self.steps}: lower the rate")
        return Progress(done=steps, steps=self.steps, metrics=metrics)

    def state_dict(self) -> dict[str, Tensor]:
        """Return all weights and the number of steps."""
        state = {n: t.detach().clone() for n, t in self.modules.state_dict().items()}
        return {**state, "steps": torch.tensor(self.steps)}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Put the weights back; the optimisers start anew."""
        weights = {n: t for n, t in state.items() if n != "steps"}
        own = self.modules.state_dict()
        if {n: t.shape for n, t in own.items()} != {n: t.shape for n, t in weights.items()}:
            raise InvalidValue("These weights are of an agent of another kind or shape")
        self.modules.load_state_dict(weights)
        self.steps = self._offline_steps = int(state.get("steps", torch.tensor(0)))

    def noise(self, seeds: Sequence[int] | None, batch: int, shape: tuple[int, ...]) -> Tensor:
        """Return standard normal noise (B, ...)."""
        return torch.from_numpy(Noise(self.rng).draw(batch, shape, seeds))

    def store(self, trajectory: Trajectory) -> None:
        """Put an episode where ``learn`` finds it."""
        raise NotImplementedError

    def scaled(self) -> None:
        """Hear that the scaling is in place."""

    def lacking(self) -> str:
        """Return what training waits for, or ""."""
        raise NotImplementedError

    def learn(self) -> dict[str, float]:
        """Do one gradient step and return what to log."""
        raise NotImplementedError
