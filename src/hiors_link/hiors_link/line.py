# SPDX-License-Identifier: Apache-2.0
"""One connection of a robot to the learner, and what libzmq says of it. Knows no message."""

from collections.abc import Iterator
from typing import Any

import zmq
from zmq.utils.monitor import recv_monitor_message

from hiors_link.messages import MAX_FRAME

_QUEUE = 16
_NO_ANSWER = "nobody listens there, or the network is down; trying again"
_CUT = f"it broke the protocol, for example by a frame of more than {MAX_FRAME} bytes"
_EVENTS = {
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: (
        "it does not know this robot's key: put its .pub into the learner's folder of keys"
    ),
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: (
        "it has another key than learner.pub says, or only one side uses keys"
    ),
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: (
        "it ended the connection: it may have another key than learner.pub says, use no keys, or"
        " not be a learner of hiors"
    ),
}


class Line:
    """A DEALER socket that queues nothing while it is not connected.

    Args:
        curve: own public key, own secret key, the learner's public key.
    """

    def __init__(self, address: str, curve: "tuple[bytes, bytes, bytes] | None") -> None:
        self._context = zmq.Context()
        self.connected = False
        self.reason = _NO_ANSWER
        self._socket = self._context.socket(zmq.DEALER)
        for option, value in (
            (zmq.LINGER, 0),
            (zmq.SNDHWM, _QUEUE),
            (zmq.RCVHWM, _QUEUE),
            (zmq.IMMEDIATE, 1),
            (zmq.MAXMSGSIZE, MAX_FRAME),
            (zmq.RECONNECT_IVL, 100),
            (zmq.RECONNECT_IVL_MAX, 2000),
            (zmq.HANDSHAKE_IVL, 5000),
            (zmq.IPV6, int("[" in address)),
        ):
            self._socket.setsockopt(option, value)
        if curve:
            self._socket.curve_publickey, self._socket.curve_secretkey = curve[:2]
            self._socket.curve_serverkey = curve[2]
        self._monitor = self._socket.get_monitor_socket()
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)
        self._poller.register(self._monitor, zmq.POLLIN)
        self._socket.connect(address)

    @property
    def cut(self) -> bool:
        """Whether the connection was ended here, because of what the learner sent."""
        return self.reason == _CUT

    def send(self, header: bytes, data: bytes | None = None) -> bool:
        """Send if that is possible at once."""
        frames = [header] if data is None else [header, data]
        try:
            self._socket.send_multipart(frames, zmq.NOBLOCK, copy=data is None)
        except zmq.Again:
            return False
        return True

    def receive(self, timeout: float) -> Iterator[list[Any]]:
        """Yield the messages that are there, waiting for at most ``timeout`` [s]."""
        ready = dict(self._poller.poll(round(1000 * timeout)))
        if self._monitor in ready:
            self._watch()
        for _ in range(_QUEUE):
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            yield frames

    def close(self) -> None:
        """End the connection."""
        self._socket.disable_monitor()
        self._context.destroy(linger=0)

    def _watch(self) -> None:
        while self._monitor.poll(0):
            event = zmq.Event(recv_monitor_message(self._monitor)["event"])
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self.connected = True
            elif event in _EVENTS:
                self.connected, self.reason = False, _EVENTS[event]
            elif event == zmq.EVENT_DISCONNECTED and self.connected:
                self.connected, self.reason = False, _CUT
            elif event == zmq.EVENT_CONNECT_RETRIED and self.cut:
                # libzmq connects again unless it was the one who ended the connection.
                self.reason = _NO_ANSWER
