# SPDX-License-Identifier: Apache-2.0
"""A second, small Dobot controller, written from the published protocol alone and from nothing of
hiors: no import of ours, its own offsets, plain sockets and threads.

It is there to catch what driver and emulator could have misunderstood together.
"""

import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

PACKET_SIZE = 1440
TEST_VALUE = 0x0123456789ABCDEF
ENABLED, ALARM, DISABLED, RUNNING = 5, 9, 4, 7
_ONLY_V3 = {"speedj", "resetrobot", "doexecute"}
_ONLY_V4 = {"velj", "stop", "doinstant", "positivekin"}
_SERVO = re.compile(r"ServoJ\((.*)\)", re.IGNORECASE)


@dataclass
class Mangling:
    """What a bad line does to the bytes of one port."""

    piece: int = 0
    """Bytes a segment; 0 sends whole messages."""
    before: bytes = b""
    """Sent once before the next message."""
    drop: int = 0
    """Bytes of the next message that are lost once."""


@dataclass
class FakeController:
    """One arm. Angles in degrees; ``answers`` overrides the error id of a command, by name."""

    host: str = "127.0.0.1"
    v4: bool = False
    servo_replies: bool = False
    start: tuple[float, ...] = (-90.0, 0.0, -90.0, 0.0, 90.0, 90.0)
    log: list[str] = field(default_factory=list)
    """Connections and dashboard commands in the order they came."""
    servo: list[str] = field(default_factory=list)
    """ServoJ as received."""
    mistakes: list[str] = field(default_factory=list)
    """What the guide forbids and a client did."""
    answers: dict[str, int] = field(default_factory=dict)
    replies: Mangling = field(default_factory=Mangling)
    packets: Mangling = field(default_factory=Mangling)
    errors: list[int] = field(default_factory=list)
    enabled: bool = False

    def __post_init__(self) -> None:
        self._lock = threading.RLock()
        self._from = self._to = list(self.start)
        self._begin, self._duration = time.monotonic(), 0.0
        self._running = True
        self._count = 0
        self._sockets: list[socket.socket] = []
        handlers: dict[str, Callable[[socket.socket], None]] = {
            "dashboard": self._dashboard,
            "feedback": self._feedback,
        }
        if not self.v4:
            handlers["motion"] = self._motion
        self.ports = {name: self._listen(name, handle) for name, handle in handlers.items()}

    def close(self) -> None:
        """Close everything."""
        self._running = False
        for each in self._sockets:
            each.close()

    @property
    def degrees(self) -> list[float]:
        """Where the joints are."""
        return self._sample()[0]

    def alarm(self, number: int) -> None:
        """Raise an alarm of the controller: the arm stops where it is and is not enabled."""
        with self._lock:
            self._stop()
            self.errors.append(number)
            self.enabled = False

    def hang_up(self) -> None:
        """Close every connection, not the ports."""
        with self._lock:
            for each in [s for s in self._sockets if s.fileno() >= 0 and _connected(s)]:
                each.shutdown(socket.SHUT_RDWR)

    def _listen(self, name: str, handle: Callable[[socket.socket], None]) -> int:
        listener = socket.create_server((self.host, 0))
        self._sockets.append(listener)

        def accept() -> None:
            while self._running:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.log.append(f"<{name}>")
                self._sockets.append(peer)
                threading.Thread(target=self._session, args=(handle, peer), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return int(listener.getsockname()[1])

    def _session(self, handle: Callable[[socket.socket], None], peer: socket.socket) -> None:
        try:
            handle(peer)
        except OSError:
            pass
        finally:
            peer.close()

    def _requests(self, peer: socket.socket) -> "list[str]":
        text = ""
        while not text.endswith(")"):
            data = peer.recv(4096)
            if not data:
                raise ConnectionError("closed by the client")
            text += data.decode("ascii")
        return [part + ")" for part in text.split(")")[:-1]]

    def _dashboard(self, peer: socket.socket) -> None:
        while self._running:
            for text in self._requests(peer):
                self._send(peer, self._answer(text).encode(), self.replies)

    def _motion(self, peer: socket.socket) -> None:
        while self._running:
            for text in self._requests(peer):
                answer = self._take_servo(text)
                if self.servo_replies:
                    self._send(peer, answer.encode(), self.replies)

    def _feedback(self, peer: socket.socket) -> None:
        while self._running:
            self._send(peer, self._packet(), self.packets)
            time.sleep(0.008)

    def _send(self, peer: socket.socket, data: bytes, how: Mangling) -> None:
        data, how.before, how.drop = how.before + data[how.drop :], b"", 0
        for at in range(0, len(data), how.piece or len(data)):
            peer.sendall(data[at : at + (how.piece or len(data))])

    def _answer(self, text: str) -> str:
        if self.v4 and _SERVO.match(text):
            return self._take_servo(text)
        self.log.append(text)
        name = text.partition("(")[0].lower()
        with self._lock:
            error, value = self._execute(name, text)
        error = self.answers.get(name, error)
        return f"{error},{{{value if error == 0 else ''}}},{text};"

    def _execute(self, name: str, text: str) -> tuple[int, str]:
        settings = {"speedfactor", "accj", "settool", "tool", "stopdrag", "poweron"}
        if name in settings | (_ONLY_V4 if self.v4 else _ONLY_V3):
            if name in ("resetrobot", "stop"):
                self._stop()
            return 0, ""
        if name == "enablerobot":
            if self.errors:
                return -1, ""
            self._stop()
            self.enabled = True
            return 0, ""
        if name == "clearerror":
            self.errors.clear()
            return 0, ""
        if name == "robotmode":
            return 0, str(self._mode())
        if name == "geterrorid":
            ids = ",".join(map(str, self.errors))
            return 0, f"[[{ids}],[],[],[],[],[],[]]"
        return -10000, ""

    def _take_servo(self, text: str) -> str:
        self.servo.append(text)
        match = _SERVO.fullmatch(text)
        if match is None:
            self.mistakes.append(f"on the motion port: {text}")
            return f"-10000,{{}},{text};"
        parts = [part.strip() for part in match[1].split(",")]
        options = dict(part.split("=") for part in parts[6:])
        ahead = "aheadtime" if self.v4 else "lookahead_time"
        for key, low, high in (("t", 0.02, 3600), (ahead, 20, 100), ("gain", 200, 1000)):
            if not low <= float(options.pop(key, low)) <= high:
                self.mistakes.append(f"{key} out of range: {text}")
        if options:
            self.mistakes.append(f"unknown options {options}: {text}")
        with self._lock:
            if not self.enabled:
                self.mistakes.append(f"not enabled: {text}")
                return f"-1,{{}},{text};"
            error = self.answers.get("servoj", 0)
            if error == 0:
                self._from, self._to = self._sample()[0], [float(p) for p in parts[:6]]
                period = dict(part.split("=") for part in parts[6:]).get("t", "0.1")
                self._begin, self._duration = time.monotonic(), float(period)
            self._count += 1
            value = str(self._count) if self.v4 and error == 0 else ""
        return f"{error},{{{value}}},{text};"

    def _mode(self) -> int:
        if self.errors:
            return ALARM
        if not self.enabled:
            return DISABLED
        return RUNNING if time.monotonic() - self._begin < self._duration else ENABLED

    def _stop(self) -> None:
        self._from = self._to = self._sample()[0]
        self._duration = 0.0

    def _sample(self) -> tuple[list[float], list[float]]:
        with self._lock:
            way = [b - a for a, b in zip(self._from, self._to, strict=True)]
            elapsed = time.monotonic() - self._begin
            if elapsed >= self._duration:
                return list(self._to), [0.0] * 6
            part = elapsed / self._duration
            here = [a + part * w for a, w in zip(self._from, way, strict=True)]
            return here, [w / self._duration for w in way]

    def _packet(self) -> bytes:
        data = bytearray(PACKET_SIZE)
        with self._lock:
            position, velocity = self._sample()
            struct.pack_into("<H", data, 0, PACKET_SIZE)
            struct.pack_into("<Q", data, 24, self._mode())
            struct.pack_into("<Q", data, 32, int(time.time() * 1000))
            struct.pack_into("<Q", data, 48, TEST_VALUE)
            struct.pack_into("<6d", data, 192, *self._to)
            struct.pack_into("<6d", data, 432, *position)
            struct.pack_into("<6d", data, 480, *velocity)
            struct.pack_into("<b", data, 1026, self.enabled)
            struct.pack_into("<b", data, 1029, bool(self.errors))
            struct.pack_into("<b", data, 1031, 101)
        return bytes(data)


def _connected(each: socket.socket) -> bool:
    try:
        each.getpeername()
    except OSError:
        return False
    return True
