# SPDX-License-Identifier: Apache-2.0
"""Reads a task file's ``scene`` by a layout: which key of which part is which field. Knows no
task.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hiors_core.checked import number, section
from hiors_core.errors import InvalidValue

Array = NDArray[np.float64]
Layout = Mapping[str, Mapping[str, tuple[str, int]]]
"""Part -> key -> (field, how many numbers; 0 for one that is no list)."""


def read_fields(
    data: Any,
    where: str,
    layout: Layout,
    *,
    signed: tuple[str, ...] = (),
    optional: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Return the fields of a scene; arrays are read-only.

    Args:
        data: the scene as read, without "kind". where: for messages.
        signed: fields whose numbers may be below 0.
        optional: parts that may be missing; their fields are then left out.
    """
    values: dict[str, Any] = {}
    top = section(data, where, set(layout) - set(optional), optional=set(optional))
    for part, keys in layout.items():
        if part not in top:
            continue
        given = section(top[part], f"{where}.{part}", set(keys))
        for key, (field, size) in keys.items():
            low = -2.0 if field in signed else 0.0
            at = f"{where}.{part}.{key}"
            values[field] = (
                _vector(given[key], at, size, low) if size else number(given[key], at, low, 10.0)
            )
    return values


def _vector(value: Any, where: str, size: int, low: float) -> Array:
    if not isinstance(value, list) or len(value) != size:
        raise InvalidValue(f"{where} must be {size} numbers, got {value!r}")
    array = np.array([number(v, where, low, 2.0) for v in value])
    array.setflags(write=False)
    return array
