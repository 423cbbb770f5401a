# SPDX-License-Identifier: Apache-2.0
"""Real-time chunking: what will have been executed is kept, and the rest goes on from it."""

import numpy as np
import pytest
import torch
from policy_scene import observation, robot, shake, state_policy

from hiors_core.errors import InvalidValue
from hiors_policy.chunking import integrate_after, row_weights, strength
from hiors_policy.network import NetworkSettings
from hiors_policy.pi0.tiny import tiny_policy


def test_rows_are_held_fully_then_softly_then_not_at_all():
    weights = row_weights(8, 2, 5)
    assert torch.equal(weights[:2], torch.ones(2))
    assert bool((weights[2:5] > 0).all())
    assert bool((weights[2:5].diff() < 0).all())
    assert torch.equal(weights[5:], torch.zeros(3))
    with pytest.raises(InvalidValue, match="delay 4, overlap 3"):
        row_weights(8, 4, 3)


def test_the_pull_is_strong_at_both_ends_and_limited():
    assert strength(0.0) == strength(1.0) == 10.0
    assert strength(0.5) == pytest.approx(2.0)


def test_one_of_two_ways_is_chosen_by_the_chunk_in_execution():
    """A flow towards +1 or -1, whichever is nearer: unguided noise ends at either."""

    def velocity(x: torch.Tensor, u: float) -> torch.Tensor:
        goal = torch.tanh(8.0 * x.mean(dim=(1, 2), keepdim=True)).expand_as(x)
        return (goal - x) / max(1.0 - u, 0.1)

    noise = torch.randn((64, 8, 1), generator=torch.Generator().manual_seed(0))
    known = torch.ones(64, 5, 1)
    x = noise
    for step in range(10):
        x = x + velocity(x, step / 10) / 10
    free = (x[:, 6:].mean(dim=(1, 2)) > 0).float().mean()
    after = integrate_after(velocity, noise, 10, known, delay=2)
    kept = (after[:, 6:].mean(dim=(1, 2)) > 0).float().mean()
    assert 0.25 < float(free) < 0.75
    assert float(kept) > float(free) + 0.3
    assert torch.equal(after[:, :2], known[:, :2])


@pytest.mark.parametrize("kind", ["flow", "pi0"])
def test_a_policy_keeps_what_is_executed_and_goes_on_without_a_jump(kind: str):
    policy = shake(state_policy(binary_gripper=False)) if kind == "flow" else tiny_policy(robot())
    seen = observation()
    old = policy.predict(seen, "go", seed=1)
    delay, shift = 2, 1
    previous = old[shift:]
    new = policy.predict_after(seen, "go", previous, delay, seed=2)
    free = policy.predict(seen, "go", seed=2)
    assert new.shape == old.shape
    np.testing.assert_allclose(new[:delay], previous[:delay], atol=1e-5)
    # Rows that are still free stay nearer to the old chunk than without guidance.
    overlap = slice(delay, len(previous))
    assert np.abs(new[overlap] - previous[overlap]).mean() < (
        np.abs(free[overlap] - previous[overlap]).mean()
    )
    usual = np.abs(np.diff(free[:, :6], axis=0)).max()
    assert np.abs(new[delay, :6] - new[delay - 1, :6]).max() <= 1.5 * usual
    again = policy.predict_after(seen, "go", previous, delay, seed=2)
    np.testing.assert_array_equal(new, again)


def test_what_cannot_be_continued_is_refused():
    policy, seen = state_policy(), observation()
    with pytest.raises(InvalidValue, match=r"delay must be 0 .. 3 rows, got 4"):
        policy.predict_after(seen, "", np.zeros((3, 7)), 4)
    token = state_policy(network=NetworkSettings(width=16, blocks=1, head="token"))
    with pytest.raises(InvalidValue, match="needs a flow"):
        token.predict_after(seen, "", np.zeros((3, 7)), 1)
