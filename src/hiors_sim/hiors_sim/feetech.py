# SPDX-License-Identifier: Apache-2.0
"""Feetech SMS/STS servos on a pseudo-terminal: ping, read, write, sync read, sync write, as
grippers use them.

Packet ``FF FF ID LEN INST PARAMS CHK``; words are little-endian; 4096 ticks a turn.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hiors_sim.plant import GripperPlant
from hiors_sim.pseudo_terminal import PtyDevice

BROADCAST = 0xFE
PING, READ, WRITE, SYNC_READ, SYNC_WRITE = 1, 2, 3, 0x82, 0x83
MODEL, ID, BAUD, TORQUE, ACCELERATION, GOAL, SPEED = 3, 5, 6, 40, 41, 42, 46
TORQUE_LIMIT, LOCK, POSITION, PRESENT_SPEED, LOAD = 48, 55, 56, 58, 60
VOLTAGE, TEMPERATURE, MOVING = 62, 63, 66
SIZE = 128


def checksum(body: bytes) -> int:
    """Return CHK over ID .. PARAMS."""
    return ~sum(body) & 0xFF


def packet(body: bytes) -> bytes:
    """Frame ID, LEN, INST or ERR, PARAMS."""
    return b"\xff\xff" + body + bytes([checksum(body)])


@dataclass(slots=True)
class SerialFault:
    """Faults of the bus: fall silent, lose the next ``lose`` answers, answer in single bytes,
    inject bytes once, spoil the checksum.
    """

    stall: bool = False
    lose: int = 0
    split: bool = False
    garbage: bytes = b""
    bad_checksum: bool = False

    def segments(self, data: bytes) -> Iterator[bytes]:
        """Give the segments in which an answer goes out, spoilt as asked for."""
        if not data or self.stall:
            return
        if self.lose:
            self.lose -= 1
            return
        if self.bad_checksum:
            data = data[:-1] + bytes([data[-1] ^ 0x55])
        data = self.garbage + data
        self.garbage = b""
        if not self.split:
            yield data
            return
        for at in range(len(data)):
            yield data[at : at + 1]
            time.sleep(0.0005)


class GripperServo:
    """One servo that drives a gripper: registers in, opening out.

    ``closed`` and ``open`` are the positions of the ends [ticks].
    """

    def __init__(self, plant: GripperPlant, closed: int = 2048, opened: int = 3055) -> None:
        self._plant = plant
        self._closed, self._stroke = closed, opened - closed
        self.memory = bytearray(SIZE)
        self.memory[MODEL : MODEL + 2] = (777).to_bytes(2, "little")
        self.memory[VOLTAGE], self.memory[TEMPERATURE] = 120, 30
        self._put(TORQUE_LIMIT, 1000)
        self._put(GOAL, self._ticks())

    def read(self, address: int, count: int) -> bytes:
        """Return registers with the present position in them."""
        ticks = self._ticks()
        self._put(POSITION, ticks)
        self.memory[MOVING] = abs(ticks - self.word(GOAL)) > 2 and bool(self.memory[TORQUE])
        return bytes(self.memory[address : address + count])

    def write(self, address: int, data: bytes) -> None:
        """Store registers; a new goal with torque on moves the gripper."""
        self.memory[address : address + len(data)] = data
        covers_goal = address <= GOAL + 1 and address + len(data) > GOAL
        if self.memory[TORQUE] and covers_goal:
            speed = self.word(SPEED) or 3400
            opening = (self.word(GOAL) - self._closed) / self._stroke
            self._plant.command(min(max(opening, 0.0), 1.0), speed / abs(self._stroke))

    def word(self, address: int) -> int:
        """Return a 16-bit register."""
        return int.from_bytes(self.memory[address : address + 2], "little")

    def _put(self, address: int, value: int) -> None:
        self.memory[address : address + 2] = value.to_bytes(2, "little")

    def _ticks(self) -> int:
        return round(self._closed + self._plant.read() * self._stroke)


class FeetechEmulator(PtyDevice):
    """Serves the servos of one bus on a pty; ``link`` is a name of it that stays."""

    def __init__(self, servos: Mapping[int, GripperServo], link: str | Path | None = None) -> None:
        super().__init__("feetech", link)
        self.servos = dict(servos)
        self.fault = SerialFault()
        for number, servo in self.servos.items():
            servo.memory[ID] = number
        self._rest = b""

    def __enter__(self) -> "FeetechEmulator":
        self.start()
        return self

    def answer(self, data: bytes) -> Iterator[bytes]:
        """Carry out the packets in ``data`` and give their answers, with the faults asked for."""
        for body in self._packets(data):
            yield from self.fault.segments(self._execute(body))

    def _packets(self, data: bytes) -> list[bytes]:
        self._rest += data
        bodies = []
        while (start := self._rest.find(b"\xff\xff")) >= 0:
            self._rest = self._rest[start:]
            if len(self._rest) < 6:
                break
            end = 4 + self._rest[3]
            if len(self._rest) < end:
                break
            body, check = self._rest[2 : end - 1], self._rest[end - 1]
            if body[0] == 0xFF or check != checksum(body):
                self._rest = self._rest[1:]
                continue
            bodies.append(body)
            self._rest = self._rest[end:]
        return bodies

    def _execute(self, body: bytes) -> bytes:
        number, instruction, params = body[0], body[2], body[3:]
        if instruction == SYNC_READ and len(params) >= 2:
            return b"".join(self._status(i, params[:2], READ) for i in params[2:])
        if instruction == SYNC_WRITE and len(params) >= 2:
            address, count = params[0], params[1]
            for at in range(2, len(params) - count, count + 1):
                if servo := self.servos.get(params[at]):
                    servo.write(address, params[at + 1 : at + 1 + count])
            return b""
        if number == BROADCAST:
            if instruction == PING:
                return b"".join(self._status(i, b"", PING) for i in sorted(self.servos))
            for servo in self.servos.values():
                if instruction == WRITE and params:
                    servo.write(params[0], params[1:])
            return b""
        return self._status(number, params, instruction)

    def _status(self, number: int, params: bytes, instruction: int) -> bytes:
        servo = self.servos.get(number)
        if servo is None:
            return b""
        data = b""
        if instruction == READ and len(params) >= 2:
            data = servo.read(params[0], params[1])
        elif instruction == WRITE and params:
            servo.write(params[0], params[1:])
        elif instruction != PING:
            return b""
        return packet(bytes([number, len(data) + 2, 0]) + data)
