# SPDX-License-Identifier: Apache-2.0
"""The optimiser: DeepSpeed ZeRO-2 around the objective, moving average, state on disk."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hiors_core.clock import Clock, SteadyClock
from hiors_core.errors import InvalidValue
from hiors_learner.losses import Batch, make_objective
from hiors_learner.schedule import learning_rate
from hiors_learner.settings import LearnerSettings
from hiors_learner.states import Header, State, newest_state, write_state
from hiors_learner.stopwatch import Stopwatch
from hiors_learner.team import Team
from hiors_learner.zero import MOMENTS, Pieces
from hiors_policy.ema import MovingAverage
from hiors_policy.learnable import Learnable

WEIGHTS, BUFFERS, FROZEN, AVERAGE = "weights", "buffers", "frozen", "average"


class Engine:
    """Trains the policy's network in place. Every rank has one and calls the same methods in the
    same order.
    """

    def __init__(
        self,
        policy: Learnable,
        settings: LearnerSettings,
        team: Team,
        clock: Clock | None = None,
    ) -> None:
        import deepspeed

        check_split(settings.data.batch_size, team.world)
        self._settings, self._team = settings, team
        objective = make_objective(policy, settings.loss)
        chosen = settings.optimizer
        optimizer = torch.optim.AdamW(
            [p for p in objective.parameters() if p.requires_grad],
            lr=chosen.learning_rate,
            betas=(chosen.beta1, chosen.beta2),
            weight_decay=chosen.weight_decay,
            fused=True,
        )
        self._engine, self._optimizer, _, _ = deepspeed.initialize(
            model=objective, optimizer=optimizer, config=_deepspeed_config(settings, team.world)
        )
        self.average = MovingAverage(policy.network, chosen.average)
        self._network = policy.network
        self._pieces = Pieces(self._engine, policy.network)
        self._state: State | None = None
        self.watch = Stopwatch(clock or SteadyClock(), self._engine.device)

    @property
    def steps(self) -> int:
        """Optimiser steps done."""
        return int(self._engine.global_steps)

    def count_from(self, step: int) -> None:
        """Go on counting from a step that was done before this process began."""
        self._engine.global_steps = step

    @property
    def gradient_norm(self) -> float:
        """Norm of the last gradient before clipping."""
        return float(self._engine.get_global_grad_norm() or 0.0)

    @property
    def learning_rate(self) -> float:
        """Rate of the next step."""
        return learning_rate(self.steps, self._settings.optimizer)

    def step(self, batch: Batch) -> float:
        """Do one optimiser step and return this rank's loss."""
        for group in self._optimizer.param_groups:
            group["lr"] = self.learning_rate
        loss = self._engine(batch.to(self._engine.device))
        self.watch.lap("forward")
        self._engine.backward(loss)
        self.watch.lap("backward")
        self._engine.step()
        if self._team.leads:
            self.average.update(self._network, self.steps)
        self.watch.lap("optimizer")
        return float(loss.detach())

    def save(self, folder: Path) -> None:
        """Write a state to resume from; a crash at any point leaves the one before in force."""
        parts = self._parts()
        if self._team.leads:
            header = Header(step=self.steps, moments=self._pieces.steps, world=self._team.world)
            keep = self._settings.output.keep
            self._state = write_state(
                folder, header, parts, same=self._state, unchanged=FROZEN, keep=keep
            )
        for _ in parts:
            """The other ranks give their pieces."""

    def resume(self, folder: Path) -> bool:
        """Load the newest state that is whole, if there is one, written by any number of ranks."""
        found = newest_state(folder) if self._team.leads else None
        number = self._team.agree(found.number if found else 0)
        if not number:
            return False
        state = found or State.numbered(folder, number)
        for part, names in self._expected().items():
            state.check(part, names)
        self._pieces.set_weights(state.read(WEIGHTS))
        _copy(dict(self._network.named_buffers()), state.read(BUFFERS))
        _copy(self._frozen(), state.read(FROZEN))
        if state.header.moments:
            self._pieces.begin_moments(state.header.moments)
            for kind in MOMENTS:
                self._pieces.set_moment(kind, state.read(kind))
        self.average.load(dict(state.read(AVERAGE)))
        self._engine.global_steps = state.header.step
        self._state = state
        return True

    def _parts(self) -> Iterator[tuple[str, Mapping[str, Tensor]]]:
        # Every rank runs through all of it: only together they have the weights.
        leads = self._team.leads
        yield WEIGHTS, self._pieces.weights(leads)
        if self._pieces.steps:
            for kind in MOMENTS:
                yield kind, self._pieces.moment(kind, leads)
        if leads:
            yield BUFFERS, self._buffers()
            yield AVERAGE, {n: t.contiguous() for n, t in self.average.state().items()}
            if not self._state:
                yield FROZEN, {n: t.contiguous() for n, t in self._frozen().items()}

    def _buffers(self) -> dict[str, Tensor]:
        kept = self._network.state_dict().keys()
        return {n: b.contiguous() for n, b in self._network.named_buffers() if n in kept}

    def _frozen(self) -> dict[str, Tensor]:
        named = self._network.named_parameters()
        return {n: p.data for n, p in named if not p.requires_grad}

    def _expected(self) -> dict[str, Iterable[str]]:
        learning = [n for n, p in self._network.named_parameters() if p.requires_grad]
        return {WEIGHTS: learning, BUFFERS: self._buffers(), FROZEN: self._frozen()}


def check_split(batch_size: int, world: int) -> None:
    """Raise InvalidValue unless each rank gets as many transitions of a batch."""
    if batch_size % world:
        near = max(world, batch_size - batch_size % world)
        raise InvalidValue(
            f"data.batch_size {batch_size} cannot be shared equally by {world} ranks: make it a"
            f" multiple of {world}, such as {near}, or start another number of ranks"
        )


def _copy(own: Mapping[str, Tensor], values: Iterable[tuple[str, Tensor]]) -> None:
    for name, value in values:
        own[name].copy_(value)


def _deepspeed_config(settings: LearnerSettings, world: int) -> dict[str, Any]:
    return {
        "train_micro_batch_size_per_gpu": settings.data.batch_size // world,
        "gradient_accumulation_steps": 1,
        "gradient_clipping": settings.optimizer.clip,
        "zero_optimization": {"stage": 2},
        "zero_allow_untested_optimizer": True,
        "steps_per_print": 10**9,
    }
