# SPDX-License-Identifier: Apache-2.0
"""The sections of a robot file that name nodes: its driver, its cameras, its leader arms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hiors_core.checked import mapping, read_yaml, section
from hiors_core.errors import InvalidValue

_VALUES = "parameter names to values"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSection:
    """A node as a robot file names it.

    Attributes:
        where: the section's place, for errors.
        parameters: of the node; those of one arm begin with its name.
        more: the section's other keys with their values.
    """

    where: str
    package: str
    executable: str
    parameters: Mapping[str, Any]
    more: Mapping[str, Any]


def node_section(
    robot_file: Path, name: str, *more: str, optional: Sequence[str] = ()
) -> NodeSection | None:
    """Return a section that names a node; ``None`` when the file has none of that name.

    Args:
        more: other keys that it must have. optional: those that it may have.

    Raises:
        InvalidValue: when a key is missing or a value is of another kind.
        UnknownName: for other keys.
    """
    data = (read_yaml(robot_file, "robot file") or {}).get(name)
    if data is None:
        return None
    where = f"{robot_file}: {name}"
    own = section(data, where, {"package", "executable", *more}, {"parameters", *optional})
    return NodeSection(
        where=where,
        package=str(own["package"]),
        executable=str(own["executable"]),
        parameters=node_parameters(own.get("parameters", {}), f"{where}.parameters"),
        more={key: own[key] for key in (*more, *optional) if key in own},
    )


def driver_section(robot_file: Path) -> NodeSection:
    """Return the section of the driver, without which nothing moves the robot.

    Raises:
        InvalidValue: as above, and when there is none.
        UnknownName: as above.
    """
    found = node_section(robot_file, "driver")
    if found is None:
        raise InvalidValue(f"{robot_file} has no section 'driver': which node drives it?")
    return found


def node_parameters(data: Any, where: str) -> Mapping[str, Any]:
    """Return ``data`` when it is a mapping of parameter names to values."""
    return mapping(data, where, _VALUES)
