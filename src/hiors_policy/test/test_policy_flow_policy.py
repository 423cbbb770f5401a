# SPDX-License-Identifier: Apache-2.0
"""The small policy as a whole: shapes, seeds, batches, and that it can learn a task by heart."""

import numpy as np
import pytest
import torch
from policy_scene import observation, robot, shake, state_policy, vision_policy

from hiors_core.errors import InvalidValue, UnknownName
from hiors_policy.ema import MovingAverage
from hiors_policy.flow import draw_flow_times, hi_ors_loss
from hiors_policy.flow_policy import FlowPolicy
from hiors_policy.network import NetworkSettings
from hiors_policy.normalization import fit
from hiors_policy.policy import PolicySpec


def test_a_chunk_is_absolute_and_in_the_columns_of_the_spec():
    policy = state_policy(kind="joint", binary_gripper=False)
    seen = observation()
    chunk = policy.predict(seen, seed=1)
    assert chunk.shape == (8, 7)
    assert chunk.dtype == np.float64
    assert policy.spec.names == robot().names
    still = state_policy(kind="joint")
    still.network.action_std.zero_()
    expected = np.repeat(seen.position[None, :6], 8, axis=0)
    np.testing.assert_allclose(still.predict(seen)[:, :6], expected, atol=1e-6)


def test_a_seed_decides_the_chunk():
    policy, seen = shake(state_policy()), observation()
    assert np.array_equal(policy.predict(seen, seed=5), policy.predict(seen, seed=5))
    assert not np.array_equal(policy.predict(seen, seed=5), policy.predict(seen, seed=6))
    assert not np.array_equal(policy.predict(seen), policy.predict(seen))


def test_a_batch_gives_what_each_alone_gives():
    policy = shake(state_policy())
    seen = [observation(i) for i in range(5)]
    together = policy.predict_batch(seen, seeds=list(range(5)))
    for i, one in enumerate(seen):
        np.testing.assert_allclose(together[i], policy.predict(one, seed=i), atol=1e-5)
    assert policy.predict_batch([]).shape == (0, 8, 7)
    with pytest.raises(InvalidValue, match="2 seeds for 5"):
        policy.predict_batch(seen, seeds=[1, 2])


def test_grippers_are_binary_only_when_asked_for():
    seen = observation()
    sent = shake(state_policy()).predict(seen, seed=0)[:, 6]
    assert set(sent) <= {0.0, 1.0}
    raw = shake(state_policy(binary_gripper=False)).predict(seen, seed=0)[:, 6]
    assert not set(raw) <= {0.0, 1.0}


def test_a_policy_on_images_looks_at_them():
    policy, seen = shake(vision_policy()), observation(cameras=("top", "left_wrist"))
    dark = observation(images={c: np.zeros_like(i) for c, i in seen.images.items()})
    assert policy.predict(seen, seed=0).shape == (8, 7)
    assert not np.allclose(policy.sample([seen], [0]), policy.sample([dark], [0]))
    with pytest.raises(UnknownName, match="camera 'top'"):
        policy.predict(observation())


def test_building_a_policy_leaves_the_global_chance_alone():
    torch.manual_seed(3)
    before = torch.rand(1)
    torch.manual_seed(3)
    state_policy(seed=9)
    assert torch.equal(torch.rand(1), before)


def test_the_spec_refuses_what_makes_no_sense():
    fields = {
        "robot": "r",
        "kind": "ee",
        "names": ("a",),
        "units": ("m",),
        "horizon": 1,
        "dt": 0.1,
    }
    with pytest.raises(UnknownName, match="action space 'eef'"):
        PolicySpec(**{**fields, "kind": "eef"})
    with pytest.raises(InvalidValue, match="one unit for each"):
        PolicySpec(**{**fields, "units": ()})
    with pytest.raises(InvalidValue, match="dt > 0"):
        PolicySpec(**{**fields, "dt": float("nan")})


def reach(policy: FlowPolicy, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A toy task: the tool goes straight to above the box and closes the gripper on the way."""
    states, chunks = [], []
    for i in range(count):
        seen = observation(i)
        base = policy.codec.base(seen.command)
        goal = base.copy()
        goal[:2] = seen.objects["box"][:2]
        share = np.linspace(1 / 8, 1.0, 8)[:, None]
        actions = base + share * (goal - base)
        actions[:, 6] = np.linspace(1.0, 0.0, 8)
        states.append(policy.encoder.encode(seen))
        chunks.append(policy.codec.encode(actions, base))
    return torch.from_numpy(np.stack(states)), torch.from_numpy(np.stack(chunks)).float()


def test_it_learns_a_toy_task():
    policy = state_policy(network=NetworkSettings(width=64, blocks=2), binary_gripper=False)
    network = policy.network
    states, chunks = reach(policy, 64)
    mask = torch.ones(64, 8)
    network.set_normalization(
        fit(states.numpy(), chunks.numpy(), mask.bool().numpy(), policy.codec.grippers)
    )
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    average = MovingAverage(network, 0.02)
    generator = torch.Generator().manual_seed(0)
    losses = []
    for step in range(1, 401):
        u = draw_flow_times((64, 2), "uniform", generator)
        x0 = torch.randn((64, 2, 8, 7), generator=generator)
        x1 = network.normalize(chunks)
        loss = hi_ors_loss(network.field, network.encode(states), x1, mask, torch.ones(64), u, x0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        average.update(network, step)
        losses.append(float(loss.detach()))
    assert np.mean(losses[-20:]) < 0.2 * np.mean(losses[:5])
    network.load_state_dict(average.state())
    for i in range(0, 64, 8):
        seen = observation(i)
        chunk = policy.predict(seen, seed=i)
        assert np.abs(chunk[-1, :2] - seen.objects["box"][:2]).max() < 0.02
        assert chunk[0, 6] > 0.6
        assert chunk[-1, 6] < 0.3


def test_the_average_forgets_the_start_and_follows_slowly():
    module = torch.nn.Linear(1, 1, bias=False)
    average = MovingAverage(module, 0.1)
    with torch.no_grad():
        module.weight.fill_(10.0)
    average.update(module, 1)
    assert float(average.state()["weight"]) > 4.0, "the first step counts for half"
    with torch.no_grad():
        module.weight.fill_(0.0)
    before = float(average.state()["weight"])
    average.update(module, 1000)
    assert float(average.state()["weight"]) == pytest.approx(0.9 * before)
    with pytest.raises(InvalidValue, match="names differ"):
        average.load({"other": torch.zeros(1)})
