# SPDX-License-Identifier: Apache-2.0
"""Packets of the Dynamixel protocol 2.0 as a servo reads and writes them. Knows no register.

``FF FF FD 00 | ID | LEN (2) | INST | PARAMS | CRC (2)``, LEN counts from INST to CRC. A body never
holds ``FF FF FD``: it is stuffed to ``FF FF FD FD`` (emanual.robotis.com, "Protocol 2.0").
"""

from dataclasses import dataclass

HEADER = b"\xff\xff\xfd\x00"
STATUS = 0x55
_MARK, _STUFFED = b"\xff\xff\xfd", b"\xff\xff\xfd\xfd"
_POLYNOMIAL = 0x8005
_LONGEST = 1024


def _table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte << 8
        for _ in range(8):
            crc = (crc << 1) ^ (_POLYNOMIAL if crc & 0x8000 else 0)
        table.append(crc & 0xFFFF)
    return tuple(table)


_TABLE = _table()


def crc16(data: bytes) -> int:
    """Return the CRC-16 of polynomial 0x8005: initial value 0, most significant bit first."""
    crc = 0
    for byte in data:
        crc = ((crc << 8) & 0xFFFF) ^ _TABLE[(crc >> 8) ^ byte]
    return crc


@dataclass(frozen=True, slots=True)
class Instruction:
    """One whole packet: whom it is for, what to do, with what; ``valid`` is the CRC's verdict."""

    number: int
    code: int
    params: bytes
    valid: bool


def status(number: int, error: int, params: bytes = b"") -> bytes:
    """Compose an answer."""
    body = (bytes([STATUS, error]) + params).replace(_MARK, _STUFFED)
    head = HEADER + bytes([number]) + (len(body) + 2).to_bytes(2, "little") + body
    return head + crc16(head).to_bytes(2, "little")


class InstructionReader:
    """Cuts a byte stream into packets; what is none is given back as noise."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Instruction | bytes]:
        """Take bytes as they arrive; return whole packets and the bytes between them, in order."""
        self._rest += data
        found: list[Instruction | bytes] = []
        while self._rest:
            start = self._rest.find(HEADER)
            if start < 0:
                # The tail may be the beginning of a header.
                keep = next((n for n in (3, 2, 1) if self._rest.endswith(HEADER[:n])), 0)
                start = len(self._rest) - keep
            if start:
                found.append(self._rest[:start])
                self._rest = self._rest[start:]
            if (packet := self._packet()) is None:
                break
            found.append(packet)
        return found

    def _packet(self) -> Instruction | bytes | None:
        if len(self._rest) < 7:
            return None
        length = int.from_bytes(self._rest[5:7], "little")
        if not 3 <= length <= _LONGEST:
            noise, self._rest = self._rest[:4], self._rest[4:]
            return noise
        end = 7 + length
        if len(self._rest) < end:
            return None
        whole, self._rest = self._rest[:end], self._rest[end:]
        body = whole[7:-2].replace(_STUFFED, _MARK)
        valid = crc16(whole[:-2]) == int.from_bytes(whole[-2:], "little")
        return Instruction(whole[4], body[0], body[1:], valid)
