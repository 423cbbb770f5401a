# SPDX-License-Identifier: Apache-2.0
"""Trains a judge of success on labelled observations, for the ablation of the reward (Table I).
Knows no episode store.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from hiors_core.errors import InvalidValue
from hiors_learner.trajectory import Trajectory
from hiors_policy.reward import RewardNetwork, RewardSettings

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Observations with their truth: states (n, D), images (n, cameras, h, w, 3), done (n,)."""

    states: NDArray[np.float32]
    done: Flags
    images: NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardReport:
    """How the judge does on observations that it was not trained on; NaN where there are none.

    Attributes:
        true_positives, false_positives: shares of successes and of failures called successes.
    """

    loss: float
    held_out: int
    true_positives: float
    false_positives: float


def examples(
    trajectories: Sequence[Trajectory],
    level: float = 1.0,
    *,
    end: float = 0.0,
    unsure: float = 0.0,
) -> Examples:
    """Return the states of episodes, done where one whose return reaches ``level`` ended.

    Args:
        end: how long before its end a success looks done [s]; the last state always does.
        unsure: how long before that it may or may not [s]; these states are left out.
    """
    if not trajectories:
        raise InvalidValue("There is no episode to learn a reward from")
    parts = [_told_apart(t, level, end, unsure) for t in trajectories]
    states, done = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Examples(states=states, done=done)


def judged(trajectory: Trajectory, network: RewardNetwork) -> Trajectory:
    """Return the episode with the judge's return in the place of the person's: 1 when any of its
    states is called a success.
    """
    rewards = np.zeros_like(trajectory.rewards)
    rewards[-1] = float(any(network.successes(torch.tensor(trajectory.states))))
    rewards.setflags(write=False)
    return replace(trajectory, rewards=rewards)


def train_reward(
    data: Examples,
    settings: RewardSettings,
    *,
    steps: int = 150,
    batch_size: int = 256,
    learning_rate: float = 1e-3,
    held_out: float = 0.2,
    seed: int = 0,
) -> tuple[RewardNetwork, RewardReport]:
    """Return a judge, trained with as many successes as failures in a batch, and its report.

    Raises InvalidValue unless both successes and failures are left for training.
    """
    rng = np.random.default_rng(seed)
    hidden = rng.random(len(data.done)) < held_out
    good, bad = (np.flatnonzero(~hidden & (data.done == d)) for d in (True, False))
    if not len(good) or not len(bad):
        raise InvalidValue(
            f"A judge needs examples of both: {len(good)} successes and {len(bad)} failures"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = RewardNetwork(settings)
        network.fit(torch.from_numpy(data.states[~hidden]))
        adam = torch.optim.Adam(network.parameters(), lr=learning_rate)
        loss = torch.zeros(())
        for _ in range(steps):
            half = max(1, batch_size // 2)
            rows = np.concatenate([rng.choice(good, half), rng.choice(bad, half)])
            truth = torch.from_numpy(data.done[rows].astype(np.float32))
            loss = nn.functional.binary_cross_entropy_with_logits(
                network(*_take(data, rows)), truth
            )
            adam.zero_grad(set_to_none=True)
            loss.backward()
            adam.step()
    network.eval()
    return network, _report(network, data, np.flatnonzero(hidden), loss.item())


def _told_apart(
    trajectory: Trajectory, level: float, end: float, unsure: float
) -> tuple[NDArray[np.float32], Flags]:
    count = len(trajectory.states)
    done = np.zeros(count, np.bool_)
    if trajectory.episode_return < level:
        return trajectory.states, done
    first = count - 1 - round(end / trajectory.dt)
    done[max(first, 0) :] = True
    keep = done.copy()
    keep[: max(first - round(unsure / trajectory.dt), 0)] = True
    return trajectory.states[keep], done[keep]


def _report(
    network: RewardNetwork, data: Examples, rows: NDArray[np.intp], loss: float
) -> RewardReport:
    called = np.array(network.successes(*_take(data, rows)), np.bool_)
    truth = data.done[rows]
    return RewardReport(
        loss=loss,
        held_out=len(rows),
        true_positives=_share(called[truth]),
        false_positives=_share(called[~truth]),
    )


def _take(data: Examples, rows: NDArray[np.intp]) -> tuple[torch.Tensor, torch.Tensor | None]:
    images = None if data.images is None else torch.from_numpy(data.images[rows])
    return torch.from_numpy(data.states[rows]), images


def _share(flags: Flags) -> float:
    return float(flags.mean()) if len(flags) else float("nan")
