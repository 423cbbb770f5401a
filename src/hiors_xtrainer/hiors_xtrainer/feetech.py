# SPDX-License-Identifier: Apache-2.0
"""Client of a Feetech SMS/STS servo that drives a gripper, on a serial port. Opening is 0 closed
.. 1 open.

Packet ``FF FF ID LEN INST PARAMS CHK``; words are little-endian.
"""

import contextlib
from dataclasses import dataclass

import serial

from hiors_xtrainer.replies import LinkLost
from hiors_xtrainer.serial_errors import PORT_ERRORS

READ, WRITE = 2, 3
TORQUE, ACCELERATION, TORQUE_LIMIT, POSITION = 40, 41, 48, 56


@dataclass(frozen=True, slots=True, kw_only=True)
class GripperSettings:
    """One gripper.

    Attributes:
        port: serial port. number: servo id on the bus.
        closed, opened: positions of the ends [ticks].
        speed: [ticks/s]. torque_limit: of 1000. timeout: of one answer [s].
    """

    port: str
    number: int
    baudrate: int = 1_000_000
    closed: int = 2048
    opened: int = 3055
    speed: int = 4096
    torque_limit: int = 300
    timeout: float = 0.1


class FeetechGripper:
    """One gripper on its own port. For one thread."""

    def __init__(self, settings: GripperSettings) -> None:
        self._settings = settings
        try:
            self._port = serial.Serial(
                settings.port,
                settings.baudrate,
                timeout=settings.timeout,
                write_timeout=0.5,
                exclusive=True,
            )
        except (OSError, ValueError) as error:
            raise LinkLost(
                f"Cannot open the gripper's port {settings.port} ({error})."
                " Check the cable, the parameter gripper_port and the group 'dialout'."
            ) from error
        self.retries = 0

    def start(self) -> None:
        """Limit the torque and switch it on."""
        self._write(TORQUE_LIMIT, self._settings.torque_limit.to_bytes(2, "little"))
        self._write(TORQUE, b"\x01")

    def move(self, opening: float) -> None:
        """Go to the opening (clipped to 0 .. 1)."""
        s = self._settings
        goal = round(s.closed + min(max(opening, 0.0), 1.0) * (s.opened - s.closed))
        words = (goal, 0, s.speed)
        data = b"\x00" + b"".join(word.to_bytes(2, "little") for word in words)
        self._write(ACCELERATION, data)

    def read(self) -> float:
        """Return the measured opening."""
        data = self._ask(READ, bytes([POSITION, 2]), 2)
        ticks = int.from_bytes(data, "little")
        ticks = -(ticks & 0x7FFF) if ticks & 0x8000 else ticks
        return (ticks - self._settings.closed) / (self._settings.opened - self._settings.closed)

    def close(self) -> None:
        """Close the port; the servo keeps its position."""
        with contextlib.suppress(*PORT_ERRORS):
            self._port.close()

    def _write(self, address: int, data: bytes) -> None:
        self._ask(WRITE, bytes([address]) + data, 0)

    def _ask(self, instruction: int, params: bytes, count: int) -> bytes:
        """Exchange one packet, with two retries: a serial bus loses one now and then."""
        for _ in range(3):
            try:
                data = self._exchange(instruction, params, count)
            except PORT_ERRORS as error:
                raise LinkLost(f"Gripper {self._settings.port}: {error}") from error
            if data is not None:
                return data
            self.retries += 1
        raise LinkLost(
            f"The gripper with id {self._settings.number} on {self._settings.port} does not"
            " answer. Check its power, its cable and the parameter gripper_id."
        )

    def _exchange(self, instruction: int, params: bytes, count: int) -> bytes | None:
        body = bytes([self._settings.number, len(params) + 2, instruction]) + params
        self._port.reset_input_buffer()
        self._port.write(b"\xff\xff" + body + bytes([_checksum(body)]))
        head = bytes([self._settings.number, count + 2])
        # Noise before the answer is skipped: read on until header and right length stand there.
        data = self._port.read(count + 6)
        for _ in range(64):
            at = data.find(b"\xff\xff" + head)
            if at >= 0 and len(data) >= at + count + 6:
                answer = data[at + 2 : at + count + 6]
                valid = _checksum(answer[:-1]) == answer[-1]
                return answer[3:-1] if valid else None
            more = self._port.read(max(1, at + count + 6 - len(data)))
            if not more:
                return None
            data += more
        return None


def _checksum(body: bytes) -> int:
    return ~sum(body) & 0xFF
