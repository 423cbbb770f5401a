# SPDX-License-Identifier: Apache-2.0
"""The arm's real-time feedback: 1440-byte packets out of a byte stream, newest first. Knows no
socket.
"""

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiors_core.clock_offset import ClockOffset

Array = NDArray[np.float64]

SIZE = 1440
TEST_VALUE = (0x0123456789ABCDEF).to_bytes(8, "little")
TEST_OFFSET = 48
_HEAD = struct.Struct("<Q Q").unpack_from
_MODE_OFFSET, _TARGET_OFFSET, _ACTUAL_OFFSET, _ENABLE_OFFSET = 24, 192, 432, 1026


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """One valid packet.

    Attributes:
        stamp: when the arm took it, on this machine's clock [ns].
        mode: as RobotMode() answers. enabled, alarmed: the arm's own flags.
        target, position, velocity: (6,) [rad], [rad], [rad/s].
    """

    stamp: int
    mode: int
    enabled: bool
    dragging: bool
    alarmed: bool
    target: Array
    position: Array
    velocity: Array


class FeedbackParser:
    """Finds packets by length and test value; after noise it searches the test value again."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._offset = ClockOffset()
        self.packets = 0
        self.resynchronised = 0

    def feed(self, data: bytes, now: int) -> Feedback | None:
        """Take bytes as they arrive at ``now`` [ns]; return the last whole packet, older ones are
        skipped.
        """
        self._data += data
        newest: bytes | None = None
        while len(self._data) >= SIZE:
            if self._aligned():
                newest = bytes(self._data[:SIZE])
                del self._data[:SIZE]
                self.packets += 1
            elif not self._resynchronise():
                break
        return self._decode(newest, now) if newest else None

    def _aligned(self) -> bool:
        size = int.from_bytes(self._data[:2], "little")
        return size == SIZE and self._data[TEST_OFFSET : TEST_OFFSET + 8] == TEST_VALUE

    def _resynchronise(self) -> bool:
        self.resynchronised += 1
        at = self._data.find(TEST_VALUE, TEST_OFFSET + 1)
        if at < 0:
            del self._data[: -(TEST_OFFSET + 7)]
            return False
        del self._data[: at - TEST_OFFSET]
        return True

    def _decode(self, packet: bytes, now: int) -> Feedback:
        mode, milliseconds = _HEAD(packet, _MODE_OFFSET)
        joints = np.radians(np.frombuffer(packet, "<f8", 12, _ACTUAL_OFFSET))
        enabled, dragging, _, alarmed = packet[_ENABLE_OFFSET : _ENABLE_OFFSET + 4]
        return Feedback(
            stamp=self._offset.to_local(milliseconds * 1_000_000, now),
            mode=mode,
            enabled=bool(enabled),
            dragging=bool(dragging),
            alarmed=bool(alarmed),
            target=np.radians(np.frombuffer(packet, "<f8", 6, _TARGET_OFFSET)),
            position=joints[:6],
            velocity=joints[6:],
        )
