# SPDX-License-Identifier: Apache-2.0
"""A classifier of states in the place of the person's label, for the ablation of section IV-E.

It learns from demonstrations alone: their ends look like success, all before does not.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from hiors_core.errors import InvalidValue
from hiors_learner.trajectory import Trajectory

THRESHOLD = 0.75
"""Probability from which a state counts as success, as in the authors' code."""
_END, _BEFORE = 0.25, 1.0
_STEPS, _BATCH, _WIDTH = 400, 128, 64
_FARTHEST = 5.0


class LearnedReward:
    """Says success when any state of an episode looks like the end of a demonstration."""

    def __init__(self, demonstrations: Sequence[Trajectory], seed: int = 0) -> None:
        """Fit on episodes that worked; InvalidValue when there is none."""
        if not demonstrations:
            raise InvalidValue("A learned reward needs at least one demonstration")
        ends = np.concatenate([d.states[-_rows(d, _END) :] for d in demonstrations])
        others = [d.states[: -_rows(d, _BEFORE)] for d in demonstrations]
        rest = np.concatenate([*others, demonstrations[0].states[:1]])
        every = np.concatenate([ends, rest])
        self._mean = torch.from_numpy(every.mean(axis=0))
        self._std = torch.from_numpy(np.maximum(every.std(axis=0), 1e-3))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._network = nn.Sequential(
                nn.Linear(every.shape[1], _WIDTH), nn.ReLU(),
                nn.Linear(_WIDTH, _WIDTH), nn.ReLU(), nn.Linear(_WIDTH, 1),
            )  # fmt: skip
        self._fit(torch.from_numpy(ends), torch.from_numpy(rest), seed)

    def probability(self, states: np.ndarray) -> np.ndarray:
        """Return how much each state (n, D) looks like success, (n,)."""
        with torch.inference_mode():
            return torch.sigmoid(self._logits(torch.from_numpy(np.array(states)))).numpy()

    def judge(self, trajectory: Trajectory) -> Trajectory:
        """Return the episode with the classifier's return in the place of the person's."""
        rewards = np.zeros_like(trajectory.rewards)
        rewards[-1] = float(self.probability(trajectory.states).max() >= THRESHOLD)
        rewards.setflags(write=False)
        return replace(trajectory, rewards=rewards)

    def _logits(self, states: Tensor) -> Tensor:
        seen = ((states - self._mean) / self._std).clamp(-_FARTHEST, _FARTHEST)
        logits: Tensor = self._network(seen).squeeze(-1)
        return logits

    def _fit(self, ends: Tensor, rest: Tensor, seed: int) -> None:
        """Minimise the cross-entropy on batches that are half success."""
        generator = torch.Generator().manual_seed(seed)
        optimizer = torch.optim.Adam(self._network.parameters(), lr=1e-3)
        half = _BATCH // 2
        truth = torch.cat([torch.ones(half), torch.zeros(half)])
        for _ in range(_STEPS):
            rows = [
                part[torch.randint(len(part), (half,), generator=generator)]
                for part in (ends, rest)
            ]
            logits = self._logits(torch.cat(rows))
            loss = nn.functional.binary_cross_entropy_with_logits(logits, truth)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def _rows(trajectory: Trajectory, seconds: float) -> int:
    return max(1, round(seconds / trajectory.dt))
