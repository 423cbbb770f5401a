# SPDX-License-Identifier: Apache-2.0
"""pi0's loss and sampler against the native class of transformers, and against themselves."""

import dataclasses

import pytest
import torch

from hiors_core.errors import InvalidValue, UnknownName
from hiors_policy import pi0
from hiors_policy.pi0.example import example_inputs, native_arguments
from hiors_policy.pi0.flow_time import embed_time, euler_times, sample_time

CONFIG = pi0.tiny_config()


@pytest.fixture(scope="module")
def model() -> pi0.Pi0:
    return pi0.Pi0.random(CONFIG, std=0.15)


def noise_like(batch: int, samples: int | None = None, seed: int = 5) -> torch.Tensor:
    shape = (batch, CONFIG.horizon, CONFIG.action_dim)
    if samples is not None:
        shape = (batch, samples, *shape[1:])
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def relative(found: torch.Tensor, reference: torch.Tensor) -> float:
    return float((found - reference).detach().abs().max() / reference.detach().abs().max())


def gradients(model: pi0.Pi0) -> dict[str, torch.Tensor]:
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize(("absent", "prompt"), [(0, 16), (1, 9), (3, 5)])
def test_loss_and_samples_equal_the_native_class(model: pi0.Pi0, absent: int, prompt: int) -> None:
    inputs = example_inputs(CONFIG, batch=2, absent=absent, prompt=prompt)
    actions, noise, time = noise_like(2, seed=1), noise_like(2), torch.tensor([0.3, 0.9])
    loss = model.loss(inputs, actions, noise=noise, time=time)
    if absent < 3:
        arguments = native_arguments(inputs, CONFIG)
        native = model.native(noise=noise, timestep=time, actions=actions, **arguments)
        assert relative(loss, native.loss) < 1e-5
        sampled = model.native.sample_actions(noise=noise, num_steps=10, **arguments)
        assert relative(model.sample(inputs, noise=noise), sampled) < 1e-4
    else:
        assert torch.isfinite(loss)


def test_rows_of_a_batch_with_different_masks_do_not_touch_each_other(model: pi0.Pi0) -> None:
    inputs = example_inputs(CONFIG, batch=2)
    masks = torch.tensor([[True, True, False], [True, False, True]])
    words = torch.arange(16) < torch.tensor([[4], [12]])
    inputs = dataclasses.replace(inputs, image_mask=masks, token_mask=words)
    noise = noise_like(2)
    together = model.sample(inputs, noise=noise)
    for row in range(2):
        names = [field.name for field in dataclasses.fields(inputs)]
        alone = pi0.Pi0Inputs(**{n: getattr(inputs, n)[row : row + 1] for n in names})
        assert (
            relative(model.sample(alone, noise=noise[row : row + 1]), together[row : row + 1])
            < 1e-5
        )


def test_masked_cameras_and_padding_have_no_effect(model: pi0.Pi0) -> None:
    inputs = example_inputs(CONFIG, absent=1, prompt=6)
    noise = noise_like(1)
    images, tokens = inputs.images.clone(), inputs.tokens.clone()
    images[:, 2], tokens[:, 6:] = 0.5, 7
    other = dataclasses.replace(inputs, images=images, tokens=tokens)
    assert torch.equal(model.sample(inputs, noise=noise), model.sample(other, noise=noise))
    assert inputs.trimmed().images.shape[1] == 2
    assert inputs.trimmed().tokens.shape[1] == 6


def test_samples_on_a_shared_context_equal_separate_passes(model: pi0.Pi0) -> None:
    inputs, actions = example_inputs(CONFIG, batch=2, absent=1, prompt=9), noise_like(2, seed=1)
    noise, time = noise_like(2, 4), torch.rand(2, 4, generator=torch.Generator().manual_seed(3))
    model.zero_grad()
    shared = model.loss(inputs, actions, noise=noise, time=time)
    shared.backward()
    together = gradients(model)
    model.zero_grad()
    total = torch.zeros(())
    for k in range(4):
        part = model.loss(inputs, actions, noise=noise[:, k], time=time[:, k]) / 4
        part.backward()
        total = total + part.detach()
    assert relative(shared.detach(), total) < 1e-6
    apart = gradients(model)
    assert apart.keys() == together.keys()
    scale = max(float(g.abs().max()) for g in apart.values())
    assert max(float((together[n] - g).abs().max()) for n, g in apart.items()) < 1e-5 * scale


def test_gradient_checkpointing_changes_no_gradient(model: pi0.Pi0) -> None:
    inputs, actions, noise = example_inputs(CONFIG, prompt=9), noise_like(1, seed=1), noise_like(1)
    found = []
    for enabled in (False, True):
        model.use_gradient_checkpointing(enabled)
        model.zero_grad()
        model.loss(inputs, actions, noise=noise, time=torch.tensor([0.4])).backward()
        found.append(gradients(model))
    model.use_gradient_checkpointing(False)
    assert found[0].keys() == found[1].keys()
    assert all(torch.allclose(found[1][n], g, rtol=1e-5, atol=1e-7) for n, g in found[0].items())


