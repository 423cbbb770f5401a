# SPDX-License-Identifier: Apache-2.0
"""The loss of eq. 5 to the last digit, the flow times, and the integration."""

import pytest
import torch

from hiors_core.errors import UnknownName
from hiors_policy.flow import VelocityField, draw_flow_times, hi_ors_loss, integrate


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def problem(batch: int = 5, samples: int = 3, horizon: int = 4, actions: int = 2):
    g = generator()
    x1 = torch.randn(batch, horizon, actions, generator=g)
    x0 = torch.randn(batch, samples, horizon, actions, generator=g)
    u = torch.rand(batch, samples, generator=g)
    context = torch.randn(batch, 6, generator=g)
    mask = torch.rand(batch, horizon, generator=g) > 0.3
    return context, x1, mask, u, x0


def by_hand(field, context, x1, mask, weight, u, x0) -> float:
    """Eq. 5 written out with loops."""
    total, count = 0.0, 0
    batch, samples, horizon, actions = x0.shape
    for b in range(batch):
        for h in range(horizon):
            if not mask[b, h]:
                continue
            count += 1
            for k in range(samples):
                point = (1 - u[b, k]) * x0[b, k] + u[b, k] * x1[b]
                velocity = field(context[b : b + 1], u[b, k].view(1), point[None])[0]
                error = velocity[h] - (x1[b, h] - x0[b, k, h])
                total += float(weight[b] * (error**2).sum()) / (samples * actions)
    return total / count


def test_the_loss_is_eq_5_over_valid_steps():
    torch.manual_seed(0)
    field = VelocityField(4, 2, 6, 1)
    torch.nn.init.normal_(field.to_action.weight, std=0.3)
    context, x1, mask, u, x0 = problem()
    weight = torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0])
    with torch.no_grad():
        loss = hi_ors_loss(field, context, x1, mask, weight, u, x0)
        assert float(loss) == pytest.approx(
            by_hand(field, context, x1, mask, weight, u, x0), rel=1e-5
        )


def test_a_rejected_trajectory_and_a_padded_step_give_no_gradient():
    context, x1, mask, u, x0 = problem()
    x1.requires_grad_()
    weight = torch.tensor([1.0, 0.0, 1.0, 1.0, 1.0])
    hi_ors_loss(lambda c, u, x: x.detach() * 0, context, x1, mask, weight, u, x0).backward()
    assert torch.all(x1.grad[1] == 0.0)
    assert torch.all(x1.grad[~mask] == 0.0)
    assert torch.all(x1.grad[0][mask[0]] != 0.0)


def test_nothing_valid_is_zero_and_not_nan():
    context, x1, mask, u, x0 = problem()
    loss = hi_ors_loss(lambda c, u, x: x, context, x1, mask & False, torch.ones(5), u, x0)
    assert float(loss) == 0.0


def test_parts_of_a_batch_add_up_to_the_whole():
    context, x1, mask, u, x0 = problem(batch=6)

    def loss(part: slice, valid: float | None) -> float:
        args = (context[part], x1[part], mask[part], torch.ones(6)[part], u[part], x0[part])
        return float(hi_ors_loss(lambda c, u, x: x, *args, valid=valid))

    half = float(mask.sum()) / 2
    parts = [loss(slice(r, None, 2), half) for r in range(2)]
    assert sum(parts) / 2 == pytest.approx(loss(slice(None), None), rel=1e-6)


def test_k_samples_share_one_context():
    seen = []

    def field(context, u, x):
        seen.append((context, u))
        return x

    context, x1, mask, u, x0 = problem(batch=2, samples=3)
    hi_ors_loss(field, context, x1, mask, torch.ones(2), u, x0)
    (contexts, times), *others = seen
    assert not others
    assert torch.equal(contexts, context[[0, 0, 0, 1, 1, 1]])
    assert torch.equal(times, u.flatten())


def test_uniform_times_fill_the_unit_interval():
    u = draw_flow_times((20000,), "uniform", generator())
    assert float(u.min()) >= 0.0
    assert float(u.max()) <= 1.0
    assert float(u.mean()) == pytest.approx(0.5, abs=0.01)


def test_beta_times_are_those_of_one_minus_beta():
    u = draw_flow_times((50000,), "beta", generator())
    assert float(u.mean()) == pytest.approx(1.0 - 0.6, abs=0.01)
    assert float(u.var()) == pytest.approx(1.5 / (2.5**2 * 3.5), abs=0.005)


def test_an_unknown_distribution_is_named():
    with pytest.raises(UnknownName, match=r"unifrom.*Did you mean 'uniform'"):
        draw_flow_times((1,), "unifrom", generator())


def test_euler_steps_follow_the_field():
    class Constant(VelocityField):
        def at(self, context, x):
            return torch.full_like(x, 2.0)

    x0 = torch.zeros(3, 4, 2)
    x1 = integrate(Constant(4, 2, 6, 1), torch.zeros(3, 6), x0, 6)
    assert torch.allclose(x1, torch.full_like(x1, 2.0))


def test_the_field_at_a_time_is_the_forward_pass():
    field = VelocityField(4, 2, 6, 2)
    torch.nn.init.normal_(field.to_action.weight)
    context, x, u = torch.randn(3, 6), torch.randn(3, 4, 2), torch.rand(3)
    assert torch.allclose(field(context, u, x), field.at(context + field.embed(u), x))
