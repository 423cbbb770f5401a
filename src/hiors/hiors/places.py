# SPDX-License-Identifier: Apache-2.0
"""Where the repository's folders are, from a clone and from an installed workspace alike."""

import os
import sys
from pathlib import Path

from hiors_core.errors import HiorsError


def repository() -> Path:
    """Return the clone's root."""
    named = os.environ.get("HIORS_ROOT")
    for folder in (Path(named),) if named else Path(__file__).resolve().parents:
        if (folder / "colcon.repo").is_file():
            return folder
    raise HiorsError("The clone of hiors was not found. Set HIORS_ROOT to its folder.")


def config() -> Path:
    """Return the config folder: the installed one, or the clone's."""
    for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        folder = Path(prefix) / "share" / "hiors" / "config"
        if prefix and folder.is_dir():
            return folder
    return repository() / "config"


def interpreter() -> Path:
    """Return the Python of .venv, also when ros2 launch runs under another."""
    for root in (os.environ.get("VIRTUAL_ENV"), str(repository() / ".venv")):
        if root and (Path(root) / "bin" / "python").exists():
            return Path(root) / "bin" / "python"
    return Path(sys.executable)
