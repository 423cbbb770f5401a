# SPDX-License-Identifier: Apache-2.0
"""The words of rosbag2's metadata.yaml, version 9, and of its QoS profiles. Knows no file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

VERSION = 9
DISTRO = "jazzy"
_INFINITE = {"sec": 9223372036, "nsec": 854775807}


@dataclass(frozen=True, slots=True, kw_only=True)
class Qos:
    """How a topic was offered, so that a player offers it the same way."""

    reliable: bool = True
    latched: bool = False
    depth: int = 10

    def words(self) -> dict[str, Any]:
        """Return the profile in rosbag2's words."""
        return {
            "history": "keep_last",
            "depth": self.depth,
            "reliability": "reliable" if self.reliable else "best_effort",
            "durability": "transient_local" if self.latched else "volatile",
            "deadline": dict(_INFINITE),
            "lifespan": dict(_INFINITE),
            "liveliness": "automatic",
            "liveliness_lease_duration": dict(_INFINITE),
            "avoid_ros_namespace_conventions": False,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicEntry:
    """One topic of a bag."""

    name: str
    type_name: str
    type_hash: str
    qos: Qos
    count: int


def qos_text(qos: Qos) -> str:
    """Return the YAML text of the channel key offered_qos_profiles."""
    return _dump([qos.words()])


def bag_information(
    file_name: str, topics: Sequence[TopicEntry], start: int, end: int
) -> dict[str, Any]:
    """Return what stands under rosbag2_bagfile_information.

    ``start``, ``end`` are log times [ns].
    """
    count = sum(topic.count for topic in topics)
    span = {
        "duration": {"nanoseconds": max(0, end - start)},
        "starting_time": {"nanoseconds_since_epoch": start},
        "message_count": count,
    }
    return {
        "version": VERSION,
        "storage_identifier": "mcap",
        **span,
        "topics_with_message_count": [_topic(topic) for topic in topics],
        "compression_format": "",
        "compression_mode": "",
        "relative_file_paths": [file_name],
        "files": [{"path": file_name, **span}],
        "custom_data": None,
        "ros_distro": DISTRO,
    }


def metadata_text(information: Mapping[str, Any]) -> str:
    """Return the text of metadata.yaml."""
    return _dump({"rosbag2_bagfile_information": information})


def record_text(information: Mapping[str, Any]) -> str:
    """Return the text of the metadata record that lies in the MCAP file itself."""
    return _dump(information)


def _topic(topic: TopicEntry) -> dict[str, Any]:
    return {
        "topic_metadata": {
            "name": topic.name,
            "type": topic.type_name,
            "serialization_format": "cdr",
            "offered_qos_profiles": [topic.qos.words()],
            "type_description_hash": topic.type_hash,
        },
        "message_count": topic.count,
    }


class _Dumper(yaml.SafeDumper):
    """Writes every value in full: rosbag2's reader is not asked to follow aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _dump(data: Any) -> str:
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, default_flow_style=False)
