# SPDX-License-Identifier: Apache-2.0
"""Hi-ORS in one process: accept by I_m(τ) (eq. 3), distill by eq. 5 or its kin for a diffusion or
token policy. Behaviour cloning is the same with other data. Knows no robot and no file.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hiors_core.acceptance import AcceptanceRules, Decision
from hiors_core.errors import InvalidValue
from hiors_core.filters import NO_OP_THRESHOLD, leading_up
from hiors_learner.agent import AgentSpec, Intake, Progress
from hiors_learner.data import Samples
from hiors_learner.history import History
from hiors_learner.learner import check_loss
from hiors_learner.losses import HiOrsObjective
from hiors_learner.optimizer import Optimizer
from hiors_learner.schedule import step_budget
from hiors_learner.settings import (
    DataSettings,
    LearnerSettings,
    LossSettings,
    OptimizerSettings,
    PacingSettings,
)
from hiors_learner.training_set import DEMONSTRATION, ONLINE, TrainingSet
from hiors_learner.trajectory import Trajectory, chunks
from hiors_policy.network import FlowNetwork, NetworkSettings, Shapes
from hiors_policy.noise import Noise

F32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillSettings:
    """How the agent learns. Keeping failures too is a threshold below every return.

    Attributes:
        horizon: H. execute: rows to execute before the next inference.
        noise: scale of x0 when it acts, see hiors_policy.noise.
        network: sizes and head, "flow" (the paper), "diffusion" or "token".
        rules: I_m of each task, with L_min.
        noop_threshold: least motion of a transition, in the units of Trajectory.motion; 0 keeps
            all.
        human_only: keep only what the person did of an episode.
        data, loss, optimizer, pacing: as of the learner.
    """

    horizon: int = 16
    execute: int = 4
    noise: float = 1.0
    network: NetworkSettings = field(default_factory=NetworkSettings)
    rules: AcceptanceRules = field(default_factory=AcceptanceRules)
    noop_threshold: float = NO_OP_THRESHOLD
    human_only: bool = False
    data: DataSettings = field(default_factory=DataSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    pacing: PacingSettings = field(default_factory=PacingSettings)

    def __post_init__(self) -> None:
        if not 1 <= self.execute <= self.horizon:
            raise InvalidValue(
                f"execute must be within 1 .. horizon {self.horizon}, got {self.execute}"
            )
        if not 0.0 <= self.noise <= 1.0:
            raise InvalidValue(f"noise must be within 0 .. 1, got {self.noise}")
        if not self.noop_threshold >= 0.0:
            raise InvalidValue(f"noop_threshold must be at least 0, got {self.noop_threshold}")


class DistillAgent:
    """An Agent that imitates the episodes that it accepts. It acts with the averaged weights."""

    def __init__(
        self, spec: AgentSpec, settings: DistillSettings | None = None, seed: int = 0
    ) -> None:
        chosen = settings or DistillSettings()
        self.spec, self.settings = spec, chosen
        self.horizon, self.execute = chosen.horizon, chosen.execute
        self._network, self.policy = (self._build(seed) for _ in range(2))
        self._objective = HiOrsObjective(self._network)
        self._optimizer = Optimizer(self._network, chosen.optimizer)
        learner = LearnerSettings(
            seed=seed, data=chosen.data, loss=chosen.loss, optimizer=chosen.optimizer
        )
        self._data = TrainingSet(self._samples(0), learner)
        self._history = History(chosen.rules, chosen.noop_threshold)
        self._grippers = np.isin(np.arange(spec.actions), spec.grippers)
        self._noise = Noise(seed)
        self._noise.scale = chosen.noise
        self._normalized = False
        self._offline = 0

    @property
    def budget(self) -> int:
        """Gradient steps that accepted online transitions pay for and that are not done."""
        online = self._data.rows[ONLINE]
        due = step_budget(online, self.settings.pacing) + self._offline if online else 0
        return max(0, due - self._optimizer.steps)

    @property
    def rows(self) -> Mapping[str, int]:
        """Transitions in the training set, by kind."""
        return self._data.rows

    def act(
        self, states: F32, seeds: Sequence[int] | None = None, *, explore: bool = False
    ) -> F32:
        """Return chunks (B, H, A); collecting and being tested are the same here."""
        del explore
        noise = torch.from_numpy(
            self._noise.draw(len(states), (self.horizon, self.spec.actions), seeds)
        )
        seen = torch.from_numpy(np.asarray(states, np.float32))
        return self.policy.sample(seen, None, noise).numpy()

    def judge(self, trajectory: Trajectory) -> Decision:
        """Return what eq. 3 says of an episode as things stand, without taking it in."""
        return self._history.judge(trajectory)

    def add(self, trajectory: Trajectory) -> Intake:
        """Take in a demonstration, or an online episode if I_m(τ) = 1."""
        decision = self._history.decide(trajectory)
        if not decision.accepted:
            return Intake(accepted=False, reasons=decision.reasons)
        keep = trajectory.motion >= self.settings.noop_threshold
        keep[-1:] = True
        if self.settings.human_only:
            keep &= trajectory.human[trajectory.marks]
        count = len(trajectory)
        times = np.linspace(0.0, count * trajectory.dt, count, endpoint=False)
        wrong = leading_up(trajectory.human, times, self.settings.data.lead_up)
        keep &= ~wrong[trajectory.marks]
        samples = self._cut(trajectory, trajectory.marks[keep])
        online = not trajectory.demonstration
        if online and not self._data.rows[ONLINE]:
            self._offline = self._optimizer.steps
        self._data.add(ONLINE if online else DEMONSTRATION, samples)
        return Intake(accepted=True, reasons=decision.reasons, rows=len(samples))

    def update(self, steps: int) -> Progress:
        """Do gradient steps of eq. 5; none while there are too few transitions."""
        if (lacking := self._data.lacking) or steps < 1:
            return Progress(done=0, steps=self._optimizer.steps, message=lacking)
        if not self._normalized:
            self._fit()
        total = 0.0
        for _ in range(steps):
            loss = self._objective(self._data.batch(self._optimizer.steps))
            check_loss(float(loss.detach()), self._optimizer.steps)
            self._optimizer.step(loss)
            total += float(loss.detach())
        self.policy.load_state_dict(self._optimizer.average.state())
        return Progress(done=steps, steps=self._optimizer.steps, metrics={"loss": total / steps})

    def state_dict(self) -> dict[str, Tensor]:
        """Return the averaged weights with their normalisation."""
        return {n: t.detach().clone() for n, t in self.policy.state_dict().items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Start from weights, with their normalisation."""
        own = self.policy.state_dict()
        if {n: t.shape for n, t in own.items()} != {n: t.shape for n, t in state.items()}:
            raise InvalidValue("These weights are of a network of another shape")
        for network in (self.policy, self._network):
            network.load_state_dict(dict(state))
        self._optimizer.average.load(state)
        self._normalized = True

    def _build(self, seed: int) -> FlowNetwork:
        shapes = Shapes(
            features=self.spec.features,
            horizon=self.settings.horizon,
            actions=self.spec.actions,
            cameras=0,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return FlowNetwork(shapes, self.settings.network).eval()

    def _samples(self, rows: int) -> Samples:
        size = self.settings.network.image_size
        return Samples(
            states=np.zeros((rows, self.spec.features), np.float32),
            images=np.zeros((rows, 0, size, size, 3), np.uint8),
            tokens=np.zeros((rows, 0), np.int32),
            actions=np.zeros((rows, self.settings.horizon, self.spec.actions), np.float32),
            mask=np.zeros((rows, self.settings.horizon), np.bool_),
            weight=np.ones(rows, np.float32),
        )

    def _cut(self, trajectory: Trajectory, starts: NDArray[np.int64]) -> Samples:
        actions, mask = chunks(trajectory, starts, self.settings.horizon)
        return dataclasses.replace(
            self._samples(len(starts)),
            states=trajectory.states[starts],
            actions=actions,
            mask=mask,
        )

    def _fit(self) -> None:
        self._network.set_normalization(self._data.normalization(self._grippers))
        self._optimizer.average.load(self._network.state_dict())
        self._normalized = True
