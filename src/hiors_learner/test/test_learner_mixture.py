# SPDX-License-Identifier: Apache-2.0
"""Minibatches: the ratio of the two sources, reproducible by seed and step, and the same for any
number of ranks.
"""

from itertools import pairwise

import numpy as np
import pytest
import torch
from learner_scene import SMALL, policy, samples

from hiors_core.errors import StateError
from hiors_learner.config import parse
from hiors_learner.data import Pool
from hiors_learner.losses import HiOrsObjective, make_batch
from hiors_learner.mixture import Draw, draw
from hiors_learner.settings import LearnerSettings, LossSettings
from hiors_learner.training_set import DEMONSTRATION, ONLINE, TrainingSet


def drawn(**changes) -> Draw:
    fields = {"seed": 1, "step": 5, "batch_size": 32, "online_ratio": 0.25}
    return draw(**{**fields, "online": [100], "demonstrations": 50, **changes})


def test_the_ratio_is_kept():
    rows = drawn()
    assert (len(rows.online), len(rows.demonstrations)) == (8, 24)
    assert rows.online.max() < 100
    assert rows.demonstrations.max() < 50


@pytest.mark.parametrize(("online", "demonstrations"), [(0, 50), (100, 0)])
def test_an_empty_source_leaves_its_share_to_the_other(online: int, demonstrations: int):
    rows = drawn(online=[online], demonstrations=demonstrations)
    lengths = (len(rows.online), len(rows.demonstrations))
    assert lengths == ((0, 32) if not online else (32, 0))


def test_nothing_to_train_on_is_an_error_and_no_division_by_zero():
    with pytest.raises(StateError, match="no transition"):
        drawn(online=[], demonstrations=0)


def shares(sizes: list[int], by_size: float) -> list[float]:
    rows = np.concatenate(
        [
            drawn(online=sizes, online_ratio=1.0, by_size=by_size, step=step).online
            for step in range(200)
        ]
    )
    edges = np.cumsum([0, *sizes])
    return [float(np.mean((rows >= low) & (rows < high))) for low, high in pairwise(edges)]


@pytest.mark.parametrize(
    ("by_size", "expected"),
    [(0.0, [0.5, 0.0, 0.5]), (0.5, [0.9, 0.0, 0.1]), (1.0, [0.988, 0, 0.012])],
)
def test_robots_share_a_batch_as_the_setting_says(by_size: float, expected: list[float]):
    assert shares([810, 0, 10], by_size) == pytest.approx(expected, abs=0.03)


def test_a_newcomer_changes_nothing_for_a_robot_alone():
    assert np.array_equal(drawn(online=[100]).online, drawn(online=[100], by_size=0.0).online)


def test_seed_and_step_decide():
    assert np.array_equal(drawn().online, drawn().online)
    assert not np.array_equal(drawn().online, drawn(step=6).online)
    assert not np.array_equal(drawn().online, drawn(seed=2).online)


def test_every_transition_comes_up():
    seen = {int(i) for step in range(40) for i in drawn(step=step).demonstrations}
    assert seen == set(range(50))


def test_rows_of_a_pool_keep_their_place():
    pool = Pool(samples(0))
    first, second = samples(3, seed=1), samples(2, seed=2)
    pool.add(first)
    pool.add(second)
    rows = pool.all()
    assert len(pool) == len(rows) == 5
    assert np.array_equal(rows.states[:3], first.states)
    assert np.array_equal(rows.actions[3:], second.actions)
    assert np.array_equal(pool.all().take(np.array([4])).states[0], second.states[1])


@pytest.mark.parametrize("world", [2, 3])
def test_the_mean_over_ranks_is_the_loss_of_the_whole(world: int):
    objective, rows = HiOrsObjective(policy().network), samples(12)
    torch.nn.init.normal_(policy().network.field.to_action.weight)
    settings = LossSettings(samples=2)

    def loss(rank: int, of: int) -> float:
        with torch.no_grad():
            return float(objective(make_batch(rows, settings, (0, 7), rank, of)))

    parts = [loss(rank, world) for rank in range(world)]
    assert np.mean(parts) == pytest.approx(loss(0, 1), rel=1e-5)


def test_noise_differs_from_step_to_step():
    one = make_batch(samples(4), LossSettings(), (0, 1), 0, 1)
    again = make_batch(samples(4), LossSettings(), (0, 1), 0, 1)
    other = make_batch(samples(4), LossSettings(), (0, 2), 0, 1)
    assert torch.equal(one.noise, again.noise)
    assert torch.equal(one.u, again.u)
    assert not torch.equal(one.noise, other.noise)


def test_a_training_set_that_is_read_again_gives_the_same_minibatches():
    def batches(steps: range) -> list[torch.Tensor]:
        data = TrainingSet(samples(0), parse(LearnerSettings, SMALL, ""))
        data.add(ONLINE, samples(6, seed=1), 0)
        data.add(DEMONSTRATION, samples(5, seed=2))
        data.add(ONLINE, samples(4, seed=3), 1)
        parts = [data.batch(step, rank, 2) for step in steps for rank in range(2)]
        return [t for part in parts for t in (part.states, part.actions, part.u, part.noise)]

    straight, resumed = batches(range(8)), batches(range(5, 8))
    tail = straight[-len(resumed) :]
    assert all(torch.equal(a, b) for a, b in zip(tail, resumed, strict=True))
