# SPDX-License-Identifier: Apache-2.0
"""Checkpoints on disk: a folder with model.safetensors and manifest.json, written aside, synced
and renamed.

Loading refuses whatever is damaged or is not what its user expects, and says what differs.
"""

import dataclasses
import hashlib
import importlib
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch

from hiors_core.checkpoints import LATEST, MANIFEST, MODEL
from hiors_core.clock import Clock, SteadyClock
from hiors_core.durable import crash_point, fsync_path, read_document, write_atomic, write_document
from hiors_core.errors import HiorsError, IntegrityError, InvalidValue
from hiors_core.names import check_version
from hiors_policy import embodiment
from hiors_policy.canned import run_canned
from hiors_policy.flow_policy import FlowPolicy
from hiors_policy.hashes import hashes_of
from hiors_policy.learnable import Learnable
from hiors_policy.manifest import CheckpointManifest, Expectation, from_json, mismatches, to_json
from hiors_policy.restoring import ARCHITECTURES, PI0, refuse_nan, restore
from hiors_policy.rooms import Rooms


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What was loaded: the policy, its manifest, and the folder."""

    policy: Learnable
    manifest: CheckpointManifest
    folder: Path


def save_checkpoint(
    folder: str | Path,
    policy: Learnable,
    *,
    version: str,
    step: int,
    parent: str = "",
    data_ids: Sequence[str] = (),
    clock: Clock | None = None,
) -> CheckpointManifest:
    """Write the policy to a folder that must not exist yet; a crash leaves the whole of it or
    nothing.
    """
    if not isinstance(policy, FlowPolicy):
        return _pi0().save_checkpoint(
            folder,
            policy,
            version=version,
            step=step,
            parent=parent,
            data_ids=data_ids,
            clock=clock,
        )
    target = Path(folder).absolute()
    check_version(version)
    if target.exists():
        raise InvalidValue(f"{target} exists: a checkpoint is never overwritten")
    tensors = {n: t.detach().contiguous() for n, t in policy.network.state_dict().items()}
    refuse_nan(tensors, f"version {version}")
    data = safetensors.torch.save(tensors)
    manifest = _manifest(policy, data, version, step, parent, tuple(data_ids), clock)
    aside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        write_atomic(aside / MODEL, data, "checkpoint-model")
        write_document(aside / MANIFEST, to_json(manifest), "checkpoint-manifest")
        crash_point("checkpoint:aside")
        aside.rename(target)
    except OSError:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    crash_point("checkpoint:renamed")
    fsync_path(target.parent)
    return manifest


def load_policy(
    folder: str | Path, expect: Expectation | None = None, device: str = "cpu"
) -> Learnable:
    """Return the policy of a checkpoint, or raise IntegrityError, InvalidValue or UnknownName."""
    return load_checkpoint(folder, expect, device).policy


def load_checkpoint(
    folder: str | Path,
    expect: Expectation | None = None,
    device: str = "cpu",
    rooms: Rooms | None = None,
) -> Checkpoint:
    """Return the policy of a checkpoint with its manifest, checked in every respect.

    Args:
        device: where pi0 runs, "cpu" or "cuda"; the small policy always runs on the CPU.
        rooms: memory for the small policy's weights; new memory when None.
    """
    path = Path(folder)
    manifest = read_manifest(path)
    robot = embodiment.restore(manifest.robot)
    if found := mismatches(manifest, robot, expect or Expectation()):
        raise InvalidValue(f"Checkpoint {path} does not fit: {'; '.join(found)}")
    if manifest.architecture.get("name") == PI0:
        large: Learnable = _pi0().load_policy(path, expect, device=device)
        return Checkpoint(policy=large, manifest=manifest, folder=path)
    policy = restore(manifest, robot, path, rooms)
    return Checkpoint(policy=policy, manifest=manifest, folder=path)


def _pi0() -> Any:
    # Only who has a pi0 waits for the import of transformers.
    return importlib.import_module("hiors_policy.pi0.checkpoint")


def read_manifest(folder: str | Path) -> CheckpointManifest:
    """Return the manifest of a checkpoint folder, or raise IntegrityError."""
    path = Path(folder) / MANIFEST
    try:
        return from_json(read_document(path))
    except OSError as error:
        published = (Path(folder) / MODEL).is_file()
        hint = ". A published pi0 becomes one with `hiors convert --to hiors`" if published else ""
        raise IntegrityError(
            f"{folder} is no checkpoint: cannot read {MANIFEST}: {error}{hint}"
        ) from error
    except HiorsError as error:
        raise IntegrityError(f"Checkpoint {folder}: {error}") from error


def write_latest(checkpoints: Path, folder: Path, manifest: CheckpointManifest) -> None:
    """Name the newest checkpoint in latest.json."""
    content = {
        "version": manifest.version,
        "path": str(folder.absolute()),
        "sha256": manifest.sha256,
    }
    write_document(checkpoints / LATEST, content, "latest")


def read_latest(checkpoints: str | Path) -> Path | None:
    """Return the folder of the newest checkpoint, or None when none was published yet."""
    try:
        content = read_document(Path(checkpoints) / LATEST)
    except FileNotFoundError:
        return None
    return Path(checkpoints) / check_version(str(content.get("version", "")))


def _manifest(
    policy: FlowPolicy,
    data: bytes,
    version: str,
    step: int,
    parent: str,
    data_ids: tuple[str, ...],
    clock: Clock | None,
) -> CheckpointManifest:
    settings = policy.settings
    with ThreadPoolExecutor(1, thread_name_prefix="sha256") as pool:
        whole = pool.submit(hashlib.sha256, data)
        hashes = hashes_of(data)
    return CheckpointManifest(
        version=version,
        step=step,
        parent=parent,
        created=(clock or SteadyClock()).now(),
        data_ids=data_ids,
        sha256=whole.result().hexdigest(),
        size=len(data),
        part_size=hashes.length,
        parts=hashes.parts,
        part_hash=hashes.kind,
        architecture={
            "name": ARCHITECTURES[settings.network.head],
            "binary_gripper": settings.binary_gripper,
            **dataclasses.asdict(settings.network),
        },
        spec=policy.spec,
        features={"groups": list(settings.features), "names": list(policy.encoder.names)},
        robot=embodiment.describe(policy.robot),
        check=run_canned(policy),
    )
