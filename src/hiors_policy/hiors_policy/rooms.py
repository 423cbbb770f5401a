# SPDX-License-Identifier: Apache-2.0
"""Memory that one checkpoint after the other is read into. Knows no file and no network.

New memory is dear: its pages are cleared one by one, and a virtual machine may first have to get
them back from its host, which took six times as long as to read and hash what was put there.
"""

import mmap
import weakref
from contextlib import suppress

import torch
from torch import Tensor

_KEPT = 2
"""Rooms: for the policy that serves, and for the one that is read meanwhile."""
_GRAIN = 1 << 21
"""Bytes: a room serves for a file that is a little longer, too."""


class Rooms:
    """Rooms that are used again as soon as no tensor in them is left. Serves one thread."""

    def __init__(self) -> None:
        self._rooms: list[tuple[mmap.mmap, weakref.ref[memoryview]]] = []

    def take(self, size: int) -> Tensor:
        """Return (size,) uint8 of any content; all tensors that share it keep it."""
        free = [m for m, tenant in self._rooms if tenant() is None and len(m) >= size]
        memory = free[0] if free else _memory(size)
        # The tensor's storage holds this view, and nothing else does.
        view = memoryview(memory)
        others = [room for room in self._rooms if room[0] is not memory]
        self._rooms = [*others[-(_KEPT - 1) :], (memory, weakref.ref(view))]
        return torch.frombuffer(view, dtype=torch.uint8)[:size]

    def prepare(self) -> None:
        """Make a second room as large as the first, so that no exchange has to wait for one."""
        if self._rooms:
            self.take(max(len(memory) for memory, _ in self._rooms)).fill_(0)


def _memory(size: int) -> mmap.mmap:
    length = -(-max(size, 1) // _GRAIN) * _GRAIN
    memory = mmap.mmap(-1, length, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):
        # Inference goes through all of it each time: a tenth faster with few large pages.
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memory
