# SPDX-License-Identifier: Apache-2.0
"""The learner's socket: any number of robots send episodes and fetch checkpoints.

Robots ask, the server answers at once and keeps nothing queued for anybody; who has asked before
is told of a new checkpoint. A message that is
malformed or from a stranger is counted and dropped; it never ends the server.
"""

import json
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import zmq

from hiors_core.clock import NS, Clock, to_ns
from hiors_core.durable import write_atomic
from hiors_core.errors import HiorsError, InvalidValue
from hiors_core.link import Link
from hiors_core.watch import FolderWatch
from hiors_link.address import check_open
from hiors_link.gate import Gate
from hiors_link.incoming import Answer, Incoming, Limits
from hiors_link.messages import FROM_ACTOR, MAX_FRAME, Message, make, read
from hiors_link.outlook import Newest, Outlook

ROBOTS_FILE = "robots.json"
_QUEUE = 16
"""Messages that wait for one robot, or of one robot, at most."""
_AT_ONCE = 256
_MAX_ROBOTS = 1000
_HEARTBEAT_MS, _DEAD_MS = 10_000, 40_000

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Robot:
    """What the server saw of one robot. heard: stamp of its last message [ns]."""

    heard: int
    episodes: int = 0
    bytes: int = 0


class Server:
    """Serves one run.

    Args:
        address: tcp://HOST:PORT to listen at; port 0 takes a free one.
        keys: folder of keys (hiors_link.keys). Without, only this machine can be let in.
    """

    def __init__(
        self,
        run: Path,
        address: str,
        clock: Clock,
        keys: Path | None = None,
        limits: Limits | None = None,
    ) -> None:
        check_open(address, keys=keys is not None)
        link = Link(run / "link")
        self._run, self._link, self._clock = run, link, clock
        self._outlook = Outlook(run, link, clock)
        self._incoming = Incoming(run, link, limits or Limits())
        self._incoming.learned = self._outlook.learned
        self.robots: dict[str, Robot] = {}
        self.bad = 0
        self._next_note = self._next_complaint = 0
        self._asked: dict[str, tuple[bytes, int]] = {}
        self._told: Newest | None = None
        self._answers: Mapping[str, Callable[[Message], Answer]] = {
            "poll": self._state,
            "offer": self._incoming.offer,
            "part": self._incoming.part,
        }
        self._context = zmq.Context()
        try:
            self._gate = Gate(self._context, keys) if keys else None
            self._socket = self._bind(address)
        except BaseException:
            self._context.destroy(linger=0)
            raise
        self.address = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self._published = FolderWatch(run / "checkpoints")
        self._outlook.refresh()
        self._incoming.announce_missing()

    def run(self, stop: threading.Event) -> None:
        """Serve until told to stop."""
        while not stop.is_set():
            self.step(0.1)

    def step(self, timeout: float) -> None:
        """Answer what has arrived, waiting for at most ``timeout`` [s]."""
        self._outlook.refresh()
        sockets = [self._socket, *([self._gate.socket] if self._gate else [])]
        ready, _, _ = zmq.select([*sockets, *self._published.descriptors], [], [], timeout)
        if self._published.read():
            self._outlook.refresh(at_once=True)
        self._tell()
        if self._gate and self._gate.socket in ready:
            self._gate.step()
        if self._socket in ready:
            for _ in range(_AT_ONCE):
                try:
                    frames = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
                except zmq.Again:
                    break
                self._answer(frames)
        self._note()

    def close(self) -> None:
        """Give the address free."""
        self._published.close()
        self._context.destroy(linger=0)

    def _bind(self, address: str) -> Any:
        socket = self._context.socket(zmq.ROUTER)
        for option, value in (
            (zmq.MAXMSGSIZE, MAX_FRAME),
            (zmq.RCVHWM, _QUEUE),
            (zmq.SNDHWM, _QUEUE),
            (zmq.LINGER, 0),
            (zmq.HEARTBEAT_IVL, _HEARTBEAT_MS),
            (zmq.HEARTBEAT_TIMEOUT, _DEAD_MS),
            (zmq.IPV6, int("[" in address)),
        ):
            socket.setsockopt(option, value)
        if self._gate:
            self._gate.guard(socket)
        try:
            socket.bind(address)
        except zmq.ZMQError as error:
            raise InvalidValue(f"Cannot listen at {address}: {error}") from error
        return socket

    def _answer(self, frames: list[Any]) -> None:
        sender, *rest = frames
        try:
            message = read([frame.buffer for frame in rest], FROM_ACTOR)
            self._admit(message["actor"], rest[0], sum(len(frame.buffer) for frame in rest))
        except HiorsError as error:
            self._complain(str(error))
            self._send(sender.bytes, make("error", reason=str(error)[:1000]))
            return
        try:
            self._reply(sender.bytes, message)
        except Exception as error:  # noqa: BLE001 no message may end the server; the reason is told
            reason = f"{type(error).__name__}: {error}"[:1000]
            self._complain(f"{message['actor']}, {message.kind}: {reason}")
            self._send(sender.bytes, self._failure(message, reason))

    def _reply(self, sender: bytes, message: Message) -> None:
        if message.kind == "fetch":
            self._fetch(sender, message)
            return
        if message.kind == "poll":
            self._asked[message["actor"]] = (sender, message["ledger"])
        kind, fields = self._answers[message.kind](message)
        self._send(sender, make(kind, **fields))

    def _failure(self, message: Message, reason: str) -> bytes:
        if message.kind in ("offer", "part"):
            return make("refused", episode_id=message["episode_id"], reason=reason, again=True)
        return make("error", reason=reason)

    def _admit(self, actor: str, frame: Any, size: int) -> None:
        if self._gate and (owner := frame.get("User-Id")) != actor:
            raise InvalidValue(
                f"'{owner}' may not speak as '{actor}': the name is that of its key"
            )
        now = self._clock.now()
        if actor not in self.robots:
            if len(self.robots) >= _MAX_ROBOTS:
                raise InvalidValue(
                    f"{_MAX_ROBOTS} robots are known already, '{actor}' is too many"
                )
            self.robots[actor] = Robot(heard=now)
            log.warning("robot %s joins", actor)
        robot = self.robots[actor]
        if now - robot.heard > 30 * NS:
            log.warning("robot %s is back after %d s", actor, (now - robot.heard) // NS)
        robot.heard, robot.bytes = now, robot.bytes + size

    def _tell(self) -> None:
        """Let the robots know of a new checkpoint before they ask."""
        if self._outlook.newest is self._told:
            return
        self._told = self._outlook.newest
        for actor, (sender, ledger) in self._asked.items():
            self._send(sender, make("state", **self._outlook.state(actor, ledger)))

    def _state(self, message: Message) -> Answer:
        return "state", self._outlook.state(message["actor"], message["ledger"])

    def _fetch(self, sender: bytes, message: Message) -> None:
        version = message["version"]
        try:
            found = self._outlook.published(version)
            data = found.bundle.read(found.folder, message["offset"], message["size"])
        except (HiorsError, OSError) as error:
            self._send(sender, make("gone", version=version, reason=str(error)[:1000]))
            return
        if not data:
            self._send(sender, make("gone", version=version, reason="it has no such bytes"))
            return
        self._send(sender, make("chunk", version=version, offset=message["offset"]), data)

    def _send(self, receiver: bytes, header: bytes, data: bytes | None = None) -> None:
        frames = [receiver, header] if data is None else [receiver, header, data]
        # A robot that is gone, or that asks without reading, loses its answer and asks again.
        self._socket.send_multipart(frames, zmq.NOBLOCK, copy=data is None)

    def _complain(self, reason: str) -> None:
        self.bad += 1
        if self._clock.now() >= self._next_complaint:
            self._next_complaint = self._clock.now() + NS
            log.error("message refused (%d so far): %s", self.bad, reason)

    def _note(self) -> None:
        if self._clock.now() < self._next_note:
            return
        self._next_note = self._clock.now() + to_ns(1.0)
        for name, count in self._incoming.stored.items():
            self.robots[name].episodes = count
        content = {"bad": self.bad, "robots": {n: asdict(r) for n, r in self.robots.items()}}
        write_atomic(
            self._link.root / ROBOTS_FILE, json.dumps(content).encode(), "robots", sync=False
        )
