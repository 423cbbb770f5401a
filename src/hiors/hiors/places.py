# SPDX-License-Identifier: Apache-2.0
"""Where the repository's folders, files and programs are, from a clone and from an installed
workspace alike.
"""

import os
import sys
from pathlib import Path

from hiors_core.errors import HiorsError, InvalidValue, UnknownName


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


def config_file(kind: str, name: str) -> Path:
    """Return ``config/<kind>/<name>.yaml``, or raise UnknownName with those that exist; a name
    that ends in .yaml is the path of a file of the user's own.
    """
    if name.endswith(".yaml"):
        own = Path(name).resolve()
        if not own.is_file():
            raise InvalidValue(f"{own} is not a file.")
        return own
    folder = config() / kind
    path = folder / f"{name}.yaml"
    if Path(name).name != name or not path.is_file():
        known = (p.stem for p in folder.glob("*.yaml"))
        raise UnknownName(f"file in config/{kind}", name, known)
    return path


def interpreter() -> Path:
    """Return the Python of .venv, also when ros2 launch runs under another."""
    for root in (os.environ.get("VIRTUAL_ENV"), str(repository() / ".venv")):
        if root and (Path(root) / "bin" / "python").exists():
            return Path(root) / "bin" / "python"
    return Path(sys.executable)


def learner_program() -> tuple[str, ...]:
    """Return what runs the training process under DeepSpeed's launcher."""
    return (str(interpreter()), "-m", "hiors_learner.launch")
