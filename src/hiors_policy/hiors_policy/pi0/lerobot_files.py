# SPDX-License-Identifier: Apache-2.0
"""What lerobot keeps beside a pi0's weights: its config and its pre- and post-processing steps."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hiors_policy.pi0.architecture import Pi0Config
from hiors_policy.pi0.normalization import Normalizer
from hiors_policy.pi0.tensors import write_tensors

_MODES = {"mean_std": "MEAN_STD", "quantile": "QUANTILES", "identity": "IDENTITY"}
_STATE, _ACTION = "observation.state", "action"


def write_lerobot_files(folder: Path, config: Pi0Config, normalizer: Normalizer | None) -> None:
    """Write config.json, and with statistics also the two processor pipelines."""
    state = len(normalizer.state.mean) if normalizer else config.state_dim
    action = len(normalizer.action.mean) if normalizer else config.action_dim
    inputs = {_STATE: {"type": "STATE", "shape": [state]}}
    outputs = {_ACTION: {"type": "ACTION", "shape": [action]}}
    mode = _MODES[normalizer.kind if normalizer else "mean_std"]
    norm_map = {"VISUAL": "IDENTITY", "STATE": mode, "ACTION": mode}
    main = {
        "type": "pi0",
        "n_obs_steps": 1,
        "chunk_size": config.horizon,
        "n_action_steps": config.horizon,
        "max_state_dim": config.state_dim,
        "max_action_dim": config.action_dim,
        "tokenizer_max_length": config.prompt_tokens,
        "normalization_mapping": norm_map,
        "input_features": inputs,
        "output_features": outputs,
    }
    _write(folder / "config.json", main)
    if normalizer is None:
        return
    stats = _stats(normalizer)
    scaling = {"eps": 1e-8, "norm_map": norm_map}
    before = [
        _step("rename_observations_processor", {"rename_map": {}}),
        _step("to_batch_processor", {}),
        _step("pi0_new_line_processor", {}),
        _step("tokenizer_processor", _tokenizer(config)),
        _step("device_processor", {"device": "cpu", "float_dtype": None}),
        _step("normalizer_processor", {**scaling, "features": {**inputs, **outputs}}),
    ]
    after = [
        _step("unnormalizer_processor", {**scaling, "features": outputs}),
        _step("device_processor", {"device": "cpu", "float_dtype": None}),
    ]
    _pipeline(folder, "policy_preprocessor", before, stats)
    _pipeline(folder, "policy_postprocessor", after, stats)


def _stats(normalizer: Normalizer) -> dict[str, Tensor]:
    parts = {_STATE: normalizer.state, _ACTION: normalizer.action}
    return {
        f"{key}.{name}": torch.tensor(values, dtype=torch.float32)
        for key, scale in parts.items()
        for name, values in scale.as_dict().items()
    }


def _tokenizer(config: Pi0Config) -> dict[str, Any]:
    return {
        "max_length": config.prompt_tokens,
        "task_key": "task",
        "padding_side": "right",
        "padding": "max_length",
        "truncation": True,
        "tokenizer_name": "google/paligemma-3b-pt-224",
    }


def _step(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    return {"registry_name": name, "config": dict(config)}


def _pipeline(
    folder: Path, name: str, steps: list[dict[str, Any]], stats: Mapping[str, Tensor]
) -> None:
    for number, step in enumerate(steps):
        if step["registry_name"].endswith("normalizer_processor"):
            step["state_file"] = f"{name}_step_{number}_{step['registry_name']}.safetensors"
            write_tensors(folder / step["state_file"], stats)
    _write(folder / f"{name}.json", {"name": name, "steps": steps})


def _write(file: Path, data: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
