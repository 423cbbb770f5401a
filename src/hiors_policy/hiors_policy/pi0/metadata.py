# SPDX-License-Identifier: Apache-2.0
"""What a checkpoint folder says beside its weights: sizes and scales, in each format's own files.

``pi0.json`` is hiors' own and is written with every format: it says all that shapes cannot.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from hiors_core.checkpoints import MANIFEST
from hiors_core.errors import InvalidValue, UnknownName
from hiors_policy.pi0.architecture import Pi0Config
from hiors_policy.pi0.lerobot_files import write_lerobot_files
from hiors_policy.pi0.native import native_config
from hiors_policy.pi0.normalization import Kind, Normalizer, Scale
from hiors_policy.pi0.tensors import TensorFiles, read_json

OWN_FILE = "pi0.json"

_RENAMED = {
    "action_horizon": "horizon",
    "chunk_size": "horizon",
    "action_dim": "action_dim",
    "max_action_dim": "action_dim",
    "max_state_dim": "state_dim",
    "tokenizer_max_length": "prompt_tokens",
    "max_token_len": "prompt_tokens",
    "min_period": "min_period",
    "max_period": "max_period",
}
_TOWERS = {
    "num_attention_heads": "heads",
    "num_key_value_heads": "kv_heads",
    "head_dim": "head_dim",
}


def read_hints(folder: Path) -> dict[str, Any]:
    """Return the sizes that a folder's JSON files give, as fields of Pi0Config."""
    own = _own(folder).get("architecture")
    if isinstance(own, Mapping):
        return dict(own)
    config = read_json(folder / "config.json")
    if config.get("pi05") or config.get("type") == "pi05":
        raise InvalidValue(f"{folder} holds a pi0.5, which hiors does not run: use a pi0")
    hints = {item.name: config[item.name] for item in fields(Pi0Config) if item.name in config}
    hints |= {new: config[old] for old, new in _RENAMED.items() if old in config}
    vlm = config.get("vlm_config")
    if isinstance(vlm, Mapping):
        text, vision = vlm.get("text_config", {}), vlm.get("vision_config", {})
        hints |= {new: text[old] for old, new in _TOWERS.items() if old in text}
        if "num_attention_heads" in vision:
            hints["vision_heads"] = vision["num_attention_heads"]
    return hints


def _own(folder: Path) -> dict[str, Any]:
    """Return what hiors wrote: beside a published format, or in the manifest of a checkpoint."""
    manifest = read_json(folder / MANIFEST).get("architecture")
    if isinstance(manifest, dict) and manifest.get("name") == "pi0":
        return manifest
    return read_json(folder / OWN_FILE)


def load_normalizer(path: str | Path, asset: str | None = None) -> Normalizer | None:
    """Return the scales that travel with a checkpoint, or None where it has none.

    Args:
        asset: name of the folder under ``assets`` when an openpi checkpoint has several robots.
    """
    folder = Path(path) if Path(path).is_dir() else Path(path).parent
    own = _own(folder).get("normalization")
    if isinstance(own, Mapping) and asset is None:
        return Normalizer.from_dict(own)
    found = {file.parent.name: file for file in folder.glob("assets/**/norm_stats.json")}
    if asset is not None and asset not in found:
        raise UnknownName("asset", asset, found, f"They are those of {folder}.")
    if len(found) > 1 and asset is None:
        raise InvalidValue(f"{folder} has statistics of {sorted(found)}: name one as 'asset'")
    if found:
        return Normalizer.from_dict(read_json(found[asset or next(iter(found))]))
    return _lerobot_scales(folder) or _legacy_scales(Path(path))


def _lerobot_scales(folder: Path) -> Normalizer | None:
    for file in sorted(folder.glob("policy_preprocessor*normalizer*.safetensors")):
        with TensorFiles(file) as tensors:
            stats = {name: tensors[name].double().numpy().ravel() for name in tensors}
        return _scales(stats, "observation.state.", "action.", _lerobot_kind(folder))
    return None


def _legacy_scales(path: Path) -> Normalizer | None:
    with TensorFiles(path) as tensors:
        names = [n for n in tensors if re.search(r"normalize_(inputs|outputs|targets)\.", n)]
        stats = {re.sub(r"^model\.", "", n): tensors[n].double().numpy().ravel() for n in names}
    folder = path if path.is_dir() else path.parent
    state = "normalize_inputs.buffer_observation_state."
    return _scales(stats, state, "unnormalize_outputs.buffer_action.", _lerobot_kind(folder))


def _lerobot_kind(folder: Path) -> Kind:
    modes = read_json(folder / "config.json").get("normalization_mapping", {})
    mode = modes.get("ACTION", "MEAN_STD") if isinstance(modes, Mapping) else "MEAN_STD"
    kinds: dict[str, Kind] = {
        "MEAN_STD": "mean_std", "QUANTILES": "quantile", "IDENTITY": "identity",
    }  # fmt: skip
    if mode not in kinds:
        raise UnknownName("normalisation of lerobot", str(mode), kinds)
    return kinds[mode]


def _scales(stats: Mapping[str, Any], state: str, action: str, kind: Kind) -> Normalizer | None:
    def part(prefix: str) -> dict[str, Any]:
        return {n.removeprefix(prefix): v for n, v in stats.items() if n.startswith(prefix)}

    parts = part(state), part(action)
    if not all({"mean", "std"} <= set(p) for p in parts):
        return None
    if not all(np.all(np.isfinite(p["mean"])) for p in parts):
        return None
    return Normalizer(state=Scale.make(parts[0]), action=Scale.make(parts[1]), kind=kind)


def write_metadata(
    folder: Path, fmt: str, config: Pi0Config, normalizer: Normalizer | None, asset: str
) -> None:
    """Write the JSON files that go with the weights in a format."""
    own: dict[str, Any] = {"architecture": config.as_dict()}
    if normalizer is not None:
        own["normalization"] = normalizer.as_dict()
        stats = folder / "assets" / asset
        stats.mkdir(parents=True, exist_ok=True)
        _write_json(stats / "norm_stats.json", {"norm_stats": own["normalization"]["norm_stats"]})
    _write_json(folder / OWN_FILE, own)
    if fmt == "transformers":
        native_config(config).save_pretrained(folder)
    elif fmt == "openpi":
        _write_json(folder / "config.json", _openpi_config(config))
    else:
        write_lerobot_files(folder, config, normalizer)


def _openpi_config(config: Pi0Config) -> dict[str, Any]:
    return {
        "action_dim": config.action_dim,
        "action_horizon": config.horizon,
        "paligemma_variant": "gemma_2b",
        "action_expert_variant": "gemma_300m",
    }


def _write_json(file: Path, data: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
