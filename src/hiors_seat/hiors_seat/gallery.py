# SPDX-License-Identifier: Apache-2.0
"""Pictures of a sealed episode: who drove when, a thumbnail, the frames of a camera. No ROS."""

from dataclasses import dataclass
from pathlib import Path

from hiors_core.authority import Authority
from hiors_core.bag import BagReader
from hiors_core.cdr import decode
from hiors_core.clock import to_s
from hiors_core.errors import UnknownName
from hiors_core.folder import read_manifest
from hiors_core.images import decode_jpeg, encode_jpeg
from hiors_core.manifest import Manifest
from hiors_core.topics import camera_jpeg, camera_name

_QUALITY = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of an episode under one authority; start and end from 0 to 1 of its length."""

    authority: str
    start: float
    end: float


def timeline(manifest: Manifest) -> tuple[Span, ...]:
    """Return who drove when; the spans touch each other."""
    length = manifest.end - manifest.start
    if length <= 0:
        return ()
    starts = [(s.start - manifest.start) / length for s in manifest.segments]
    ends = [*starts[1:], 1.0]
    return tuple(
        Span(authority=Authority(s.authority).name, start=round(a, 4), end=round(b, 4))
        for s, a, b in zip(manifest.segments, starts, ends, strict=True)
    )


def cameras(folder: Path) -> tuple[str, ...]:
    """Return the cameras of which the episode holds images."""
    topics = BagReader(folder).topics
    return tuple(sorted(n for t, (_, count) in topics.items() if count and (n := camera_name(t))))


def frames(folder: Path, camera: str) -> list[tuple[float, bytes]]:
    """Return (time since the start [s], JPEG) of every image of a camera."""
    known = cameras(folder)
    if camera not in known:
        raise UnknownName("camera of the episode", camera, known)
    start = read_manifest(folder).start
    return [
        (to_s(message.stamp - start), decode(message.type_name, message.data).data.tobytes())
        for message in BagReader(folder).messages([camera_jpeg(camera)])
    ]


def thumbnail(folder: Path, width: int = 160) -> bytes | None:
    """Return a small JPEG of how the episode ended, or None when it holds no image."""
    import cv2

    known = cameras(folder)
    if not known:
        return None
    picture = decode_jpeg(frames(folder, known[-1])[-1][1])
    height = max(1, round(picture.shape[0] * width / picture.shape[1]))
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return encode_jpeg(small, _QUALITY)
