# SPDX-License-Identifier: Apache-2.0
"""One episode while it is recorded: counted, written, sealed or failed. Knows no other episode."""

import dataclasses
import threading
from collections.abc import Callable
from pathlib import Path

from hiors_core.bag import BagWriteError, BagWriter, free_space
from hiors_core.durable import crash_point, write_document
from hiors_core.errors import HiorsError, StateError
from hiors_core.folder import META, write_manifest
from hiors_core.manifest import EpisodeMeta, Manifest
from hiors_core.owner import write_owner
from hiors_core.tally import Tally
from hiors_core.topics import qos_of


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What the store does with a folder that is written: publish it, or put it aside.

    Then release the claim.
    """

    publish: Callable[[Path], object]
    put_aside: Callable[[Path, str], object]
    release: Callable[[], None]


class EpisodeWriter:
    """One episode while it is recorded. May be written to from several threads."""

    def __init__(self, folder: Path, meta: EpisodeMeta, ending: Ending) -> None:
        self.meta = meta
        self.folder = folder
        self._ending = ending
        self._lock = threading.RLock()
        self._tally = Tally(meta)
        self._open = True
        try:
            write_owner(folder)
            write_document(folder / META, dataclasses.asdict(meta))
            crash_point("begin:meta")
            self._bag = BagWriter(folder, qos_of)
        except OSError as error:
            raise BagWriteError(
                f"Cannot begin an episode: {error}. {free_space(folder)}"
            ) from error

    @property
    def episode_id(self) -> str:
        """Id of the episode."""
        return self.meta.episode_id

    @property
    def tally(self) -> Tally:
        """What was counted so far."""
        return self._tally

    @property
    def error(self) -> HiorsError | None:
        """The first write error, if there was one: the episode has failed."""
        return self._bag.error

    def write(self, topic: str, type_name: str, cdr: bytes, stamp_ns: int) -> None:
        """Append one message received at ``stamp_ns``.

        BagWriteError once the disk has refused a write.
        """
        with self._lock:
            sequence = self._tally.add(topic, type_name, cdr, stamp_ns)
            self._bag.write(topic, type_name, cdr, stamp_ns, sequence)

    def drop(self, topic: str, count: int = 1) -> None:
        """Count messages that were lost before they came here."""
        with self._lock:
            self._tally.drop(topic, count)

    def flush(self) -> None:
        """Hand what is buffered to the operating system."""
        with self._lock:
            self._bag.flush()

    def seal(self, reason: str, *, aborted: bool = False) -> Manifest:
        """Finish the episode: files to the disk, manifest, rename into episodes/.

        When the disk refuses, the episode goes to quarantine/ and BagWriteError is raised.
        """
        with self._lock:
            self._check_open()
            try:
                return self._seal(reason, aborted)
            except (OSError, BagWriteError) as error:
                self._fail(error)
                raise self._failure(error) from error
            finally:
                self._open = False
                self._ending.release()

    def abort(self, reason: str) -> Manifest | None:
        """Seal the episode as aborted, or quarantine what a failed disk left of it (None)."""
        try:
            return self.seal(reason, aborted=True)
        except BagWriteError:
            return None

    def _seal(self, reason: str, aborted: bool) -> Manifest:
        crash_point("seal:begin")
        self._bag.close()
        crash_point("seal:bag")
        manifest = write_manifest(self.folder, self._tally, reason, aborted=aborted)
        crash_point("seal:manifest")
        self._ending.publish(self.folder)
        return manifest

    def _fail(self, error: Exception) -> None:
        self._bag.abandon()
        if self.folder.is_dir():
            self._ending.put_aside(self.folder, str(error))

    def _failure(self, error: Exception) -> BagWriteError:
        if isinstance(error, BagWriteError):
            return error
        return BagWriteError(
            f"Cannot seal episode {self.episode_id}: {error}. {free_space(self.folder.parent)}"
        )

    def _check_open(self) -> None:
        if not self._open:
            raise StateError(f"Episode {self.episode_id} is finished already")
