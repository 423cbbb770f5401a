# SPDX-License-Identifier: Apache-2.0
"""Diffusion and token policies: same size, same protocol, same files, same accept-and-distill."""

import pytest
import torch
from policy_scene import observation, state_policy

from hiors_core.durable import read_document, write_document
from hiors_core.errors import IntegrityError, UnknownName
from hiors_policy.checkpoint import load_checkpoint, save_checkpoint
from hiors_policy.diffusion import TRAINING_STEPS, Denoiser
from hiors_policy.flow import draw_flow_times
from hiors_policy.network import HEADS, FlowNetwork, NetworkSettings, Shapes
from hiors_policy.token import BINS, TokenDecoder, to_tokens, to_values

SHAPES = Shapes(features=3, horizon=4, actions=2, cameras=0)


def network(head: str, **sizes: int) -> FlowNetwork:
    torch.manual_seed(0)
    return FlowNetwork(SHAPES, NetworkSettings(head=head, euler_steps=10, **sizes))


def losses(net: FlowNetwork, states, x1, weight=None, mask=None, seed=0, k=2):
    generator = torch.Generator().manual_seed(seed)
    u = draw_flow_times((len(x1), k), "uniform", generator)
    x0 = torch.randn((len(x1), k, *x1.shape[1:]), generator=generator)
    weight = torch.ones(len(x1)) if weight is None else weight
    mask = torch.ones(x1.shape[:2], dtype=torch.bool) if mask is None else mask
    return net.field.loss(net.encode(states), x1, mask, weight, u, x0)


@pytest.mark.parametrize("head", HEADS)
def test_two_ways_to_do_it_are_both_learnt_and_never_mixed(head):
    net = network(head, width=48, blocks=3)
    generator = torch.Generator().manual_seed(1)
    states = torch.randn(64, 3, generator=generator)
    side = torch.where(torch.rand(64, 1, 1, generator=generator) < 0.5, -1.0, 1.0)
    x1 = side.expand(64, 4, 2).contiguous()
    adam = torch.optim.Adam(net.parameters(), lr=3e-3)
    for step in range(250):
        adam.zero_grad()
        losses(net, states, x1, seed=step).backward()
        adam.step()
    noise = torch.randn(200, 4, 2, generator=generator)
    chunks = net.sample(torch.randn(200, 3, generator=generator), None, noise)
    near = (chunks.mean((1, 2)).abs() - 1.0).abs() < 0.3
    one_way = (chunks.sign() == chunks[:, :1, :1].sign()).all(2).all(1)
    assert float((near & one_way).float().mean()) > 0.7
    assert 0.25 < float((chunks[:, 0, 0] > 0).float().mean()) < 0.75


def learned(head: str, share: float, euler_steps: int) -> torch.Tensor:
    """Return the first rows (2, 2) that a policy gives without noise at -1.5 and 1.5, having been
    shown chunks of -1 or 1, as the sign of the state is, in a share of the examples, 0 in others.
    """
    torch.manual_seed(0)
    net = FlowNetwork(
        SHAPES, NetworkSettings(head=head, euler_steps=euler_steps, width=48, blocks=3)
    )
    generator = torch.Generator().manual_seed(1)
    adam = torch.optim.Adam(net.parameters(), lr=3e-3)
    for step in range(300):
        states = torch.randn(64, 3, generator=generator)
        moves = (torch.rand(64, 1, 1, generator=generator) < share).float()
        x1 = (moves * states[:, 0].sign()[:, None, None]).expand(64, 4, 2).contiguous()
        adam.zero_grad()
        losses(net, states, x1, seed=step).backward()
        adam.step()
    states = torch.tensor([[-1.5, 0.0, 0.0], [1.5, 0.0, 0.0]])
    return net.sample(states, None, torch.zeros(2, 4, 2))[:, 0].detach()


@pytest.mark.parametrize("head", HEADS)
def test_four_steps_without_noise_give_what_was_shown(head):
    shown = torch.tensor([[-1.0, -1.0], [1.0, 1.0]])
    torch.testing.assert_close(learned(head, 1.0, 4), shown, atol=0.25, rtol=0.0)


@pytest.mark.parametrize("head", HEADS)
def test_a_policy_without_noise_does_not_rest_where_most_examples_do(head):
    below, above = learned(head, 0.4, 10)[:, 0]
    assert below < -0.2
    assert above > 0.2


