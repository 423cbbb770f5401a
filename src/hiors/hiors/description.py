# SPDX-License-Identifier: Apache-2.0
"""The robot's URDF, for robot_state_publisher and whoever draws the robot. Knows no ROS."""

import os
import xml.etree.ElementTree as ET
from collections.abc import Collection, Mapping
from pathlib import Path

from hiors import places
from hiors.middleware import transport_env
from hiors.robot_file import driver_section
from hiors.spec import NodeSpec
from hiors_core.errors import InvalidValue
from hiors_core.robot import load_robot

PUBLISHER = "robot_state_publisher"
"""Package and executable, of every ROS 2 desktop and base installation."""


def robot_description(robot_file: Path, arms: Collection[str] = ()) -> str:
    """Return the URDF of the robot with the arms in use; the others' links would have no pose.

    Args:
        arms: names as in the robot file; empty: all of them.
    """
    tree = ET.parse(urdf_of(robot_file))  # noqa: S314 (a file of the workspace)
    root = tree.getroot()
    unused = {arm.name for arm in load_robot(robot_file).arms} - set(arms) if arms else set()
    prefixes = tuple(f"{name}_" for name in unused)
    for part in list(root):
        named = part.find("child").get("link") if part.tag == "joint" else part.get("name")
        if part.tag in ("link", "joint") and str(named).startswith(prefixes):
            root.remove(part)
    return ET.tostring(root, encoding="unicode")


def root_link(description: str) -> str:
    """Return the link of a URDF that is no joint's child: RViz's fixed frame."""
    root = ET.fromstring(description)  # noqa: S314 (the text made above)
    children = {joint.find("child").get("link") for joint in root.iter("joint")}
    links = [str(link.get("name")) for link in root.findall("link")]
    return next(name for name in links if name not in children)


def urdf_of(robot_file: Path) -> Path:
    """Return ``share/<driver's package>/urdf/<robot>.urdf``, installed or in the clone."""
    package, name = driver_section(robot_file).package, load_robot(robot_file).name
    shares = [Path(p) / "share" for p in os.environ.get("AMENT_PREFIX_PATH", "").split(":") if p]
    for share in (*shares, places.repository() / "src"):
        path = share / package / "urdf" / f"{name}.urdf"
        if path.is_file():
            return path
    raise InvalidValue(f"The robot {name} has no URDF: {package}/urdf/{name}.urdf is not there.")


def is_installed(package: str) -> bool:
    """Tell whether a ROS package is in one of the sourced workspaces."""
    prefixes = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    return any(p and (Path(p) / "lib" / package / package).is_file() for p in prefixes)


def state_publisher(robot_file: Path, arms: Collection[str], namespace: str) -> NodeSpec:
    """Return the node that makes /tf and /robot_description of the URDF and joint_states.

    In a namespace /tf and /tf_static are the robot's own, so that frames of several robots
    with the same names do not meet; RViz in that namespace is given the same remappings.
    """
    return NodeSpec(
        package=PUBLISHER,
        executable=PUBLISHER,
        name=PUBLISHER,
        namespace=namespace,
        parameters={"robot_description": robot_description(robot_file, arms)},
        remappings=tf_remappings(namespace),
        env=transport_env(raw_images=False),
        required=False,
        respawn=True,
    )


def tf_remappings(namespace: str) -> Mapping[str, str]:
    """Return the remappings of every node that speaks or hears tf in a namespace."""
    return {"/tf": "tf", "/tf_static": "tf_static"} if namespace.strip("/") else {}
