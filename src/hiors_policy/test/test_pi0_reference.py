# SPDX-License-Identifier: Apache-2.0
"""The documented check against a reference, done as the README says, on a folder as openpi writes
it; the reference is the native class of transformers.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from hiors_policy import pi0
from hiors_policy.pi0.example import example_inputs, native_arguments
from hiors_policy.pi0.keymaps import EMBEDDING, TIED, UNUSED

README = Path(pi0.__file__).with_name("README.md")
CONFIG = pi0.tiny_config()
CAMERAS = ("base_0_rgb", "left_wrist_0_rgb", "right_wrist_0_rgb")


def written(folder: Path, model: pi0.Pi0) -> Path:
    """Write what openpi's conversion writes: neither our own file nor any size beyond its own."""
    tensors = {name: tensor.clone() for name, tensor in pi0.to_tensors(model).items()}
    tensors[TIED] = tensors.pop(EMBEDDING)
    tensors[UNUSED] = torch.randn(CONFIG.vocab, CONFIG.expert_width)
    save_file(tensors, folder / "model.safetensors")
    sizes = {"action_dim": 32, "action_horizon": 50, "precision": "bfloat16"}
    variants = {"paligemma_variant": "gemma_2b", "action_expert_variant": "gemma_300m"}
    (folder / "config.json").write_text(json.dumps(sizes | variants))
    return folder


def test_what_the_readme_says_gives_the_references_loss_and_chunk(tmp_path: Path) -> None:
    section = README.read_text(encoding="utf-8").partition("### Against a reference")[2]
    code = section.partition("```python\n")[2].partition("```")[0]
    original = pi0.Pi0.random(CONFIG, std=0.15)
    inputs = example_inputs(CONFIG, batch=2, absent=1, prompt=9)
    generator = torch.Generator().manual_seed(3)
    actions, noise = torch.randn(2, 2, CONFIG.horizon, 32, generator=generator)
    time = torch.tensor([0.3, 0.9])
    said: dict[str, Any] = {
        "path": written(tmp_path, original),
        "sizes": {"vision_heads": CONFIG.vision_heads},
        "images": {name: inputs.images[:, i] for i, name in enumerate(CAMERAS)},
        "image_masks": {name: inputs.image_mask[:, i] for i, name in enumerate(CAMERAS)},
        "tokenized_prompt": inputs.tokens,
        "tokenized_prompt_mask": inputs.token_mask,
        "state": inputs.state,
        "actions": actions,
        "noise": noise,
        "time": time,
    }
    exec(code, said)
    arguments = native_arguments(inputs, CONFIG)
    loss = original.native(noise=noise, timestep=time, actions=actions, **arguments).loss
    chunk = original.native.sample_actions(noise=noise, num_steps=10, **arguments)
    torch.testing.assert_close(said["loss"], loss.detach(), rtol=1e-4, atol=0.0)
    torch.testing.assert_close(said["errors"].mean(), said["loss"], rtol=1e-5, atol=0.0)
    assert float((said["chunk"] - chunk).abs().max() / chunk.abs().max()) < 1e-4
