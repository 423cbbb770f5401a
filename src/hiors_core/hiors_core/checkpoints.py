# SPDX-License-Identifier: Apache-2.0
"""Where published checkpoints lie, and room for new ones. Knows no weights and no format."""

import re
import shutil
from contextlib import suppress
from pathlib import Path

LATEST = "latest.json"
"""Names the newest checkpoint, beside the checkpoints' folders."""
MODEL = "model.safetensors"
MANIFEST = "manifest.json"

NEWEST_KEPT = 3
"""Newest checkpoints that always stay: one that acts, one that is loaded, one that just came."""
_PUBLISHED = re.compile(r"v\d{6,}(\.\d+)?")
"""Versions that an online learner gives; what a run started from has another name."""
_GOING = ".gone"


def make_room(checkpoints: Path, most: int) -> tuple[str, ...]:
    """Delete the oldest published checkpoints until all are within ``most`` [bytes], 0 for no
    limit.

    The newest ones stay whatever their size, and so does what no online learner published. Return
    the versions that went, oldest first. A checkpoint is renamed before it is deleted: what is
    half deleted looks like none. What cannot be deleted stays, without an error.
    """
    if not most:
        return ()
    for rest in checkpoints.glob(f".*{_GOING}"):
        shutil.rmtree(rest, ignore_errors=True)
    found = [one for p in checkpoints.glob(f"*/{MANIFEST}") for one in _look(p.parent)]
    total, gone = sum(size for _, _, size in found), []
    for _, folder, size in sorted(found)[:-NEWEST_KEPT]:
        if total <= most:
            break
        going = folder.with_name(f".{folder.name}{_GOING}")
        with suppress(OSError):
            folder.rename(going)
            shutil.rmtree(going, ignore_errors=True)
            total -= size
            gone.append(folder.name)
    return tuple(gone)


def _look(folder: Path) -> list[tuple[int, Path, int]]:
    """Return when a published checkpoint was written [ns], where, and its size [bytes]; nothing
    for another folder, or one that somebody else just deleted.
    """
    if not _PUBLISHED.fullmatch(folder.name):
        return []
    try:
        written = (folder / MANIFEST).stat().st_mtime_ns
        return [(written, folder, sum(f.stat().st_size for f in folder.rglob("*")))]
    except OSError:
        return []
