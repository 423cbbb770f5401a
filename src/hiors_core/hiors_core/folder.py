# SPDX-License-Identifier: Apache-2.0
"""The files of one episode's folder: names, manifest, and whether they are what it says."""

import contextlib
import shutil
from pathlib import Path

from hiors_core.durable import read_document, sha256_file, write_document
from hiors_core.errors import IntegrityError
from hiors_core.manifest import FileEntry, Manifest, manifest_from_json, manifest_to_json
from hiors_core.owner import OWNER
from hiors_core.tally import Tally

META = "meta.json"
MANIFEST = "manifest.json"
METADATA = "metadata.yaml"
LABEL = "label.json"
DECISION = "decision.json"
SCAFFOLD = (META, OWNER)
"""Files that only a recording needs."""


def bag_file(folder: Path) -> Path:
    """Return the path of the episode's MCAP file."""
    return folder / f"{folder.name}_0.mcap"


def write_manifest(folder: Path, tally: Tally, reason: str, *, aborted: bool) -> Manifest:
    """Hash the finished bag and write manifest.json over it."""
    names = (bag_file(folder).name, METADATA)
    files = tuple(
        FileEntry(name=n, size=(folder / n).stat().st_size, sha256=sha256_file(folder / n))
        for n in names
    )
    manifest = tally.manifest(end_reason=reason, aborted=aborted, files=files)
    write_document(folder / MANIFEST, manifest_to_json(manifest), "manifest")
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a sealed folder, or raise IntegrityError."""
    try:
        manifest = manifest_from_json(read_document(folder / MANIFEST))
    except FileNotFoundError as error:
        raise IntegrityError(f"{folder} has no {MANIFEST}: it was never sealed") from error
    if manifest.episode_id != folder.name:
        raise IntegrityError(f"{folder} holds the manifest of episode {manifest.episode_id}")
    return manifest


def verify_folder(folder: Path) -> Manifest:
    """Compare every file with the manifest and return it.

    IntegrityError names the first that differs.
    """
    manifest = read_manifest(folder)
    if {f.name for f in manifest.files} != {bag_file(folder).name, METADATA}:
        raise IntegrityError(f"{folder / MANIFEST} does not list the bag and {METADATA}")
    for entry in manifest.files:
        path = folder / entry.name
        try:
            size, digest = path.stat().st_size, sha256_file(path)
        except OSError as error:
            raise IntegrityError(f"{path} cannot be read: {error}") from error
        if size != entry.size:
            raise IntegrityError(f"{path} has {size} bytes, the manifest says {entry.size}")
        if digest != entry.sha256:
            raise IntegrityError(f"{path} is damaged: its SHA-256 is not that of the manifest")
    return manifest


def clear_scaffold(folder: Path) -> None:
    """Remove what only a recording needs."""
    for name in SCAFFOLD:
        (folder / name).unlink(missing_ok=True)
    for leftover in folder.glob(".*.tmp"):
        leftover.unlink()


def remove_folder(folder: Path) -> None:
    """Delete an episode: the manifest first, so that a crash leaves nothing that looks whole."""
    with contextlib.suppress(FileNotFoundError):
        (folder / MANIFEST).unlink()
    shutil.rmtree(folder, ignore_errors=True)
