# SPDX-License-Identifier: Apache-2.0
"""pi0 policies as hiors checkpoints: the same folder and manifest as hiors_policy.checkpoint.

The manifest's architecture is named "pi0" and holds all but the weights: sizes, settings,
statistics, number format and kind of tokenizer.
"""

import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hiors_core.checkpoints import MANIFEST
from hiors_core.clock import Clock, SteadyClock
from hiors_core.durable import fsync_path, read_document, sha256_file, write_document
from hiors_core.errors import HiorsError, IntegrityError, InvalidValue, UnknownName
from hiors_core.names import check_version
from hiors_core.robot import RobotModel
from hiors_policy import embodiment
from hiors_policy.canned import canned_observation
from hiors_policy.manifest import CheckpointManifest, Expectation, from_json, mismatches, to_json
from hiors_policy.pi0.adapter import Pi0Policy
from hiors_policy.pi0.precision import dtype_named
from hiors_policy.pi0.prompt import ByteTokenizer, Tokenizer, load_tokenizer
from hiors_policy.pi0.tensors import MODEL_FILE, TensorFiles, write_tensors
from hiors_policy.tensor_file import finite

ARCHITECTURE = "pi0"
TOLERANCES = {"float32": 1e-3, "bfloat16": 5e-2}
"""[rad], [m] or strokes by which the canned chunk may differ on another processor."""

_SEED = 0


def save_checkpoint(
    folder: str | Path,
    policy: Pi0Policy,
    *,
    version: str,
    step: int,
    parent: str = "",
    data_ids: Sequence[str] = (),
    clock: Clock | None = None,
) -> CheckpointManifest:
    """Write the policy, LoRA merged, to a folder that must not exist yet: all of it or nothing."""
    target = Path(folder).absolute()
    check_version(version)
    if target.exists():
        raise InvalidValue(f"{target} exists: a checkpoint is never overwritten")
    tensors = policy.tensors()
    if bad := [name for name, tensor in tensors.items() if not finite(tensor)]:
        raise IntegrityError(f"version {version}: weights that are not finite: {', '.join(bad)}")
    aside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        write_tensors(aside / MODEL_FILE, tensors)
        fsync_path(aside / MODEL_FILE)
        manifest = CheckpointManifest(
            version=version,
            step=step,
            parent=parent,
            created=(clock or SteadyClock()).now(),
            data_ids=tuple(data_ids),
            sha256=sha256_file(aside / MODEL_FILE),
            size=(aside / MODEL_FILE).stat().st_size,
            architecture=_architecture(policy),
            spec=policy.spec,
            features={"groups": [], "names": list(policy.codec.space.names)},
            robot=embodiment.describe(policy.robot),
            check={"seed": _SEED, "chunk": _canned(policy).round(6).tolist()},
        )
        write_document(aside / MANIFEST, to_json(manifest), "checkpoint-manifest")
        aside.rename(target)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    fsync_path(target.parent)
    return manifest


def load_policy(
    folder: str | Path,
    expect: Expectation | None = None,
    *,
    tokenizer: Tokenizer | None = None,
    dtype: torch.dtype | None = None,
    device: str | torch.device = "cpu",
) -> Pi0Policy:
    """Return the policy of a checkpoint, checked in every respect.

    Args:
        tokenizer: found as ``load_tokenizer`` does when None.
        dtype: number format to run in; None takes the one it was saved in.
    """
    path = Path(folder)
    manifest = _manifest(path)
    robot = embodiment.restore(manifest.robot)
    if found := mismatches(manifest, robot, expect or Expectation()):
        raise InvalidValue(f"Checkpoint {path} does not fit: {'; '.join(found)}")
    file = path / MODEL_FILE
    if not file.is_file():
        raise IntegrityError(f"{file} is missing")
    kind = dtype or dtype_named(str(manifest.architecture.get("dtype")))
    words = tokenizer or _tokenizer(manifest, path)
    with ThreadPoolExecutor(1, thread_name_prefix="sha256") as hasher:
        digest = hasher.submit(sha256_file, file)
        try:
            policy = _restore(robot, manifest, file, words, kind, device)
            _check_chunk(policy, manifest, kind, path)
        finally:
            # Damage explains any other trouble.
            if digest.result() != manifest.sha256:
                raise IntegrityError(f"{file} is damaged: its SHA-256 is not the manifest's")
    return policy


def _restore(
    robot: RobotModel,
    manifest: CheckpointManifest,
    file: Path,
    words: Tokenizer,
    kind: torch.dtype,
    device: str | torch.device,
) -> Pi0Policy:
    try:
        with TensorFiles(file) as files:
            policy = Pi0Policy.restore(
                robot, manifest.architecture, files, words, dtype=kind, device=device
            )
    except (KeyError, TypeError) as error:
        raise IntegrityError(f"Checkpoint {file.parent}: architecture: {error!r}") from error
    if policy.spec != manifest.spec:
        raise IntegrityError(f"Checkpoint {file.parent}: its columns are not those of its robot")
    return policy


def _architecture(policy: Pi0Policy) -> dict[str, Any]:
    native: Any = policy.model.native
    low = native.model.vlm.vision_tower.post_layernorm.weight.dtype == torch.bfloat16
    stand_in = isinstance(policy.tokenizer, ByteTokenizer)
    return {
        "name": ARCHITECTURE,
        "dtype": "bfloat16" if low else "float32",
        "tokenizer": "bytes" if stand_in else "paligemma",
        **policy.description(),
    }


def _manifest(path: Path) -> CheckpointManifest:
    try:
        manifest = from_json(read_document(path / MANIFEST))
    except OSError as error:
        raise IntegrityError(f"{path} is no checkpoint: {error}") from error
    except HiorsError as error:
        raise IntegrityError(f"Checkpoint {path}: {error}") from error
    if (name := str(manifest.architecture.get("name"))) != ARCHITECTURE:
        raise UnknownName("architecture", name, [ARCHITECTURE], f"In {path / MANIFEST}.")
    return manifest


def _tokenizer(manifest: CheckpointManifest, path: Path) -> Tokenizer:
    if manifest.architecture.get("tokenizer") == "bytes":
        return ByteTokenizer()
    return load_tokenizer(checkpoint=path)


def _canned(policy: Pi0Policy) -> np.ndarray[Any, np.dtype[np.float64]]:
    observation = canned_observation(policy.robot, policy.spec)
    return policy.predict(observation, "canned", seed=_SEED)


def _check_chunk(
    policy: Pi0Policy, manifest: CheckpointManifest, dtype: torch.dtype, path: Path
) -> None:
    stored = np.asarray(manifest.check.get("chunk", []), np.float64)
    now = _canned(policy)
    saved = str(manifest.architecture.get("dtype"))
    rough = dtype == torch.bfloat16 or saved == "bfloat16"
    allowed = TOLERANCES["bfloat16" if rough else "float32"]
    if stored.shape != now.shape or not np.abs(now - stored).max() <= allowed:
        raise IntegrityError(
            f"Checkpoint {path} gives another chunk for the canned observation than when it was "
            "saved: this code computes features or actions differently"
        )
