# SPDX-License-Identifier: Apache-2.0
"""Names of pi0's tensors in the checkpoint formats there are. The canonical ones are openpi's."""

import re
from collections.abc import Iterable, Mapping

from hiors_core.errors import UnknownName

FORMATS = ("openpi", "lerobot", "lerobot_legacy", "transformers")
"""Formats that can be written; all of them, and bare native module names, can be read."""

EMBEDDING = "paligemma_with_expert.paligemma.model.language_model.embed_tokens.weight"
TIED = "paligemma_with_expert.paligemma.lm_head.weight"
UNUSED = "paligemma_with_expert.gemma_expert.lm_head.weight"

_PALIGEMMA = r"^paligemma_with_expert\.paligemma\."
_NORMALISATION = r"^(normalize_inputs|normalize_targets|unnormalize_outputs)\."

_RULES: tuple[tuple[str, str], ...] = (
    (r"^model\.vlm\.vision_tower\.(?:vision_model\.)?", "@vision_tower.vision_model."),
    (r"^model\.vlm\.", "@"),
    (r"^model\.dit\.embed_tokens\.", "paligemma_with_expert.gemma_expert.lm_head."),
    (r"^model\.dit\.", "paligemma_with_expert.gemma_expert.model."),
    (r"^embed_action_time\.", ""),
    (r"^model\.", ""),
    (_PALIGEMMA + r"language_model\.lm_head\.", "paligemma_with_expert.paligemma.lm_head."),
    (_PALIGEMMA + r"language_model\.model\.", "@language_model."),
    (_PALIGEMMA + r"model\.language_model\.model\.", "@language_model."),
    (_PALIGEMMA + r"(?:model\.)?vision_tower\.(?:vision_model\.)?", "@vision_tower.vision_model."),
    (_PALIGEMMA + r"multi_modal_projector\.", "@multi_modal_projector."),
)


def canonical(name: str) -> str | None:
    """Return openpi's name of a tensor of any format; None for a normalisation buffer."""
    if re.match(_NORMALISATION, name.removeprefix("model.")):
        return None
    for pattern, new in _RULES:
        name = re.sub(pattern, new.replace("@", "paligemma_with_expert.paligemma.model."), name)
    return name


def module_name(name: str) -> str:
    """Return the name of a canonical tensor in the native module's state."""
    name = re.sub(
        _PALIGEMMA + r"model\.vision_tower\.vision_model\.", "model.vlm.vision_tower.", name
    )
    name = re.sub(_PALIGEMMA + r"model\.", "model.vlm.", name)
    name = re.sub(r"^paligemma_with_expert\.gemma_expert\.model\.", "model.dit.", name)
    return re.sub(r"^(state_proj|action_in_proj|action_time_mlp_)", r"embed_action_time.\1", name)


def written(name: str, fmt: str) -> str:
    """Return the name under which a format stores a canonical tensor."""
    if fmt not in FORMATS:
        raise UnknownName("pi0 format", fmt, FORMATS)
    if fmt in ("openpi", "transformers"):
        return name
    if fmt == "lerobot":
        return f"model.{name}"
    for pattern, new in (
        (_PALIGEMMA + r"lm_head\.", r"paligemma_with_expert.paligemma.language_model.lm_head."),
        (
            _PALIGEMMA + r"model\.language_model\.",
            "paligemma_with_expert.paligemma.language_model.model.",
        ),
        (_PALIGEMMA + r"model\.", "paligemma_with_expert.paligemma."),
    ):
        changed = re.sub(pattern, new, name)
        if changed != name:
            return f"model.{changed}"
    return f"model.{name}"


def detect(names: Iterable[str]) -> str:
    """Say which format the names of a file follow."""
    joined = "\n".join(names)
    if "model.vlm." in joined:
        return "transformers modules"
    if "paligemma.language_model.model." in joined:
        return "lerobot_legacy"
    if "model.paligemma_with_expert." in joined:
        return "lerobot"
    return "openpi"


def canonical_names(names: Iterable[str]) -> Mapping[str, str]:
    """Map canonical name to file name, with the embedding under one name only."""
    found = {new: name for name in names if (new := canonical(name)) is not None}
    if EMBEDDING in found:
        found.pop(TIED, None)
    elif TIED in found:
        found[EMBEDDING] = found.pop(TIED)
    return found
