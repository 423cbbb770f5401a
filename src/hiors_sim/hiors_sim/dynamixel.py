# SPDX-License-Identifier: Apache-2.0
"""Leader arms: Dynamixel X-series servos and a button board on one pseudo-terminal.

Protocol 2.0: ping, read, write, sync read and write, with the errors that a real servo answers.
Register addresses are those of the X-series table (emanual.robotis.com); 4096 ticks are a turn.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from hiors_core.clock import Clock, SteadyClock, to_s
from hiors_sim.dynamixel_packet import Instruction, InstructionReader, status
from hiors_sim.feetech import SerialFault
from hiors_sim.pseudo_terminal import PtyDevice

BROADCAST = 0xFE
PING, READ, WRITE, REBOOT, SYNC_READ, SYNC_WRITE = 1, 2, 3, 8, 0x82, 0x83
MODEL, ID, MODE, PWM_LIMIT, MAX_POSITION, MIN_POSITION = 0, 7, 11, 36, 48, 52
TORQUE, PROFILE_VELOCITY, GOAL, MOVING = 64, 112, 116, 122
VELOCITY, POSITION, TRAJECTORY, VOLTAGE, TEMPERATURE = 128, 132, 140, 144, 146
SIZE = 147
SINGLE_TURN, EXTENDED = 3, 4
TURN = 4096
FAIL, CRC_ERROR, RANGE, LENGTH, LIMIT, ACCESS = 1, 3, 4, 5, 6, 7
INSTRUCTION_ERROR = 2
QUERY = b"\xaa\x55\xaa"
_RPM_UNIT = 0.229
_UNLIMITED = 1023


class LeaderServo:
    """One joint of a leader arm: a person moves it while its torque is off, it itself while on.

    Args:
        ticks: where it stands at first. mode: 3 answers within one turn, 4 counts turns.
    """

    def __init__(self, clock: Clock, ticks: int = 2048, mode: int = SINGLE_TURN) -> None:
        self._clock = clock
        self.memory = bytearray(SIZE)
        self._from = self._to = float(ticks)
        self._begin = clock.now()
        self.memory[MODE], self.memory[VOLTAGE], self.memory[TEMPERATURE] = mode, 120, 32
        self._put(MODEL, 2, 1060)
        self._put(PWM_LIMIT, 2, 885)
        self._put(MAX_POSITION, 4, TURN - 1)
        self._put(GOAL, 4, ticks)

    @property
    def torque(self) -> bool:
        """Whether the motor holds the joint."""
        return bool(self.memory[TORQUE])

    @property
    def ticks(self) -> float:
        """Where the joint is, turns counted."""
        if not self.torque:
            return self._to
        way = self._speed() * to_s(self._clock.now() - self._begin)
        return self._from + min(max(self._to - self._from, -way), way)

    def place(self, ticks: float) -> None:
        """Move the joint by hand; a hand does not move it against the motor."""
        if not self.torque:
            self._from = self._to = ticks

    def read(self, address: int, count: int) -> bytes:
        """Return registers with the present state in them."""
        ticks = round(self.ticks)
        shown = ticks % TURN if self.memory[MODE] == SINGLE_TURN else ticks
        self.memory[MOVING] = self.torque and ticks != round(self._to)
        for register in (POSITION, TRAJECTORY):
            self._put(register, 4, shown)
        return bytes(self.memory[address : address + count])

    def write(self, address: int, data: bytes) -> int:
        """Store registers and act on them; return the error number, 0 for none."""
        end = address + len(data)
        if end > SIZE:
            return RANGE
        if address < TORQUE and self.torque:
            return ACCESS
        goal = self._covered(address, data, GOAL, 4)
        if goal is not None and not self._allowed(goal):
            return LIMIT
        here, before = self.ticks, self.torque
        self.memory[address:end] = data
        if self.torque != before:
            self._from = self._to = here
            self._put(GOAL, 4, round(here) % TURN if self._wraps else round(here))
        elif goal is not None and self.torque:
            turns = here // TURN * TURN if self._wraps else 0
            self._from, self._to, self._begin = here, goal + turns, self._clock.now()
        return 0

    @property
    def _wraps(self) -> bool:
        return self.memory[MODE] == SINGLE_TURN

    def _allowed(self, goal: int) -> bool:
        if not self._wraps:
            return True
        return self._get(MIN_POSITION, 4) <= goal <= self._get(MAX_POSITION, 4)

    def _covered(self, address: int, data: bytes, register: int, size: int) -> int | None:
        if not address <= register <= address + len(data) - size:
            return None
        at = register - address
        return int.from_bytes(data[at : at + size], "little", signed=True)

    def _speed(self) -> float:
        """Return the profile's velocity [ticks/s]."""
        units = self._get(PROFILE_VELOCITY, 4) or _UNLIMITED
        return units * _RPM_UNIT / 60.0 * TURN

    def _get(self, address: int, size: int) -> int:
        return int.from_bytes(self.memory[address : address + size], "little", signed=True)

    def _put(self, address: int, size: int, value: int) -> None:
        self.memory[address : address + size] = value.to_bytes(size, "little", signed=True)


