# SPDX-License-Identifier: Apache-2.0
"""Reads the learner's YAML file into its settings, strictly. Knows no meaning of the values."""

import dataclasses
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from hiors_core.checked import read_yaml
from hiors_core.errors import HiorsError, InvalidValue, UnknownName
from hiors_learner.settings import LearnerSettings

T = TypeVar("T")


def load_settings(path: str | Path) -> LearnerSettings:
    """Read a file such as config/learner/default.yaml; missing keys keep their default."""
    data = read_yaml(path, "learner file")
    try:
        return parse(LearnerSettings, data or {}, "")
    except HiorsError as error:
        raise InvalidValue(f"{path}: {error}") from error


def parse(cls: type[T], data: Any, where: str) -> T:
    """Return the dataclass of a mapping; an unknown key or a wrong type is refused."""
    if not isinstance(data, Mapping):
        raise InvalidValue(f"{where or 'the file'} must be a mapping, got {data!r}")
    hints = typing.get_type_hints(cls)
    names = [f.name for f in dataclasses.fields(cls)]  # type: ignore[arg-type]
    for key in data:
        if key not in names:
            raise UnknownName("key", f"{where}{key}", [f"{where}{n}" for n in names])
    return cls(**{k: _value(hints[k], v, f"{where}{k}") for k, v in data.items()})


def _value(hint: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return parse(hint, value, f"{where}.")
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint == tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise InvalidValue(f"{where} must be a list of strings, got {value!r}")
        return tuple(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise InvalidValue(f"{where} must be of type {hint.__name__}, got {value!r}")
    return value
