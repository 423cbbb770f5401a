# SPDX-License-Identifier: Apache-2.0
"""What `policy:=` means: a file in config/policies, one of the user's own, or a checkpoint folder.

Reads no weights and imports no torch.
"""

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hiors.places import config_file
from hiors_core.checked import read_yaml, section
from hiors_core.checkpoints import MANIFEST
from hiors_core.errors import InvalidValue, UnknownName

NEW = ("state", "vision", "none")
"""What is made when there is no checkpoint: a network on object poses, one on images, nothing."""
_KINDS = (
    ("checkpoint", str, "a folder"),
    ("learner", str, "a name in config/learner or a YAML file"),
    ("parameters", Mapping, "a mapping of parameters"),
)
_KEYS = {name for name, _, _ in _KINDS}


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChoice:
    """Content of a policy file.

    Attributes:
        new: what is made when there is no checkpoint: "state" (a network on object poses),
            "vision" (one on images) or "none".
        checkpoint: folder to start with; "": the newest in the run.
        learner: how it learns, a name in config/learner or a YAML file.
        parameters: of the policy node.
    """

    new: str
    checkpoint: str = ""
    learner: str = "default"
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def started_with(self, folder: Path) -> "PolicyChoice":
        """Return the choice with that checkpoint."""
        return dataclasses.replace(self, checkpoint=str(folder.resolve()))


def choose_policy(name: str) -> PolicyChoice:
    """Read the policy file of that name, or the one that goes with a checkpoint folder."""
    if is_checkpoint(name):
        return load_policy_file(config_file("policies", kind_of(Path(name)))).started_with(
            Path(name)
        )
    if not name.endswith(".yaml") and (os.sep in name or Path(name).exists()):
        raise no_checkpoint(f"policy:={name}")
    return load_policy_file(config_file("policies", name))


def load_policy_file(path: Path) -> PolicyChoice:
    """Read a policy file; unknown keys, values of the wrong kind and a checkpoint that is none are
    refused.
    """
    data = section(read_yaml(path, "policy file"), str(path), {"new"}, _KEYS)
    if data["new"] not in NEW:
        raise UnknownName("value of new", str(data["new"]), NEW, f"In {path}.")
    for name, kind, what in _KINDS:
        if name in data and not isinstance(data[name], kind):
            raise InvalidValue(f"{path}: {name} must be {what}, got {data[name]!r}")
    choice = PolicyChoice(**data)
    if choice.checkpoint and not is_checkpoint(choice.checkpoint):
        raise no_checkpoint(f"{path}: checkpoint {choice.checkpoint}")
    return choice.started_with(Path(choice.checkpoint)) if choice.checkpoint else choice


def is_checkpoint(folder: str | Path) -> bool:
    """Say whether the folder looks like a checkpoint."""
    return (Path(folder) / MANIFEST).is_file()


def no_checkpoint(what: str) -> InvalidValue:
    """Return the error for what should be a checkpoint folder."""
    return InvalidValue(
        f"{what} is no checkpoint: give a folder with manifest.json and model.safetensors, such"
        " as RUN/checkpoints/v000100."
    )


def kind_of(folder: Path) -> str:
    """Return which file in config/policies a checkpoint belongs to, by its manifest."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest["architecture"]["name"] == "pi0":
            return "pi0"
        return "object_poses" if manifest["spec"]["objects"] else "vision"
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidValue(
            f"{folder / MANIFEST} is no checkpoint's manifest: {error!r}"
        ) from error