def test_parameters_without_a_gradient_are_those_that_get_frozen() -> None:
    model = pi0.Pi0.random(CONFIG, std=0.1)
    model.loss(example_inputs(CONFIG), noise_like(1), samples=2).backward()
    untouched = {n for n, p in model.named_parameters() if p.grad is None}
    learning = pi0.set_mode(model, "full")
    assert untouched == {n for n, p in model.named_parameters() if not p.requires_grad}
    assert all(p.grad is not None and bool(p.grad.abs().max() > 0) for p in learning)


def test_mask_weights_and_columns_select_what_is_counted(model: pi0.Pi0) -> None:
    inputs, actions = example_inputs(CONFIG, batch=2), noise_like(2, seed=1)
    noise, time = noise_like(2), torch.tensor([0.2, 0.7])
    errors = model.errors(inputs, actions, noise, time)[:, 0].detach()
    mask = torch.arange(CONFIG.horizon) < torch.tensor([[3], [10]])
    weights = torch.tensor([1.0, 0.0])
    loss = model.loss(
        inputs, actions, noise=noise, time=time, mask=mask, weights=weights, columns=7
    )
    assert relative(loss.detach(), errors[0, :3, :7].mean(-1).sum() / 13) < 1e-6
    whole = model.loss(inputs, actions, noise=noise, time=time)
    assert relative(whole.detach(), errors.mean()) < 1e-6


def test_known_rows_enter_clean_and_are_not_counted(model: pi0.Pi0) -> None:
    inputs, actions = example_inputs(CONFIG), noise_like(1, seed=1)
    delay, time = torch.tensor([4]), torch.tensor([0.5])
    errors = model.errors(inputs, actions, noise_like(1), time, delay)
    noise = noise_like(1)
    noise[:, :4] = 99.0
    again = model.errors(inputs, actions, noise, time, delay)
    assert torch.equal(errors, again)
    assert bool((errors[:, :, :4] == 0).all())
    loss = model.loss(inputs, actions, noise=noise, time=time, delay=delay)
    assert relative(loss.detach(), errors[:, :, 4:].detach().mean()) < 1e-6


def test_wrong_shapes_are_named(model: pi0.Pi0) -> None:
    inputs = example_inputs(CONFIG)
    with pytest.raises(InvalidValue, match="time must have shape"):
        model.errors(inputs, noise_like(1), noise_like(1), torch.rand(3))
    with pytest.raises(InvalidValue, match=r"state must have shape \(1"):
        dataclasses.replace(inputs, state=torch.zeros(2, 32))
    nothing = example_inputs(CONFIG, absent=3, prompt=0)
    with pytest.raises(InvalidValue, match="neither an image nor a prompt"):
        model.sample(nothing)


def test_guidance_pulls_the_known_rows_towards_the_old_chunk(model: pi0.Pi0) -> None:
    inputs, noise, old = example_inputs(CONFIG), noise_like(1), noise_like(1, seed=8)
    guidance = pi0.Guidance(previous=old, delay=3, overlap=7)
    weights = guidance.row_weights()
    assert torch.equal(weights[:3], torch.ones(3))
    assert bool((weights[3:7].diff() < 0).all())
    assert torch.equal(weights[7:], torch.zeros(3))
    free = model.sample(inputs, noise=noise)
    led = model.sample(inputs, noise=noise, guidance=guidance)
    miss = [(chunk - old)[:, :3].square().mean() for chunk in (free, led)]
    assert float(miss[1]) < 0.1 * float(miss[0])
    with pytest.raises(InvalidValue, match="delay <= overlap"):
        pi0.Guidance(previous=old, delay=5, overlap=2)


def test_flow_time_has_its_law_its_embedding_and_its_steps() -> None:
    drawn = sample_time((20000,), "beta", torch.Generator().manual_seed(0))
    assert abs(float(drawn.mean()) - 0.6) < 0.01
    assert float(drawn.min()) >= 0.001
    assert float(drawn.max()) <= 1.0
    uniform = sample_time((20000,), "uniform", torch.Generator().manual_seed(0))
    assert abs(float(uniform.mean()) - 0.5) < 0.01
    with pytest.raises(UnknownName, match="beta, uniform"):
        sample_time((1,), "gamma")  # type: ignore[arg-type]
    embedded = embed_time(torch.tensor([0.25]), 4, 4e-3, 4.0)
    phases = torch.tensor([0.25 / 4e-3, 0.25 / 4.0], dtype=torch.float64) * 2 * torch.pi
    assert torch.allclose(embedded[0], torch.cat([phases.sin(), phases.cos()]).float())
    step, times = euler_times(10)
    assert len(times) == 10
    assert times[0] == 1.0
    assert times[-1] == pytest.approx(0.1, abs=1e-6)
    assert times[-1] != 0.1
    assert step == pytest.approx(-0.1)
    with pytest.raises(InvalidValue, match="at least 1"):
        euler_times(0)


@pytest.mark.parametrize("law", ["beta", "uniform"])
def test_a_short_training_lowers_the_loss(law: str) -> None:
    model = pi0.Pi0.random(CONFIG, std=0.1)
    learning = pi0.set_mode(model, "vision_frozen")
    optimizer = torch.optim.AdamW(learning, lr=5e-3)
    inputs, actions = example_inputs(CONFIG, batch=2), noise_like(2, seed=1) * 0.3
    losses = []
    generator = torch.Generator().manual_seed(0)
    for _ in range(40):
        loss = model.loss(inputs, actions, samples=4, law=law, generator=generator)  # type: ignore[arg-type]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
