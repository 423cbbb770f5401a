# SPDX-License-Identifier: Apache-2.0
"""The parameters of markers_node."""

from dataclasses import dataclass
from typing import Annotated

from hiors_ros.parameters import Doc, Range


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkersParameters:
    """Parameters of markers_node."""

    robot_file: Annotated[str, Doc("Robot file (config/robots/*.yaml): arms and limits.")]
    arms: Annotated[tuple[str, ...], Doc("Arms in use; empty: all of the robot file.")] = ()
    rate: Annotated[float, Doc("Marker arrays a second [Hz]."), Range(1.0, 30.0)] = 10.0
    trail: Annotated[
        float, Doc("Length of the executed path that is shown [s]."), Range(0.5, 60.0)
    ] = 5.0
    margin: Annotated[
        float, Doc("The workspace turns amber when a tool is this near its edge [m]."),
        Range(0.0, 0.5),
    ] = 0.03  # fmt: skip
    joint_margin: Annotated[
        float, Doc("A joint is named when this share of its range is left, or less."),
        Range(0.0, 0.5),
    ] = 0.03  # fmt: skip
