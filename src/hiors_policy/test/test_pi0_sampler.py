# SPDX-License-Identifier: Apache-2.0
"""The fast sampler gives what the plain network gives, and refuses what it was not made for."""

import pytest
import torch

from hiors_core.errors import InvalidValue, StateError, UnknownName
from hiors_policy import pi0
from hiors_policy.pi0.example import example_inputs
from hiors_policy.pi0.latency import measure_latency, measure_sharing

CONFIG = pi0.tiny_config()


@pytest.fixture(scope="module")
def model() -> pi0.Pi0:
    return pi0.Pi0.random(CONFIG, std=0.15)


def draw(batch: int, rows: int = CONFIG.horizon, seed: int = 5) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, rows, CONFIG.action_dim, generator=generator)


@pytest.mark.parametrize("steps", [1, 4, 10])
@pytest.mark.parametrize("absent", [0, 1])
def test_it_equals_the_plain_network(model: pi0.Pi0, steps: int, absent: int) -> None:
    inputs = example_inputs(CONFIG, batch=2, absent=absent, prompt=9)
    sampler = pi0.FastSampler(model, inputs, steps=steps)
    noise = draw(2)
    plain = model.sample(inputs, noise=noise, steps=steps)
    assert torch.allclose(sampler.sample(inputs, noise), plain, rtol=1e-5, atol=1e-5)
    assert torch.equal(noise, draw(2))


def test_new_images_states_and_known_rows_take_effect_and_leave_no_trace(model: pi0.Pi0) -> None:
    first, second = (example_inputs(CONFIG, prompt=9, seed=s) for s in (1, 2))
    sampler = pi0.FastSampler(model, first)
    known = draw(1, rows=3, seed=9)
    for inputs, fixed in ((first, None), (second, known), (first, None)):
        plain = model.sample(inputs, noise=draw(1), fixed=fixed)
        fast = sampler.sample(inputs, draw(1), fixed)
        assert torch.allclose(fast, plain, rtol=1e-5, atol=1e-5)
        if fixed is not None:
            assert torch.equal(fast[:, :3], known)


def test_bfloat16_stays_near_float32() -> None:
    exact, rough = (
        pi0.Pi0.random(CONFIG, std=0.15, dtype=dtype) for dtype in (torch.float32, torch.bfloat16)
    )
    rough.load_state_dict(
        {n: t.to(rough.state_dict()[n].dtype) for n, t in exact.state_dict().items()}
    )
    inputs = example_inputs(CONFIG, prompt=9)
    reference = exact.sample(inputs, noise=draw(1))
    found = pi0.FastSampler(rough, inputs).sample(inputs, draw(1))
    assert found.dtype == torch.float32
    assert float((found - reference).abs().max() / reference.abs().max()) < 0.05


def test_a_network_wholly_in_bfloat16_runs_and_learns() -> None:
    model = pi0.Pi0.random(CONFIG, std=0.15).to(torch.bfloat16)
    inputs = example_inputs(CONFIG, prompt=9)
    plain = model.sample(inputs, noise=draw(1))
    fast = pi0.FastSampler(model, inputs).sample(inputs, draw(1))
    assert float((fast - plain).abs().max() / plain.abs().max()) < 0.05
    model.loss(inputs, draw(1, seed=2)).backward()
    assert {p.grad.dtype for p in model.parameters() if p.grad is not None} == {torch.bfloat16}


def test_what_does_not_fit_is_refused(model: pi0.Pi0) -> None:
    inputs = example_inputs(CONFIG, prompt=9)
    sampler = pi0.FastSampler(model, inputs)
    longer = example_inputs(CONFIG, prompt=10)
    assert sampler.accepts(inputs)
    assert not sampler.accepts(longer)
    with pytest.raises(InvalidValue, match="another prompt length"):
        sampler.sample(longer, draw(1))
    with pytest.raises(InvalidValue, match="noise must have shape"):
        sampler.sample(inputs, draw(1, rows=3))
    with pytest.raises(UnknownName, match="compile_graph"):
        pi0.FastSampler(model, inputs, mode="turbo")
    with pytest.raises(InvalidValue, match="needs a CUDA device"):
        pi0.FastSampler(model, inputs, mode="graph")
    adapted = pi0.Pi0.random(CONFIG)
    pi0.set_mode(adapted, "lora")
    with pytest.raises(StateError, match="Merge the LoRA"):
        pi0.FastSampler(adapted, inputs)


def test_latency_is_reported_for_every_contestant_and_stage(model: pi0.Pi0) -> None:
    report = measure_latency(model, cameras=2, prompt=5, steps=2, rounds=2, warm_up=0)
    assert set(report["contestants"]) == {"bare", "native", "eager"}
    assert set(report["contestants"]["eager"]["stages_ms"]) == {"vision", "prefix", "denoise"}
    for row in report["contestants"].values():
        assert row["median_ms"] > 0.0
    for name in ("native", "eager"):
        assert report["contestants"][name]["difference_from_bare"] < 1e-4


@pytest.mark.gpu
def test_sharing_a_prefix_gives_the_same_loss_and_gradient() -> None:
    found = measure_sharing(pi0.Pi0.random(CONFIG, std=0.1), samples=3, rounds=1)
    assert found["loss_difference"] < 1e-5
    assert found["gradient_difference"] < 1e-4
    assert found["ratio"] > 0.0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("mode", ["graph", "compile_graph"])
def test_a_cuda_graph_equals_the_plain_network(mode: str) -> None:
    model = pi0.Pi0.random(CONFIG, std=0.15, device="cuda")
    inputs, other = (example_inputs(CONFIG, prompt=9, seed=s).to("cuda") for s in (1, 2))
    sampler = pi0.FastSampler(model, inputs, mode=mode)
    sampler.warm_up()
    for each in (inputs, other):
        noise = draw(1).cuda()
        plain = model.sample(each, noise=noise)
        assert torch.allclose(sampler.sample(each, noise), plain, rtol=1e-3, atol=1e-3)
