# SPDX-License-Identifier: Apache-2.0
"""Interfaces that not every machine has: control_msgs and controller_manager_msgs."""

import importlib
from typing import Any

from hiors_core.errors import HiorsError


def interface(package: str, kind: str, name: str, wanted_by: str) -> Any:
    """Return the class ``package.kind.name``, or raise HiorsError with what to do.

    Args:
        wanted_by: the parameter and value that need it.
    """
    try:
        return getattr(importlib.import_module(f"{package}.{kind}"), name)
    except (ImportError, AttributeError) as error:
        apt = f"ros-jazzy-{package.replace('_', '-')}"
        raise HiorsError(
            f"{wanted_by} needs {package}/{kind}/{name}, which this machine does not have"
            f" ({error}). Install it (apt install {apt}), or choose another value."
        ) from error
