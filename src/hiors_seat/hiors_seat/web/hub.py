# SPDX-License-Identifier: Apache-2.0
"""Who is connected, who of them is the operator, and what each of them gets to see.

Lives in the server's event loop only. Knows the messages, not the transport's set-up and no ROS.
"""

import asyncio
import contextlib
import hmac
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import WSMsgType, web

from hiors_core.clock import Clock, to_ns, to_s
from hiors_core.errors import HiorsError
from hiors_seat.web.messages import Claim, Hello, Leave, Readers, parse

WRONG_TOKEN, BAD_MESSAGES, NO_HELLO = 4401, 4400, 4408
_HELLO_SECONDS = 5.0
_SEND_SECONDS = 2.0
_MAX_STRANGERS = 16
_RATE = 300.0
"""Messages a second that one client may send; a headset sends up to 120."""
_BURST = 2.0 * _RATE
"""Messages at once: what a headset's socket may hold back during a gap of the network."""


@dataclass(slots=True)
class Counters:
    """What went wrong since the start."""

    refused_tokens: int = 0
    malformed: int = 0
    dropped_clients: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSettings:
    """What a hub lets in.

    Attributes:
        max_bytes: longest message of a client. max_malformed: bad ones until it is dropped.
        max_clients: open sockets.
    """

    token: str
    max_bytes: int
    max_malformed: int
    max_clients: int


class Client:
    """One open page. New states and images replace those that still wait: nobody falls behind."""

    def __init__(
        self, socket: web.WebSocketResponse, abort: Callable[[], None], clock: Clock
    ) -> None:
        self.socket = socket
        self._abort = abort
        self.name = ""
        self.malformed = 0
        self._clock = clock
        self._budget = _BURST
        self._counted = clock.now()
        self._state: str | None = None
        self._images: dict[str, bytes] = {}
        self._period = 0
        self._due: dict[str, int] = {}
        self._notes: deque[str] = deque(maxlen=16)
        self._ready = asyncio.Event()

    def within_rate(self) -> bool:
        """Count one message; tell whether the client keeps to the rate."""
        now = self._clock.now()
        refill = _RATE * to_s(now - self._counted)
        self._budget = min(_BURST, self._budget + refill) - 1.0
        self._counted = now
        return self._budget >= 0.0

    def limit_images(self, rate: float) -> None:
        """Send at most this many images of each camera a second."""
        self._period = to_ns(1.0 / rate)

    def show(self, state: str) -> None:
        """Send this state, instead of an older one that still waits."""
        self._state = state
        self._ready.set()

    def show_image(self, data: bytes, camera: str = "") -> None:
        """Send this image, instead of an older one of the camera that still waits."""
        now = self._clock.now()
        if now < self._due.get(camera, 0):
            return
        self._due[camera] = now + self._period * 9 // 10
        self._images[camera] = data
        self._ready.set()

    def note(self, **message: Any) -> None:
        """Send this message; of more than 16 that wait the oldest are lost."""
        self._notes.append(json.dumps(message))
        self._ready.set()

    async def write(self) -> None:
        """Send what there is until the socket closes or takes nothing for 2 s."""
        with contextlib.suppress(ConnectionError, TimeoutError):
            while not self.socket.closed:
                await self._ready.wait()
                self._ready.clear()
                async with asyncio.timeout(_SEND_SECONDS):
                    await self._send()
        self._abort()

    async def _send(self) -> None:
        while self._notes:
            await self.socket.send_str(self._notes.popleft())
        if (state := self._state) is not None:
            self._state = None
            await self.socket.send_str(state)
        while self._images:
            await self.socket.send_bytes(self._images.pop(next(iter(self._images))))


