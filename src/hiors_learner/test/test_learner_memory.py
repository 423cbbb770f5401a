# SPDX-License-Identifier: Apache-2.0
"""The arithmetic of memory against what PyTorch and DeepSpeed really keep."""

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks

from hiors_learner.memory import activations, count, memory
from hiors_learner.settings import MODES, TuningSettings
from hiors_policy import pi0
from hiors_policy.pi0.example import example_inputs

SHAPE = {"batch": 4, "cameras": 2, "prompt": 6}


def test_zero_shares_out_gradients_and_optimizer():
    one, four = memory(100, 50, 1, 7), memory(100, 50, 4, 7)
    assert one.weights == four.weights == 600
    assert (one.gradients, one.optimizer) == (400, 1200)
    assert (four.gradients, four.optimizer) == (100, 300)
    assert one.total - four.total == 1200
    assert one.total == 600 + 400 + 1200 + 400 + 400 + 7


def test_the_full_size_is_counted():
    learning, frozen = count(pi0.full_config(), TuningSettings(mode="expert_only"))
    assert learning == pytest.approx(314.7e6, rel=1e-3)
    assert learning + frozen == pytest.approx(3238.0e6, rel=1e-3)


@pytest.mark.parametrize("mode", MODES)
def test_what_is_kept_for_the_backward_pass(mode: str):
    config = pi0.tiny_config(layers=4)
    model = pi0.Pi0.random(config)
    pi0.set_mode(model, mode, pi0.LoraSettings(rank=1, expert_rank=1))
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage
        return tensor

    rows = torch.zeros(4, config.horizon, config.action_dim)
    with saved_tensors_hooks(pack, lambda tensor: tensor):
        model.loss(example_inputs(config, **SHAPE), rows, samples=3)
    found = sum(storage.nbytes() for storage in kept.values())
    tuning = TuningSettings(mode=mode)
    assert activations(config, tuning, **SHAPE, samples=3) == pytest.approx(found, rel=0.15)
    less = TuningSettings(mode=mode, gradient_checkpointing=True)
    assert activations(config, less, **SHAPE, samples=3) < 0.6 * found
