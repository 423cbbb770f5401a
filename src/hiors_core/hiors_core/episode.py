# SPDX-License-Identifier: Apache-2.0
"""An episode in memory: what was executed, what was seen, the logged transitions (eq. 6).

Knows nothing of labels, acceptance and training.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hiors_core.bag import BagMessage, BagReader
from hiors_core.cdr import decode
from hiors_core.errors import IntegrityError, InvalidValue
from hiors_core.folder import read_manifest
from hiors_core.images import ImageTracks
from hiors_core.manifest import Manifest
from hiors_core.observation import Observation
from hiors_core.stamps import stamp_of
from hiors_core.targets import Transition, transitions
from hiors_core.topics import (
    EXECUTED,
    EXECUTED_TYPE,
    JOINT_STATE_TYPE,
    JOINT_STATES,
    POSE_TYPE,
    TRANSITION,
    TRANSITION_TYPE,
    object_name,
)
from hiors_core.track import Array, Stamps, Track, make_track

__all__ = ["Episode", "Mark", "Transition", "load_episode", "transitions"]

_POSE = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Where a transition was logged: stamp [ns], authority, and f_t in force [Hz]."""

    index: int
    stamp: int
    authority: int
    rate_hz: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """A sealed episode, decoded. Arrays are read-only; images stay on the disk until asked for.

    Attributes:
        names: (N,) columns of ``actions`` and ``joints``.
        actions: executed actions: absolute targets as the driver sent them, joints [rad],
            grippers [0 .. 1].
        authority: (T,) uint8, who drove at each control tick.
        marks: (M,) logged transitions, by time.
        joints: measured positions. objects: poses (K, 7) by name.
    """

    manifest: Manifest
    names: tuple[str, ...]
    actions: Track
    authority: NDArray[np.uint8]
    marks: tuple[Mark, ...]
    joints: Track
    objects: Mapping[str, Track]
    images: ImageTracks

    @property
    def episode_id(self) -> str:
        """Id of the episode."""
        return self.manifest.episode_id

    @property
    def task(self) -> str:
        """Task of the episode."""
        return self.manifest.task

    @property
    def instruction(self) -> str:
        """What the policy was told to do."""
        return self.manifest.meta.instruction

    @property
    def policy_versions(self) -> tuple[str, ...]:
        """Versions that drove, in order of appearance."""
        return self.manifest.policy_versions

    @property
    def stamps(self) -> Stamps:
        """(T,) stamps of the control ticks [ns]."""
        return self.actions.stamps

    @property
    def executed(self) -> Array:
        """(T, N) executed actions."""
        return self.actions.values

    def observation(self, i: int, *, images: bool = False) -> Observation:
        """Return the snapshot of transition ``i``: the newest of every stream at its stamp.

        A stream that had not begun gives its first value, a missing joint stream the command; an
        object that was never seen is left out.
        """
        return self.snapshot(self.marks[i].stamp, images=images)

    def snapshot(self, stamp: int, *, images: bool = False) -> Observation:
        """Return the newest of every stream at ``stamp`` [ns], as ``observation`` does."""
        if not len(self.actions) and not len(self.joints):
            raise IntegrityError(
                f"Episode {self.episode_id} has neither executed actions nor joint states"
            )
        command = (self.actions if len(self.actions) else self.joints).newest(stamp)
        position = (self.joints if len(self.joints) else self.actions).newest(stamp)
        return Observation(
            stamp=stamp,
            position=position,
            command=command,
            objects={name: track.newest(stamp) for name, track in self.objects.items()},
            images=self.images.newest(stamp) if images else {},
        )


def load_episode(path: str | Path) -> Episode:
    """Read a sealed episode from its folder, or raise IntegrityError. Images are not read."""
    folder = Path(path)
    manifest = read_manifest(folder)
    reader = BagReader(folder)
    decoder = _Decoder(manifest)
    wanted = [t for t in reader.topics if t in decoder.readers or object_name(t)]
    for message in reader.messages(wanted) if wanted else ():
        decoder.read(message)
    return decoder.episode(ImageTracks(reader))


class _Decoder:
    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._names = manifest.meta.names
        self._columns: dict[tuple[str, ...], NDArray[np.intp]] = {}
        self._actions: tuple[list[int], list[Array]] = ([], [])
        self._joints: tuple[list[int], list[Array]] = ([], [])
        self._objects: dict[str, tuple[list[int], list[Array]]] = {}
        self._authority: list[int] = []
        self._marks: list[Mark] = []
        self.readers: Mapping[str, tuple[str, Callable[[Any], None]]] = {
            EXECUTED: (EXECUTED_TYPE, self._executed),
            JOINT_STATES: (JOINT_STATE_TYPE, self._joint_state),
            TRANSITION: (TRANSITION_TYPE, self._mark),
        }

    def read(self, message: BagMessage) -> None:
        name = object_name(message.topic)
        if name is not None:
            self._pose(name, decode(POSE_TYPE, message.data))
            return
        kind, read = self.readers[message.topic]
        read(decode(kind, message.data))

    def episode(self, images: ImageTracks) -> Episode:
        width = len(self._names)
        order = np.argsort(np.asarray(self._actions[0], np.int64), kind="stable")
        authority = np.asarray(self._authority, np.uint8)[order]
        authority.setflags(write=False)
        return Episode(
            manifest=self._manifest,
            names=self._names,
            actions=make_track(*self._actions, width),
            authority=authority,
            marks=tuple(sorted(self._marks, key=lambda m: (m.stamp, m.index))),
            joints=make_track(*self._joints, width),
            objects={n: make_track(*rows, _POSE) for n, rows in sorted(self._objects.items())},
            images=images,
        )

    def _executed(self, message: Any) -> None:
        self._add(self._actions, stamp_of(message), message.names, message.position, EXECUTED)
        self._authority.append(message.authority)

    def _joint_state(self, message: Any) -> None:
        self._add(self._joints, stamp_of(message), message.name, message.position, JOINT_STATES)

    def _pose(self, name: str, message: Any) -> None:
        p, q = message.pose.position, message.pose.orientation
        stamps, rows = self._objects.setdefault(name, ([], []))
        stamps.append(stamp_of(message))
        rows.append(np.array([p.x, p.y, p.z, q.x, q.y, q.z, q.w]))

    def _mark(self, message: Any) -> None:
        self._marks.append(
            Mark(
                index=message.index,
                stamp=stamp_of(message),
                authority=message.authority,
                rate_hz=message.rate_hz,
            )
        )

    def _add(
        self,
        track: tuple[list[int], list[Array]],
        stamp: int,
        names: list[str],
        values: Array,
        topic: str,
    ) -> None:
        columns = self._columns.get(key := tuple(names))
        if columns is None:
            columns = self._columns[key] = self._match(key, topic)
        if len(values) != len(names) or not np.isfinite(row := values[columns]).all():
            raise IntegrityError(
                f"{topic} of episode {self._manifest.episode_id} at {stamp} ns holds {values},"
                f" not a finite number for each of {', '.join(names)}"
            )
        track[0].append(stamp)
        track[1].append(row)

    def _match(self, names: tuple[str, ...], topic: str) -> NDArray[np.intp]:
        self._names = self._names or names
        try:
            return np.array([names.index(n) for n in self._names], np.intp)
        except ValueError as error:
            raise InvalidValue(
                f"{topic} of episode {self._manifest.episode_id} has the columns"
                f" {', '.join(names)}; the robot needs {', '.join(self._names)}"
            ) from error