class Hub:
    """The connected pages, at most one of them the operator's.

    A hub of an application says what its messages are (``readers``) and overrides ``take``,
    ``operator_changed`` and ``welcome``.
    """

    def __init__(self, settings: HubSettings, readers: Readers, clock: Clock) -> None:
        self._settings = settings
        self._token = settings.token.encode()
        self._readers = readers
        self._clock = clock
        self._strangers = 0
        self.clients: list[Client] = []
        self.operator: Client | None = None
        self._state = ""
        self.counters = Counters()

    def take(self, client: Client, message: Any) -> None:
        """Act on a message of the application."""
        raise NotImplementedError

    def operator_changed(self, name: str | None) -> None:
        """A person became the operator, or the operator is gone (None)."""

    def welcome(self, client: Client) -> None:
        """Tell a new client what does not come by itself."""

    @property
    def full(self) -> bool:
        """Whether another connection must be refused."""
        too_many = len(self.clients) >= self._settings.max_clients
        return too_many or self._strangers >= _MAX_STRANGERS

    async def serve(self, socket: web.WebSocketResponse, abort: Callable[[], None]) -> None:
        """Own one socket from its first message to its end; ``abort`` cuts its connection."""
        self._strangers += 1
        try:
            admitted = await self._admitted(socket)
        finally:
            self._strangers -= 1
        if admitted:
            await self._serve(Client(socket, abort, self._clock))

    async def close(self) -> None:
        """Tell every client that the server ends."""
        closing = [c.socket.close(code=1001, message=b"server ends") for c in self.clients]
        await asyncio.gather(*closing, return_exceptions=True)

    def show(self, state: str) -> None:
        """Send the state to everybody, also to those who come later."""
        self._state = state
        for client in self.clients:
            client.show(state)

    def note(self, message: dict[str, Any], *, operator_only: bool = False) -> None:
        """Send one message to the operator or to everybody."""
        for client in self.clients:
            if client is self.operator or not operator_only:
                client.note(**message)

    def knows(self, token: str) -> bool:
        """Compare a token in constant time; a wrong one is counted."""
        known = hmac.compare_digest(token.encode(), self._token)
        self.counters.refused_tokens += not known
        return known

    def refuse(self, client: Client) -> None:
        """Tell a watcher that only the operator can do that."""
        text = "Only the operator can do that: take the controls first."
        client.note(t="notice", level="warn", text=text)

    async def _admitted(self, socket: web.WebSocketResponse) -> bool:
        try:
            async with asyncio.timeout(_HELLO_SECONDS):
                first = await socket.receive()
        except TimeoutError:
            await socket.close(code=NO_HELLO, message=b"no hello")
            return False
        if first.type != WSMsgType.TEXT:
            await socket.close(code=BAD_MESSAGES, message=b"the first message must be a hello")
            return False
        if not self._says_token(first.data):
            await socket.close(code=WRONG_TOKEN, message=b"wrong token")
            return False
        return True

    def _says_token(self, text: str) -> bool:
        try:
            message = self._parse(text)
        except HiorsError:
            message = None
        return self.knows(message.token if isinstance(message, Hello) else "")

    def _parse(self, text: str) -> Any:
        return parse(text, self._readers, self._settings.max_bytes)

    async def _serve(self, client: Client) -> None:
        self.clients.append(client)
        writer = asyncio.create_task(client.write())
        self._tell_roles()
        self.welcome(client)
        if self._state:
            client.show(self._state)
        try:
            async for message in client.socket:
                text = message.data if message.type == WSMsgType.TEXT else None
                if not await self._receive(client, text):
                    break
        finally:
            writer.cancel()
            self.clients.remove(client)
            self._leave(client)
            self._tell_roles()

    async def _receive(self, client: Client, text: str | None) -> bool:
        """Take one message; return False when the client has to go."""
        try:
            if text is None:
                raise HiorsError("Binary messages are not allowed")
            if not client.within_rate():
                raise HiorsError(f"At most {_RATE:.0f} messages a second")
            message = self._parse(text)
        except HiorsError as error:
            return await self._malformed(client, str(error))
        if isinstance(message, Claim):
            self._claim(client, message.name)
        elif isinstance(message, Leave):
            self._leave(client)
            self._tell_roles()
        else:
            self.take(client, message)
        return True

    async def _malformed(self, client: Client, why: str) -> bool:
        client.malformed += 1
        self.counters.malformed += 1
        if client.malformed < self._settings.max_malformed:
            client.note(t="refused", text=why)
            return True
        self.counters.dropped_clients += 1
        await client.socket.close(code=BAD_MESSAGES, message=b"too many malformed messages")
        return False

    def _claim(self, client: Client, name: str) -> None:
        if self.operator is None:
            self.operator, client.name = client, name
            self.operator_changed(name)
        elif self.operator is not client:
            holder = self.operator.name
            client.note(t="notice", level="warn", text=f"{holder} is the operator. You watch.")
        self._tell_roles()

    def _leave(self, client: Client) -> None:
        if client is self.operator:
            self.operator = None
            self.operator_changed(None)

    def _tell_roles(self) -> None:
        name = self.operator.name if self.operator else ""
        for client in self.clients:
            mine = client is self.operator
            client.note(t="role", mine=mine, name=name, clients=len(self.clients))