class ButtonBoard:
    """Two buttons that answer ``AA 55 AA`` on the servos' bus; with a hand sensor four bytes."""

    def __init__(self, *, sensor: bool = False) -> None:
        self.a = self.b = False
        self.hand = True
        self._sensor = sensor

    def answer(self) -> bytes:
        """Return the buttons, 1 for released in each half byte, each byte with its inverse."""
        byte = (not self.a) << 4 | (not self.b)
        data = bytes([byte, byte ^ 0xFF])
        return data + (bytes([self.hand, self.hand ^ 0xFF]) if self._sensor else b"")


class LeaderEmulator(PtyDevice):
    """Serves the servos of one leader arm, and its button board if it has one, on a pty."""

    def __init__(
        self,
        servos: Mapping[int, LeaderServo],
        board: ButtonBoard | None = None,
        link: str | Path | None = None,
    ) -> None:
        super().__init__("dynamixel", link)
        self.servos = dict(servos)
        self.board = board
        self.fault = SerialFault()
        self.absent: set[int] = set()
        """Servos that do not answer, as with a loose plug."""
        for number, servo in self.servos.items():
            servo.memory[ID] = number
        self._reader = InstructionReader()
        self._noise = b""

    def __enter__(self) -> "LeaderEmulator":
        self.start()
        return self

    def answer(self, data: bytes) -> Iterator[bytes]:
        """Carry out what is in ``data`` and give the answers, with the faults asked for."""
        for item in self._reader.feed(data):
            if isinstance(item, Instruction):
                self._noise = b""
                reply = self._execute(item)
            else:
                self._noise = (self._noise + item)[-len(QUERY) :]
                asked = self._noise == QUERY and self.board is not None
                reply = self.board.answer() if self.board and asked else b""
                self._noise = b"" if asked else self._noise
            yield from self.fault.segments(reply)

    def _execute(self, item: Instruction) -> bytes:
        params = item.params
        if item.code == SYNC_READ and item.valid and len(params) >= 4:
            return b"".join(self._read(i, params[:4]) for i in params[4:])
        if item.code == SYNC_WRITE and item.valid and len(params) >= 4:
            self._sync_write(params)
            return b""
        if item.number == BROADCAST:
            numbers = sorted(self.servos) if item.code == PING and item.valid else []
            return b"".join(self._ping(i) for i in numbers)
        if self._servo(item.number) is None:
            return b""
        if not item.valid:
            return status(item.number, CRC_ERROR)
        return self._single(item)

    def _single(self, item: Instruction) -> bytes:
        number, params = item.number, item.params
        if item.code == PING:
            return self._ping(number)
        if item.code == READ:
            return self._read(number, params)
        if item.code == WRITE and len(params) >= 3:
            address = int.from_bytes(params[:2], "little")
            return status(number, self.servos[number].write(address, params[2:]))
        if item.code == REBOOT:
            self.servos[number].write(TORQUE, b"\x00")
            return status(number, 0)
        return status(number, INSTRUCTION_ERROR)

    def _sync_write(self, params: bytes) -> None:
        address, count = (int.from_bytes(params[i : i + 2], "little") for i in (0, 2))
        for at in range(4, len(params) - count, count + 1):
            if servo := self._servo(params[at]):
                servo.write(address, params[at + 1 : at + 1 + count])

    def _ping(self, number: int) -> bytes:
        servo = self._servo(number)
        return status(number, 0, servo.read(MODEL, 2) + b"\x2d") if servo else b""

    def _read(self, number: int, params: bytes) -> bytes:
        servo = self._servo(number)
        if servo is None:
            return b""
        if len(params) != 4:
            return status(number, LENGTH)
        address, count = (int.from_bytes(params[i : i + 2], "little") for i in (0, 2))
        if address + count > SIZE:
            return status(number, RANGE)
        return status(number, 0, servo.read(address, count))

    def _servo(self, number: int) -> LeaderServo | None:
        return None if number in self.absent else self.servos.get(number)


def leader_servos(
    numbers: "list[int]", clock: Clock | None = None, ticks: int = 2048
) -> dict[int, LeaderServo]:
    """Make a servo for each id."""
    clock = clock or SteadyClock()
    return {number: LeaderServo(clock, ticks) for number in numbers}
