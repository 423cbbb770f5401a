# SPDX-License-Identifier: Apache-2.0
"""The topics of an episode's bag: full names, types and how they are offered."""

from hiors_core.bag_metadata import Qos

JOINT_STATES = "/joint_states"
EXECUTED = "/control/executed"
CONTROL_STATE = "/control/state"
TRANSITION = "/transition"

JOINT_STATE_TYPE = "sensor_msgs/msg/JointState"
EXECUTED_TYPE = "hiors_interfaces/msg/ExecutedAction"
CONTROL_STATE_TYPE = "hiors_interfaces/msg/ControlState"
TRANSITION_TYPE = "hiors_interfaces/msg/Transition"
POSE_TYPE = "geometry_msgs/msg/PoseStamped"
JPEG_TYPE = "sensor_msgs/msg/CompressedImage"

ALL_TYPES = (
    JOINT_STATE_TYPE,
    EXECUTED_TYPE,
    CONTROL_STATE_TYPE,
    TRANSITION_TYPE,
    POSE_TYPE,
    JPEG_TYPE,
)
"""Every message type that an episode may hold."""

_STATE = Qos(reliable=False)
_IMAGE = Qos(reliable=False, depth=1)


_FIXED = {
    JOINT_STATES: _STATE,
    EXECUTED: Qos(depth=100),
    CONTROL_STATE: Qos(latched=True, depth=1),
    TRANSITION: Qos(depth=100),
}
_FAMILIES = {"/objects/": _STATE, "/ee_pose/": _STATE, "/camera/": _IMAGE}


def qos_of(topic: str) -> Qos:
    """Return how a topic (full name) is offered."""
    family = (q for prefix, q in _FAMILIES.items() if topic.startswith(prefix))
    return _FIXED.get(topic) or next(family, Qos())


def object_pose(name: str) -> str:
    """Return the topic of an object's pose."""
    return f"/objects/{name}/pose"


def camera_jpeg(name: str) -> str:
    """Return the topic of a camera's JPEG images."""
    return f"/camera/{name}/color/image_raw/compressed"


def object_name(topic: str) -> str | None:
    """Return the object whose pose the topic carries, or None."""
    parts = topic.split("/")
    return parts[2] if len(parts) == 4 and parts[1] == "objects" and parts[3] == "pose" else None


def camera_name(topic: str) -> str | None:
    """Return the camera whose JPEG images the topic carries, or None."""
    name = topic.removeprefix("/camera/").removesuffix("/color/image_raw/compressed")
    return name if topic == camera_jpeg(name) and "/" not in name else None
