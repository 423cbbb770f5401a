# SPDX-License-Identifier: Apache-2.0
"""What learns in each mode, LoRA that is never lost, and updates that bfloat16 would lose."""

from pathlib import Path

import pytest
import torch

from hiors_core.errors import InvalidValue, StateError, UnknownName
from hiors_policy import pi0
from hiors_policy.pi0.example import example_inputs

CONFIG = pi0.tiny_config()


def train(model: pi0.Pi0, learning: list[torch.nn.Parameter], steps: int = 2) -> None:
    optimizer = torch.optim.AdamW(learning, lr=1e-2)
    actions = torch.randn(1, CONFIG.horizon, CONFIG.action_dim)
    for _ in range(steps):
        optimizer.zero_grad()
        model.loss(example_inputs(CONFIG), actions).backward()
        optimizer.step()


def snapshot(model: pi0.Pi0) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.native.named_parameters()}


@pytest.mark.parametrize(
    ("mode", "moving", "still"),
    [
        ("full", "model.vlm.vision_tower.post_layernorm.weight", "model.vlm.language_model.norm"),
        ("vision_frozen", "model.vlm.multi_modal_projector.linear.bias", "model.vlm.vision_tower"),
        ("expert_only", "model.dit.layers.1.mlp.up_proj.weight", "model.vlm"),
    ],
)
def test_only_the_parameters_of_the_mode_move(mode: str, moving: str, still: str) -> None:
    model = pi0.Pi0.random(CONFIG, std=0.1)
    learning = pi0.set_mode(model, mode)
    before = snapshot(model)
    train(model, learning)
    after = snapshot(model)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert moving in changed
    assert not any(name.startswith(still) for name in changed)
    assert changed == {n for n, p in model.native.named_parameters() if p.requires_grad}


def test_modes_can_follow_one_another() -> None:
    model = pi0.Pi0.random(CONFIG)
    first = len(pi0.set_mode(model, "full"))
    assert len(pi0.set_mode(model, "expert_only")) < first
    assert len(pi0.set_mode(model, "full")) == first
    with pytest.raises(UnknownName, match="vision_frozen"):
        pi0.set_mode(model, "vision")


def test_lora_starts_without_effect_learns_merges_and_is_saved(tmp_path: Path) -> None:
    model = pi0.Pi0.random(CONFIG, std=0.1)
    inputs, noise = example_inputs(CONFIG), torch.randn(1, CONFIG.horizon, CONFIG.action_dim)
    start = model.sample(inputs, noise=noise)
    learning = pi0.set_mode(model, "lora", pi0.LoraSettings(rank=2, expert_rank=4))
    assert torch.allclose(model.sample(inputs, noise=noise), start, atol=1e-6)
    names = {n for n, p in model.native.named_parameters() if p.requires_grad}
    assert all("lora_" in n or n.startswith(("embed_action_time", "action_out")) for n in names)
    ranks = {p.shape[0] for n, p in model.native.named_parameters() if "lora_A" in n}
    assert ranks == {2, 4}
    model.use_gradient_checkpointing()
    train(model, learning, steps=3)
    adapted = model.sample(inputs, noise=noise)
    assert not torch.allclose(adapted, start, atol=1e-3)
    with pytest.raises(StateError, match="adapters already"):
        pi0.add_lora(model.native, pi0.LoraSettings())
    pi0.save(tmp_path, model)
    loaded = pi0.load(tmp_path)
    assert torch.allclose(loaded.sample(inputs, noise=noise), adapted, atol=1e-4)
    pi0.merge_lora(model.native)
    assert torch.allclose(model.sample(inputs, noise=noise), adapted, atol=1e-4)
    assert not any("lora" in name for name in model.state_dict())
    with pytest.raises(InvalidValue, match="rank must be 1"):
        pi0.LoraSettings(rank=0)


def test_float32_masters_keep_updates_that_bfloat16_loses() -> None:
    weight = torch.nn.Parameter(torch.full((1000,), 0.02, dtype=torch.bfloat16))
    plain = torch.nn.Parameter(weight.detach().clone())
    masters = pi0.MasterWeights([weight])
    optimizers = [torch.optim.SGD([plain], lr=1.0), torch.optim.SGD(masters.copies, lr=1.0)]
    for _ in range(100):
        for parameter in (weight, plain):
            parameter.grad = torch.full_like(parameter, 2e-5)
        masters.take_gradients()
        for optimizer in optimizers:
            optimizer.step()
        masters.write_back()
    assert torch.equal(plain, torch.full_like(plain, 0.02))
    assert float(weight.detach().float().mean()) == pytest.approx(0.018, rel=1e-2)
    assert weight.grad is None


def test_a_bfloat16_network_trains_with_masters() -> None:
    model = pi0.Pi0.random(CONFIG, std=0.1, dtype=torch.bfloat16)
    learning = pi0.set_mode(model, "full")
    masters = pi0.MasterWeights(learning)
    optimizer = torch.optim.AdamW(masters.copies, lr=1e-2)
    actions = torch.randn(1, CONFIG.horizon, CONFIG.action_dim)
    model.loss(example_inputs(CONFIG), actions, samples=2).backward()
    before = [p.detach().clone() for p in learning]
    masters.take_gradients()
    optimizer.step()
    masters.write_back()
    assert all(not torch.equal(a, b) for a, b in zip(before, learning, strict=True))
    for copy, parameter in zip(masters.copies, learning, strict=True):
        assert torch.equal(copy.to(parameter.dtype), parameter)


def test_autocast_computes_in_bfloat16_on_float32_weights() -> None:
    model = pi0.Pi0.random(CONFIG, std=0.1)
    actions = torch.randn(1, CONFIG.horizon, CONFIG.action_dim)
    noise, time = torch.randn_like(actions), torch.tensor([0.5])
    exact = model.loss(example_inputs(CONFIG), actions, noise=noise, time=time)
    with torch.autocast("cpu", torch.bfloat16):
        rough = model.loss(example_inputs(CONFIG), actions, noise=noise, time=time)
    rough.backward()
    assert rough.dtype == torch.float32
    assert float(rough.detach()) == pytest.approx(float(exact.detach()), rel=0.05)
    assert not torch.equal(rough, exact)
    assert all(p.grad is None or p.grad.dtype == torch.float32 for p in model.parameters())
