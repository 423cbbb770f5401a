# SPDX-License-Identifier: Apache-2.0
"""What can be made to go wrong on the emulator's sockets. Set from a test, read by the server."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class ChannelFault:
    """Faults of one port.

    Attributes:
        stall: accept and read, but send nothing (half-open peer, hung controller).
        split: send one byte per segment.
        merge: hold replies back until so many are waiting, then send them in one segment.
        garbage: bytes sent once before the next message, then forgotten.
        error_id: answer every command with this id and do not carry it out.
    """

    stall: bool = False
    split: bool = False
    merge: int = 1
    garbage: bytes = b""
    error_id: int | None = None

    def take_garbage(self) -> bytes:
        """Return the bytes to inject now."""
        data, self.garbage = self.garbage, b""
        return data


@dataclass(slots=True)
class Faults:
    """Faults of the three ports."""

    dashboard: ChannelFault = field(default_factory=ChannelFault)
    motion: ChannelFault = field(default_factory=ChannelFault)
    feedback: ChannelFault = field(default_factory=ChannelFault)

    def stall_all(self) -> None:
        """Fall silent on every port with the connections still open."""
        for channel in (self.dashboard, self.motion, self.feedback):
            channel.stall = True
