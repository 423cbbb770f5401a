# SPDX-License-Identifier: Apache-2.0
"""What becomes of a recording whose process died: sealed as aborted, or quarantined."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mcap.records import Channel, Message, Schema
from mcap.stream_reader import StreamReader

from hiors_core.bag import DAMAGE, MAX_RECORD, BagMessage, BagWriter
from hiors_core.durable import fsync_path, read_document
from hiors_core.errors import HiorsError, IntegrityError, InvalidValue
from hiors_core.folder import (
    META,
    METADATA,
    bag_file,
    verify_folder,
    write_manifest,
)
from hiors_core.manifest import EpisodeMeta, meta_from_json
from hiors_core.owner import Owner
from hiors_core.tally import Tally
from hiors_core.topics import qos_of

SEALED = "sealed"
ABORTED = "aborted"
QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What was done with one folder.

    Attributes:
        action: "sealed" (only the rename was missing), "aborted" (salvaged) or "quarantined".
        messages: messages in the episode. path: where it is now.
    """

    episode_id: str
    action: str
    reason: str
    messages: int
    path: Path


def recover_folder(
    folder: Path,
    owner: Owner | None,
    publish: Callable[[Path], Path],
    put_aside: Callable[[Path, str], Path],
) -> Recovered:
    """Deal with one folder under recording/ whose owner is dead.

    Idempotent: it may die itself at any point.
    """
    who = f"process {owner.pid}" if owner else "its process"
    try:
        manifest = verify_folder(folder)
        action, reason = (ABORTED if manifest.aborted else SEALED), manifest.end_reason
    except IntegrityError:
        try:
            tally = _salvage(folder)
        except (HiorsError, OSError) as error:
            return _aside(folder, f"{who} died while recording; {error}", put_aside)
        action, reason = ABORTED, f"{who} died while recording"
        manifest = write_manifest(folder, tally, reason, aborted=True)
    count = sum(stream.count for stream in manifest.streams)
    path = publish(folder)
    return Recovered(
        episode_id=folder.name, action=action, reason=reason, messages=count, path=path
    )


def salvage_messages(path: Path) -> Iterator[BagMessage]:
    """Yield the messages of an MCAP file up to where it ends or is damaged."""
    topics: dict[int, tuple[str, str]] = {}
    schemas: dict[int, str] = {}
    with path.open("rb") as file:
        try:
            for record in StreamReader(
                file, validate_crcs=True, record_size_limit=MAX_RECORD
            ).records:
                if isinstance(record, Schema):
                    schemas[record.id] = record.name
                elif isinstance(record, Channel):
                    topics[record.id] = (record.topic, schemas[record.schema_id])
                elif isinstance(record, Message):
                    yield BagMessage(*topics[record.channel_id], record.log_time, record.data)
        except DAMAGE:
            return


def _salvage(folder: Path) -> Tally:
    """Replace the torn bag by a whole one with what can be read of it."""
    torn = bag_file(folder)
    meta = _meta(folder)
    if not torn.exists():
        raise IntegrityError("there is no bag")
    workshop = folder / "salvage"
    shutil.rmtree(workshop, ignore_errors=True)
    fresh = workshop / folder.name
    fresh.mkdir(parents=True)
    tally = _copy(torn, BagWriter(fresh, qos_of), Tally(meta))
    for name in (torn.name, METADATA):
        os.replace(fresh / name, folder / name)
    shutil.rmtree(workshop)
    fsync_path(folder)
    return tally


def _copy(torn: Path, bag: BagWriter, tally: Tally) -> Tally:
    count = 0
    for message in salvage_messages(torn):
        try:
            sequence = tally.add(message.topic, message.type_name, message.data, message.stamp)
        except (IntegrityError, InvalidValue):
            break
        bag.write(message.topic, message.type_name, message.data, message.stamp, sequence)
        count += 1
    if not count:
        bag.abandon()
        raise IntegrityError("no message of the bag can be read")
    bag.close()
    return tally


def _meta(folder: Path) -> EpisodeMeta:
    try:
        meta = meta_from_json(read_document(folder / META))
    except (FileNotFoundError, KeyError, TypeError) as error:
        raise IntegrityError(f"{META} is missing or damaged: {error!r}") from error
    if meta.episode_id != folder.name:
        raise IntegrityError(f"{META} is that of episode {meta.episode_id}")
    return meta


def _aside(folder: Path, reason: str, put_aside: Callable[[Path, str], Path]) -> Recovered:
    path = put_aside(folder, reason)
    return Recovered(
        episode_id=folder.name, action=QUARANTINED, reason=reason, messages=0, path=path
    )
