# SPDX-License-Identifier: Apache-2.0
"""Client of one Dobot arm, V3 or V4: requests, ServoJ stream, feedback. Every wait has an end.

A thread drains the feedback and the motion port all the time, so that the newest packet is always
at hand and the arm's answers to ServoJ, which some firmware sends and some does not, never fill a
buffer.
"""

import contextlib
import selectors
import socket
import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiors_core.clock import Clock, to_s
from hiors_xtrainer.feedback import Feedback, FeedbackParser
from hiors_xtrainer.protocol import AUTO, DIALECTS, PROBE
from hiors_xtrainer.replies import (
    NO_SUCH_COMMAND,
    CommandRefused,
    LinkLost,
    Reply,
    ReplyParser,
    explain,
)

Array = NDArray[np.float64]

_CHUNK = 1 << 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where an arm's controller listens.

    ``timeout`` bounds every connect and every answer [s]. ``protocol`` is "v3", "v4" or "auto",
    which asks the controller.
    """

    host: str
    dashboard_port: int = 29999
    motion_port: int = 30003
    feedback_port: int = 30004
    timeout: float = 3.0
    protocol: str = AUTO


class DobotClient:
    """Connections to one arm. ``request`` and ``servo_j`` may be called from different threads."""

    def __init__(self, address: Address, clock: Clock) -> None:
        self._address = address
        self._clock = clock
        self._replies = ReplyParser()
        self._motion_replies = ReplyParser()
        self._parser = FeedbackParser()
        self._request_lock = threading.Lock()
        self._latest: Feedback | None = None
        self._failure: str | None = None
        self._refusal: str | None = None
        self._news = threading.Event()
        self._sockets: list[socket.socket] = []
        self._running = True
        self._reader: threading.Thread | None = None
        try:
            self._dashboard = self._connect(address.dashboard_port)
            self.dialect = DIALECTS[self._protocol()]
            self._motion = self._motion_socket()
        except LinkLost:
            self.close()
            raise
        self._motion.setblocking(False)

    def request(self, text: str, timeout: float | None = None) -> Reply:
        """Send one dashboard command and return its answer.

        Raises:
            CommandRefused: the answer has an error id.
            LinkLost: no answer in time, or the connection broke. The connection is then
                unusable, because a late
                answer could be taken for that of the next command.
        """
        with self._request_lock:
            deadline = self._clock.now() + round((timeout or self._address.timeout) * 1e9)
            try:
                self._dashboard.sendall(text.encode("ascii"))
                reply = self._await_reply(text, deadline)
            except OSError as error:
                raise self._lost(f"{text}: {error}") from error
        if reply.error_id != 0:
            raise CommandRefused(
                f"{self._address.host} refused {text}:"
                f" {explain(reply.error_id)} ({reply.error_id})",
                reply.error_id,
            )
        return reply

    def servo_j(self, joints: Array, duration: float, lookahead: float, gain: float) -> None:
        """Stream one target (6,) [rad] to be reached in ``duration`` [s]. Does not wait."""
        angles = ",".join(f"{angle:.6f}" for angle in np.degrees(joints))
        ahead = f"{self.dialect.lookahead}={lookahead:.0f}"
        text = f"ServoJ({angles},t={duration:.3f},{ahead},gain={gain:.0f})"
        data = text.encode("ascii")
        try:
            sent = self._motion.send(data)
        except OSError as error:
            raise self._lost(f"ServoJ: {error}") from error
        if sent != len(data):
            raise self._lost("ServoJ: the arm does not read its motion port")

    def open_feedback(self) -> None:
        """Connect to the feedback port and begin to drain."""
        stream = self._connect(self._address.feedback_port)
        stream.setblocking(False)
        self._reader = threading.Thread(
            target=self._drain, args=(stream,), name="dobot feedback", daemon=True
        )
        self._reader.start()

    @property
    def latest(self) -> Feedback | None:
        """The newest feedback, None before the first."""
        return self._latest

    @property
    def failure(self) -> str | None:
        """Why the link is lost, None while it lives."""
        return self._failure

    def take_refusal(self) -> str | None:
        """Return, once, why the arm refused a streamed command (only firmware that answers them
        says so).
        """
        refusal, self._refusal = self._refusal, None
        return refusal

    @property
    def counters(self) -> dict[str, int]:
        """Feedback packets, searches for the test value, frames that were no reply."""
        skipped = self._replies.skipped + self._motion_replies.skipped
        return {
            "feedback_packets": self._parser.packets,
            "feedback_resynchronised": self._parser.resynchronised,
            "replies_skipped": skipped,
        }

    def wait_feedback(self, timeout: float) -> Feedback | None:
        """Wait for the next feedback [s]."""
        self._news.clear()
        self._news.wait(timeout)
        return self._latest

    def abort(self, why: str) -> None:
        """Make every wait end at once, also from another thread."""
        self._lost(why)

    def close(self) -> None:
        """Close the connections and end the thread."""
        self._running = False
        if self._reader and self._reader is not threading.current_thread():
            self._reader.join(2.0)
        for stream in self._sockets:
            stream.close()

    def _protocol(self) -> str:
        """Return the key of DIALECTS that the controller speaks."""
        if self._address.protocol != AUTO:
            return self._address.protocol
        try:
            self.request(PROBE)
        except CommandRefused as refusal:
            return "v3" if refusal.error_id == NO_SUCH_COMMAND else "v4"
        return "v4"

    def _motion_socket(self) -> socket.socket:
        if self.dialect.motion_port:
            return self._connect(self._address.motion_port)
        # The same connection, but sending through it never waits.
        stream = self._dashboard.dup()
        self._sockets.append(stream)
        return stream

    def _connect(self, port: int) -> socket.socket:
        host, timeout = self._address.host, self._address.timeout
        try:
            stream = socket.create_connection((host, port), timeout)
        except OSError as error:
            raise LinkLost(
                f"No connection to {host}:{port} within {timeout} s ({error})."
                " Check the arm's power, the cable and the address."
            ) from error
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sockets.append(stream)
        return stream

    def _await_reply(self, text: str, deadline: int) -> Reply:
        name = text.partition("(")[0].lower()
        while True:
            left = to_s(deadline - self._clock.now())
            if left <= 0.0:
                raise TimeoutError("no answer in time")
            self._dashboard.settimeout(left)
            data = self._dashboard.recv(65536)
            if not data:
                raise ConnectionError("the arm closed the connection")
            wanted = None
            for reply in self._replies.feed(data):
                if reply.name == name:
                    wanted = wanted or reply
                else:
                    self._check_servo(reply)
            if wanted is not None:
                return wanted

    def _drain(self, stream: socket.socket) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            selector.register(self._motion, selectors.EVENT_READ)
            try:
                while self._running:
                    for key, _ in selector.select(0.2):
                        if key.fileobj is stream:
                            self._take(_read_all(stream))
                        else:
                            self._drain_motion()
            except (OSError, LinkLost) as error:
                self._lost(str(error))

    def _take(self, data: bytes) -> None:
        newest = self._parser.feed(data, self._clock.now())
        if newest is not None:
            self._latest = newest
            self._news.set()

    def _drain_motion(self) -> None:
        if self.dialect.motion_port:
            for reply in self._motion_replies.feed(_read_all(self._motion)):
                self._check_servo(reply)
        elif self._request_lock.acquire(blocking=False):
            try:
                for reply in self._replies.feed(_read_all(self._motion)):
                    self._check_servo(reply)
            finally:
                self._request_lock.release()
        else:
            # A request waits for its answer and reads this very connection.
            self._news.wait(0.002)

    def _check_servo(self, reply: Reply) -> None:
        if reply.name == "servoj" and reply.error_id != 0:
            self._refusal = f"{reply.echo} was refused: {explain(reply.error_id)}"

    def _lost(self, why: str) -> LinkLost:
        if self._failure is None:
            self._failure = f"link to {self._address.host} lost: {why}"
        with contextlib.suppress(OSError):
            self._dashboard.shutdown(socket.SHUT_RDWR)
        return LinkLost(self._failure)


def _read_all(stream: object) -> bytes:
    """Read what a non-blocking socket has, to the last byte."""
    parts: list[bytes] = []
    if not isinstance(stream, socket.socket):
        raise TypeError("not a socket")
    while True:
        try:
            part = stream.recv(_CHUNK)
        except BlockingIOError:
            return b"".join(parts)
        if not part:
            raise LinkLost("the arm closed the connection")
        parts.append(part)
        if len(part) < _CHUNK:
            return b"".join(parts)
