# SPDX-License-Identifier: Apache-2.0
"""Values of configuration files, checked: what is wrong is said with its place in the file."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from hiors_core.errors import HiorsError, InvalidValue, UnknownName

Array = NDArray[np.float64]


def read_yaml(path: str | Path, what: str) -> Any:
    """Return what the file holds, or raise HiorsError that says which ``what`` cannot be read."""
    try:
        return yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise HiorsError(f"Cannot read the {what} {path}: {error}") from error


def section(
    data: Any, where: str, required: set[str], optional: set[str] | None = None
) -> Mapping[str, Any]:
    """Return ``data`` when it is a mapping with exactly the allowed keys."""
    if not isinstance(data, Mapping):
        raise InvalidValue(f"{where} must be a mapping with {', '.join(sorted(required))}")
    allowed = required | (optional or set())
    for key in data:
        if key not in allowed:
            raise UnknownName("key", str(key), allowed, f"In {where}.")
    if missing := required - set(data):
        raise InvalidValue(f"{where} lacks {', '.join(sorted(missing))}")
    return data


def mapping(data: Any, where: str, of: str) -> Mapping[str, Any]:
    """Return ``data`` when it is a mapping with whatever keys; ``of`` says of what to what."""
    if not isinstance(data, Mapping):
        raise InvalidValue(f"{where} must be a mapping of {of}, got {data!r}")
    return data


def number(value: Any, where: str, low: float, high: float) -> float:
    """Return ``value`` when it is a finite number within ``low .. high``."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidValue(f"{where} must be a number, got {value!r}")
    if not math.isfinite(value) or not low <= value <= high:
        raise InvalidValue(f"{where} must be within {low} .. {high}, got {value}")
    return float(value)


def array(value: Any, shape: tuple[int, ...], where: str) -> Array:
    """Return ``value`` as a read-only array when it holds finite numbers of ``shape``."""
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidValue(f"{where} must be numbers of shape {shape}: {error}") from error
    if array.shape != shape or not np.all(np.isfinite(array)):
        raise InvalidValue(f"{where} must be finite numbers of shape {shape}, got {value}")
    array.setflags(write=False)
    return array