@pytest.mark.parametrize("head", HEADS)
def test_rejected_episodes_and_padding_give_no_gradient(head):
    net = network(head, width=16, blocks=2)
    states, x1 = torch.randn(6, 3), torch.randn(6, 4, 2)
    mask = torch.ones(6, 4, dtype=torch.bool)
    mask[:, 2:] = False
    other = x1.clone()
    other[:, 2:] += 5.0
    assert losses(net, states, x1, mask=mask) >= 0.0
    if head == "token":
        torch.testing.assert_close(
            losses(net, states, x1, mask=mask), losses(net, states, other, mask=mask)
        )
    losses(net, states, x1, weight=torch.zeros(6)).backward()
    assert all(p.grad is None or not p.grad.any() for p in net.parameters())
    assert losses(net, states, x1, mask=mask & False).item() == 0.0


@pytest.mark.parametrize("head", HEADS)
def test_a_checkpoint_brings_back_the_same_policy(head, tmp_path):
    settings = NetworkSettings(width=16, blocks=3, head=head)
    policy = state_policy(network=settings)
    save_checkpoint(tmp_path / "v000001", policy, version="v000001", step=1)
    again = load_checkpoint(tmp_path / "v000001").policy
    assert again.settings.network.head == head
    seen = observation()
    assert (again.predict(seen, seed=3) == policy.predict(seen, seed=3)).all()


def test_heads_are_of_about_the_same_size():
    shapes = Shapes(features=40, horizon=16, actions=7, cameras=0)
    sizes = {
        head: sum(p.numel() for p in FlowNetwork(shapes, NetworkSettings(head=head)).parameters())
        for head in HEADS
    }
    assert sizes["diffusion"] == sizes["flow"]
    assert 0.7 < sizes["token"] / sizes["flow"] < 1.4, sizes


def test_the_noise_grows_from_almost_none_to_almost_all():
    level = Denoiser(4, 2, 16, 1).alpha_bar
    assert len(level) == TRAINING_STEPS
    assert level[0] > 0.999
    assert level[-1] < 1e-3
    assert bool((level.diff() < 0).all())


def test_bins_are_finest_at_rest_and_lose_at_most_half_their_width():
    x = torch.linspace(-3.9, 3.9, 1001).view(1, -1, 1)
    middles = to_values(torch.arange(BINS).view(1, -1, 1)).flatten()
    widths = middles.diff()
    assert widths.min() == pytest.approx(float(widths[BINS // 2 - 1]), rel=1e-4)
    assert float(widths.min()) < 0.02
    assert float((to_values(to_tokens(x)) - x).abs().max()) < 0.6 * float(widths.max())
    assert to_tokens(torch.tensor([[[-99.0, 99.0]]])).tolist() == [[[0, BINS - 1]]]


def test_the_probability_of_a_chunk_is_what_sampling_gives():
    """Sampling and the loss must condition on the same tokens."""
    torch.manual_seed(3)
    decoder = TokenDecoder(2, 2, 16, 3)
    torch.nn.init.normal_(decoder.to_logits.weight)
    context, noise = torch.randn(1, 16), torch.randn(1, 2, 2)
    drawn = decoder.sample(context, noise, 0)
    shown = decoder._embed(to_tokens(drawn).flatten(1))
    logits = decoder._ask(decoder._entering(context, shown)).view(1, 2, 2, BINS)
    mass = logits.softmax(-1).cumsum(-1)
    token, chance = to_tokens(drawn)[..., None], torch.special.ndtr(noise)[..., None]
    high = mass.gather(-1, token)
    low = torch.where(token > 0, mass.gather(-1, (token - 1).clamp(min=0)), 0.0)
    assert bool(((low < chance + 1e-6) & (chance <= high + 1e-6)).all())


def test_unknown_heads_are_refused(tmp_path):
    with pytest.raises(UnknownName, match=r"head of a policy 'difusion'.*'diffusion'"):
        NetworkSettings(head="difusion")
    policy = state_policy(network=NetworkSettings(width=16, blocks=1, head="diffusion"))
    save_checkpoint(tmp_path / "v000001", policy, version="v000001", step=1)
    path = tmp_path / "v000001" / "manifest.json"
    manifest = read_document(path)
    manifest["architecture"]["name"] = "flow_mlp"
    write_document(path, manifest, "test")
    with pytest.raises(IntegrityError, match="flow_mlp has no head 'diffusion'"):
        load_checkpoint(tmp_path / "v000001")
