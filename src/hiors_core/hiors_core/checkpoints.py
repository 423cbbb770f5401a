# SPDX-License-Identifier: Apache-2.0
"""Where published checkpoints lie, and room for new ones. Knows no weights and no format."""

import shutil
from pathlib import Path

LATEST = "latest.json"
"""Names the newest checkpoint, beside the checkpoints' folders."""
MODEL = "model.safetensors"
MANIFEST = "manifest.json"

NEWEST_KEPT = 3
"""Newest checkpoints that always stay: one that acts, one that is loaded, one that just came."""
_GOING = ".gone"


def make_room(checkpoints: Path, most: int) -> tuple[str, ...]:
    """Delete the oldest checkpoints until all are within ``most`` [bytes]; 0 is no limit.

    The newest ones stay whatever their size. Return the versions that went, oldest first. A
    checkpoint is renamed before it is deleted: what is half deleted looks like none.
    """
    if not most:
        return ()
    for rest in checkpoints.glob(f".*{_GOING}"):
        shutil.rmtree(rest, ignore_errors=True)
    manifests = [p for p in checkpoints.glob(f"*/{MANIFEST}") if not p.parent.name.startswith(".")]
    folders = [p.parent for p in sorted(manifests, key=lambda p: (p.stat().st_mtime_ns, p))]
    sizes = [sum(f.stat().st_size for f in folder.rglob("*")) for folder in folders]
    total, gone = sum(sizes), []
    for folder, size in zip(folders[:-NEWEST_KEPT], sizes, strict=False):
        if total <= most:
            break
        going = folder.with_name(f".{folder.name}{_GOING}")
        folder.rename(going)
        shutil.rmtree(going, ignore_errors=True)
        total -= size
        gone.append(folder.name)
    return tuple(gone)
