# SPDX-License-Identifier: Apache-2.0
"""One leader arm's servos and button board on a serial port, through dynamixel-sdk. For one
thread.
"""

import contextlib
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from dynamixel_sdk import (
    COMM_SUCCESS,
    GroupSyncRead,
    PacketHandler,
    PortHandler,
)

from hiors_core.errors import HiorsError
from hiors_xtrainer.leader_buttons import QUERY, Buttons, read_buttons
from hiors_xtrainer.leader_mapping import Ticks
from hiors_xtrainer.leader_settings import BAUDRATES, BOARDS, LeaderSettings
from hiors_xtrainer.replies import LinkLost
from hiors_xtrainer.serial_errors import PORT_ERRORS

MODE, PWM_LIMIT, TORQUE, P_GAIN, PROFILE_VELOCITY, GOAL = 11, 36, 64, 84, 112, 116
_EXTENDED = 4
_RPM_UNIT = 0.229
_WAIT = 0.002
"""How long a read of the port sleeps for bytes [s]; the SDK itself would poll without a pause."""

_TRIES = 4
"""How often a servo is asked: on a busy machine an answer may come later than the SDK waits."""

_BOARD_WAITS = 4
"""Such waits until the board counts as silent."""


class LeaderBus:
    """Opens the port and finds every servo, or raises LinkLost that names those missing."""

    def __init__(self, settings: LeaderSettings) -> None:
        self._s = settings
        self._all = (*settings.ids, *settings.second_ids, settings.gripper_id)
        self._packets = PacketHandler(2.0)
        self._port = PortHandler(settings.port)
        self.baudrate = self._open()
        try:
            self._group = self._sync_read((*settings.ids, settings.gripper_id))
            self._prepare()
        except HiorsError:
            self.close()
            raise

    def read(self, tries: int = 1) -> tuple[Ticks, int]:
        """Return the joints' positions (n,) and the handle's [ticks], asked for so many times."""
        result, _ = self._ask(lambda: (self._group.txRxPacket(), 0), tries)
        if result != COMM_SUCCESS:
            raise LinkLost(
                f"{self._s.port}: positions were not read ({self._why(result)})."
                " Check the plugs between the servos."
            )
        numbers = (*self._s.ids, self._s.gripper_id)
        raw = [self._group.getData(i, self._s.read_address, 4) for i in numbers]
        ticks = np.array(raw, dtype=np.uint32).view(np.int32).astype(np.int64)
        return ticks[:-1], int(ticks[-1])

    def buttons(self) -> Buttons | None:
        """Return the buttons, None when the board is silent or makes no sense."""
        size = BOARDS[self._s.board]
        try:
            self._port.clearPort()
            self._port.writePort(QUERY)
            answer = b""
            for _ in range(_BOARD_WAITS):
                answer += self._port.readPort(size - len(answer))
                if len(answer) == size:
                    break
        except PORT_ERRORS as error:
            raise LinkLost(f"{self._s.port}: {error}") from error
        return read_buttons(bytes(answer), size)

    def hold(self, ticks: Ticks) -> None:
        """Hold the joints where they are."""
        self.drive(ticks, ticks)
        self._torque(True)

    def drive(self, goal: Ticks, ticks: Ticks) -> None:
        """Set the joints' goal (n,) from where they are (n,) [ticks]."""
        for number, value in zip(self._s.ids, goal, strict=True):
            self._write(number, GOAL, 4, int(value))
        seconds = zip(self._s.second_ids, self._s.second_joints, self._s.second_signs, strict=True)
        for number, joint, sign in seconds:
            if sign:
                way = int(goal[joint - 1] - ticks[joint - 1])
                self._write(number, GOAL, 4, self._position(number) + sign * way)

    def release(self) -> None:
        """Let the joints go limp."""
        self._torque(False)

    def close(self) -> None:
        """Let the joints go and close the port."""
        with contextlib.suppress(HiorsError):
            self.release()
        with contextlib.suppress(*PORT_ERRORS):
            self._port.closePort()

    @property
    def latency_hint(self) -> str:
        """What to do when the port's adapter collects bytes for longer than 1 ms, else ""."""
        name = Path(os.path.realpath(self._s.port)).name
        timer = Path(f"/sys/bus/usb-serial/devices/{name}/latency_timer")
        try:
            value = int(timer.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return ""
        if value <= 1:
            return ""
        return f"latency timer is {value} ms; say: echo 1 | sudo tee {timer}"

    def _open(self) -> int:
        rates = (self._s.baudrate,) if self._s.baudrate else BAUDRATES
        missing: dict[int, list[int]] = {}
        for rate in rates:
            try:
                if not self._port.setBaudRate(rate):
                    raise LinkLost(f"dynamixel-sdk does not know {rate} baud ({self._s.port}).")
                fcntl.flock(self._port.ser.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                # What is plugged in may be somebody else's, so nothing is written before the ping.
                self._port.ser.timeout = _WAIT
                missing[rate] = [i for i in self._all if not self._answers(i)]
            except BlockingIOError as error:
                self._port.closePort()
                raise LinkLost(
                    f"The leader's port {self._s.port} is in use by another program, such as a"
                    " running leader_node or calibration. Stop that one first."
                ) from error
            except PORT_ERRORS as error:
                raise LinkLost(
                    f"Cannot open the leader's port {self._s.port} ({error})."
                    " Check the cable, the parameter port and the group 'dialout'."
                ) from error
            if not missing[rate]:
                return rate
        rate = min(missing, key=lambda r: len(missing[r]))
        self._port.closePort()
        raise LinkLost(
            f"{self._s.port}: no answer from servo {', '.join(map(str, missing[rate]))} at"
            f" {' or '.join(map(str, rates))} baud. Found:"
            f" {', '.join(str(i) for i in self._all if i not in missing[rate]) or 'none'}."
            " Check power, plugs and the parameters ids, second_ids, gripper_id and baudrate."
        )

    def _answers(self, number: int) -> bool:
        return _persist(lambda: self._packets.ping(self._port, number))[-2] == COMM_SUCCESS

    def _sync_read(self, numbers: tuple[int, ...]) -> GroupSyncRead:
        group = GroupSyncRead(self._port, self._packets, self._s.read_address, 4)
        for number in numbers:
            group.addParam(number)
        return group

    def _prepare(self) -> None:
        self.release()
        velocity = round(self._s.align_speed * 60.0 / (2.0 * np.pi) / _RPM_UNIT)
        driven = (*self._s.ids, *self._s.second_ids)
        for number in driven:
            if self._s.extended and self._read(number, MODE, 1) != _EXTENDED:
                self._write(number, MODE, 1, _EXTENDED)
            self._write(number, PROFILE_VELOCITY, 4, max(velocity, 1))
            if self._s.pwm_limit:
                self._write(number, PWM_LIMIT, 2, self._s.pwm_limit)
        for number, gain in zip(self._s.ids, self._s.gains, strict=bool(self._s.gains)):
            self._write(number, P_GAIN, 2, gain)

    def _torque(self, on: bool) -> None:
        limp = {i for i, s in zip(self._s.second_ids, self._s.second_signs, strict=True) if not s}
        for number in (*self._s.ids, *self._s.second_ids):
            self._write(number, TORQUE, 1, int(on and number not in limp))

    def _position(self, number: int) -> int:
        value = self._read(number, self._s.read_address, 4)
        return int(np.uint32(value).view(np.int32))

    def _read(self, number: int, address: int, size: int) -> int:
        read = {1: self._packets.read1ByteTxRx, 4: self._packets.read4ByteTxRx}[size]
        value, result, error = self._ask(lambda: read(self._port, number, address))
        self._check(number, result, error, f"reading register {address}")
        return int(value)

    def _write(self, number: int, address: int, size: int, value: int) -> None:
        write = {
            1: self._packets.write1ByteTxRx,
            2: self._packets.write2ByteTxRx,
            4: self._packets.write4ByteTxRx,
        }[size]
        data = value & (256**size - 1)
        result, error = self._ask(lambda: write(self._port, number, address, data))
        self._check(number, result, error, f"register {address} = {value}")

    def _ask(self, ask: Callable[[], tuple[int, ...]], tries: int = _TRIES) -> tuple[int, ...]:
        try:
            return _persist(ask, tries)
        except PORT_ERRORS as lost:
            raise LinkLost(f"{self._s.port}: {lost}") from lost

    def _check(self, number: int, result: int, error: int, what: str) -> None:
        if result != COMM_SUCCESS:
            raise LinkLost(f"{self._s.port}: servo {number}, {what}: {self._why(result)}")
        # Bit 7 only says that the servo has a hardware alert.
        if error & 0x7F:
            why = self._packets.getRxPacketError(error & 0x7F)
            raise LinkLost(f"{self._s.port}: servo {number} refuses {what}: {why}")

    def _why(self, result: int) -> str:
        return str(self._packets.getTxRxResult(result)).replace("[TxRxResult] ", "")


def _persist(ask: Callable[[], tuple[int, ...]], tries: int = _TRIES) -> tuple[int, ...]:
    """Return an answer that ends in result and error; ask again when one gets lost."""
    for _ in range(tries - 1):
        answer = ask()
        if answer[-2] == COMM_SUCCESS:
            return answer
    return ask()
