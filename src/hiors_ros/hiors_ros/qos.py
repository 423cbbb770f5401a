# SPDX-License-Identifier: Apache-2.0
"""The quality of service of every topic of hiors, in one table (REP-2003 where it speaks)."""

from rclpy.event_handler import PublisherEventCallbacks
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from hiors_core.errors import UnknownName


def _profile(depth: int, *, reliable: bool = True, latched: bool = False) -> QoSProfile:
    return QoSProfile(
        depth=depth,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )


UNTOLD = PublisherEventCallbacks(use_default_callbacks=False)
"""Of a publisher that some subscriber cannot hear: the subscriber tells, see hiors_ros.offers."""

IMAGE = _profile(1, reliable=False)
STATE = _profile(10, reliable=False)

TOPICS: dict[str, QoSProfile] = {
    "joint_states": STATE,
    "ee_pose": STATE,
    "objects": STATE,
    "camera": IMAGE,
    "policy/chunk": _profile(5),
    "policy/checkpoint": _profile(1, latched=True),
    "control/command": _profile(10),
    "control/executed": _profile(100),
    "control/state": _profile(1, latched=True),
    "control/markers": _profile(1),
    "driver/state": _profile(1, latched=True),
    "teleop/command": _profile(10),  # messages of both arms share the topic
    "episode/status": _profile(50, latched=True),
    "episode/label": _profile(50, latched=True),
    "learner/status": _profile(1, latched=True),
    "learner/checkpoint": _profile(1, latched=True),
}


def profile(topic: str) -> QoSProfile:
    """Return the profile of a relative topic name, e.g. "camera/top/color/image_raw"."""
    name = topic.lstrip("/")
    if name in TOPICS:
        return TOPICS[name]
    family = name.split("/", 1)[0]
    if family in TOPICS:
        return TOPICS[family]
    raise UnknownName("topic", topic, TOPICS)
