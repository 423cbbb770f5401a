# SPDX-License-Identifier: Apache-2.0
"""How the nodes of a graph reach each other: on this machine alone unless the user says otherwise.
Knows no ROS.
"""

import os
from collections.abc import Mapping

from hiors import places

RANGE = "ROS_AUTOMATIC_DISCOVERY_RANGE"
PROFILE = "FASTRTPS_DEFAULT_PROFILES_FILE"
_FOLDER = "dds"
_PLAIN = "loopback.xml"
_IMAGES = "loopback_images.xml"


def transport_env(*, raw_images: bool, env: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return what a node's environment lacks: the profile of Fast DDS, loopback only.

    Args:
        raw_images: the node exchanges camera frames that one UDP datagram does not hold.
        env: what the user set. A discovery range, a profile or a middleware of their own stands.
    """
    if "fastrtps" not in env.get("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp"):
        return {}
    profile = env.get(PROFILE, "")
    if not is_own(profile) and (profile or env.get(RANGE)):
        return {}
    name = _IMAGES if raw_images else _PLAIN
    return {RANGE: "SYSTEM_DEFAULT", PROFILE: str(places.config() / _FOLDER / name)}


def is_own(profile: str) -> bool:
    """Return whether a path is that of the profile that tools/env.sh sets."""
    return profile.endswith(f"{_FOLDER}/{_PLAIN}")
