# SPDX-License-Identifier: Apache-2.0
"""Which version of the sources made a result."""

import subprocess
from functools import cache
from pathlib import Path


@cache
def commit() -> str:
    """Return the commit of the checkout that this code runs from, with " and changes" when files
    differ from it; empty outside of a checkout.
    """
    here = Path(__file__).resolve().parent
    head = _git(here, "rev-parse", "HEAD")
    if not head:
        return ""
    return f"{head} and changes" if _git(here, "status", "--porcelain", "-uno") else head


def _git(place: Path, *words: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(place), *words], capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
