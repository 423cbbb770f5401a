# SPDX-License-Identifier: Apache-2.0
"""Packages that only exports need, imported on use."""

import importlib
from typing import Any

from hiors_core.errors import HiorsError

INSTALL = "make setup EXTRAS=export"


def need(module: str) -> Any:
    """Return the module, or raise HiorsError with the line that installs it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise HiorsError(
            f"This needs the package {package}, which is not installed ({error}). Install the"
            f" extra once, in the clone's folder: {INSTALL}"
        ) from error
