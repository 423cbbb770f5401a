# SPDX-License-Identifier: Apache-2.0
"""The newest value of every stream that a policy looks at, each of limited age. Knows no ROS."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hiors_core.clock import to_s
from hiors_core.observation import Array, Image, Observation

_FUTURE = 0.05
"""[s] that a stamp may lie ahead: two clocks of one machine are not one clock."""

JOINTS = "joint_states"
COMMAND = "control/command"


def object_topic(name: str) -> str:
    """Return the topic of an object's pose."""
    return f"objects/{name}/pose"


def camera_topic(name: str) -> str:
    """Return the topic of a camera's images."""
    return f"camera/{name}/color/image_raw"


@dataclass(frozen=True, slots=True)
class Sample:
    """A value with its capture stamp [ns]."""

    stamp: int
    value: Any


class Streams:
    """Written by subscriptions, read by the inference thread; the caller holds the lock.

    A frozen stream grows old, since its stamps are those of capture.
    """

    def __init__(
        self,
        max_ages: Mapping[str, float],
        objects: tuple[str, ...],
        cameras: tuple[str, ...],
        decode: Callable[[Any], Image] = lambda image: image,
    ) -> None:
        """Take the greatest age of each topic [s] and how an image message becomes RGB."""
        self._max_ages = dict(max_ages)
        self._objects = {name: object_topic(name) for name in objects}
        self._cameras = {name: camera_topic(name) for name in cameras}
        self._samples: dict[str, Sample] = {}
        self._decode = decode

    def put(self, topic: str, stamp: int, value: Any) -> None:
        """Take in a message; one that is older than the newest is left out."""
        newest = self._samples.get(topic)
        if newest is None or stamp >= newest.stamp:
            self._samples[topic] = Sample(stamp, value)

    def newest(self, topic: str) -> Sample | None:
        """Return the newest sample of a topic, or None."""
        return self._samples.get(topic)

    def problems(self, now: int) -> list[str]:
        """Return one sentence for each stream that is missing, stale or ahead of time."""
        found = []
        for topic, limit in self._max_ages.items():
            sample = self._samples.get(topic)
            age = None if sample is None else to_s(now - sample.stamp)
            if age is None:
                found.append(f"{topic}: no message yet")
            elif age > limit:
                found.append(f"{topic}: {age:.2f} s old, at most {limit:.2f} s are allowed")
            elif age < -_FUTURE:
                found.append(f"{topic}: stamped {-age:.2f} s in the future")
        return found

    def observation(self) -> Observation:
        """Return the snapshot at the stamp of the command in force, as transitions are logged."""
        command = self._samples[COMMAND]
        return Observation(
            stamp=command.stamp,
            position=_frozen(self._samples[JOINTS].value),
            command=_frozen(command.value),
            objects={n: _frozen(self._samples[t].value) for n, t in self._objects.items()},
            images={n: self._decode(self._samples[t].value) for n, t in self._cameras.items()},
        )


def _frozen(value: NDArray[Any]) -> Array:
    array = np.array(value, np.float64)
    array.setflags(write=False)
    return array
