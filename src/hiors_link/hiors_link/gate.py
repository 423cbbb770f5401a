# SPDX-License-Identifier: Apache-2.0
"""Who may connect: libzmq asks here (ZAP, rfc.zeromq.org/spec/27) for every new connection.

The folder of keys is read anew, so a robot joins when its .pub is put there, and cannot come back
when it is taken away.
"""

import logging
from pathlib import Path
from typing import Any

import zmq
from zmq.utils import z85

from hiors_link.keys import LEARNER, public_keys, read_identity

_ENDPOINT = "inproc://zeromq.zap.01"
_DOMAIN = b"hiors"
_FRAMES = 7

log = logging.getLogger(__name__)


class Gate:
    """Answers libzmq's questions; must exist before the guarded socket binds."""

    def __init__(self, context: Any, keys: Path) -> None:
        self._identity = read_identity(keys, LEARNER)
        self._keys = keys
        self.refused = 0
        self.socket = context.socket(zmq.REP)
        self.socket.linger = 0
        self.socket.bind(_ENDPOINT)

    def guard(self, socket: Any) -> None:
        """Let only connections through this gate reach the socket."""
        socket.curve_server = True
        socket.curve_publickey = self._identity.public
        socket.curve_secretkey = self._identity.secret
        socket.zap_domain = _DOMAIN

    def step(self) -> None:
        """Answer one question."""
        frames = self.socket.recv_multipart()
        name = self._name(frames)
        request = frames[1] if len(frames) > 1 else b""
        code, text = (b"200", b"OK") if name else (b"400", b"unknown key")
        self.socket.send_multipart([b"1.0", request, code, text, name.encode(), b""])

    def _name(self, frames: list[bytes]) -> str:
        if len(frames) != _FRAMES or frames[5] != b"CURVE":
            return ""
        key = z85.encode(frames[6])
        name = public_keys(self._keys).get(key, "")
        if not name or name == LEARNER:
            self.refused += 1
            log.error("a robot with the unknown key %s was refused", key.decode())
            return ""
        return name
