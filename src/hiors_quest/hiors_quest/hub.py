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
from typing import Any, Protocol

from aiohttp import WSMsgType, web

from hiors_core.clock import Clock, to_s
from hiors_core.errors import HiorsError
from hiors_quest.protocol import Claim, End, Hello, Leave, Message, Press, parse
from hiors_quest.values import Action, Frame

WRONG_TOKEN, BAD_MESSAGES, NO_HELLO = 4401, 4400, 4408
_HELLO_SECONDS = 5.0
_SEND_SECONDS = 2.0
_MAX_STRANGERS = 16
_RATE = 300.0
"""Messages a second that one client may send; a headset sends up to 120."""
_BURST = 2.0 * _RATE
"""Messages at once: what a headset's socket may hold back during a gap of the network."""


class Handler(Protocol):
    """What the hub tells its owner, in the server's thread."""

    def on_operator(self, name: str | None) -> None:
        """A person became the operator, or the operator is gone (None)."""

    def on_frame(self, frame: Frame) -> None:
        """The operator's headset sent a frame."""

    def on_end(self) -> None:
        """The operator left AR."""

    def on_press(self, action: Action, name: str) -> None:
        """A button of the page; STOP comes from anybody, the others from the operator."""


@dataclass(slots=True)
class Counters:
    """What went wrong since the start."""

    refused_tokens: int = 0
    malformed: int = 0
    dropped_clients: int = 0


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
        self._image: bytes | None = None
        self._notes: deque[str] = deque(maxlen=16)
        self._ready = asyncio.Event()

    def within_rate(self) -> bool:
        """Count one message; tell whether the client keeps to the rate."""
        now = self._clock.now()
        refill = _RATE * to_s(now - self._counted)
        self._budget = min(_BURST, self._budget + refill) - 1.0
        self._counted = now
        return self._budget >= 0.0

    def show(self, state: str) -> None:
        """Send this state, instead of an older one that still waits."""
        self._state = state
        self._ready.set()

    def show_image(self, jpeg: bytes) -> None:
        """Send this image, instead of an older one that still waits."""
        self._image = jpeg
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
        if (image := self._image) is not None:
            self._image = None
            await self.socket.send_bytes(image)


class Hub:
    """The connected pages, at most one of them the operator's."""

    def __init__(
        self, handler: Handler, token: str, max_malformed: int, max_clients: int, clock: Clock
    ) -> None:
        self._handler = handler
        self._token = token.encode()
        self._max_malformed = max_malformed
        self._max_clients = max_clients
        self._clock = clock
        self._strangers = 0
        self._clients: list[Client] = []
        self._operator: Client | None = None
        self._in_ar = False
        self._state = ""
        self.counters = Counters()

    @property
    def viewers(self) -> int:
        """How many pages can show a camera image: all but that of a person in AR."""
        return len(self._clients) - (1 if self._in_ar else 0)

    @property
    def full(self) -> bool:
        """Whether another connection must be refused."""
        return len(self._clients) >= self._max_clients or self._strangers >= _MAX_STRANGERS

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
        closing = [c.socket.close(code=1001, message=b"server ends") for c in self._clients]
        await asyncio.gather(*closing, return_exceptions=True)

    def show(self, state: str) -> None:
        """Send the state to everybody, also to those who come later."""
        self._state = state
        self._each(lambda client: client.show(state))

    def show_image(self, jpeg: bytes) -> None:
        """Send the camera image to everybody but the person in AR."""
        for client in self._clients:
            if not (self._in_ar and client is self._operator):
                client.show_image(jpeg)

    def note(self, message: dict[str, Any], *, operator_only: bool = False) -> None:
        """Send one message to the operator or to everybody."""
        for client in self._clients:
            if client is self._operator or not operator_only:
                client.note(**message)

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
        if not self._knows_token(first.data):
            self.counters.refused_tokens += 1
            await socket.close(code=WRONG_TOKEN, message=b"wrong token")
            return False
        return True

    def _knows_token(self, text: str) -> bool:
        try:
            message = parse(text)
        except HiorsError:
            return False
        given = message.token.encode() if isinstance(message, Hello) else b""
        return hmac.compare_digest(given, self._token)

    async def _serve(self, client: Client) -> None:
        self._clients.append(client)
        writer = asyncio.create_task(client.write())
        self._tell_roles()
        if self._state:
            client.show(self._state)
        try:
            async for message in client.socket:
                text = message.data if message.type == WSMsgType.TEXT else None
                if not await self._receive(client, text):
                    break
        finally:
            writer.cancel()
            self._clients.remove(client)
            self._leave(client)
            self._tell_roles()

    async def _receive(self, client: Client, text: str | None) -> bool:
        """Take one message; return False when the client has to go."""
        try:
            if text is None:
                raise HiorsError("Binary messages are not allowed")
            if not client.within_rate():
                raise HiorsError(f"At most {_RATE:.0f} messages a second")
            message = parse(text)
        except HiorsError as error:
            return await self._malformed(client, str(error))
        self._take(client, message)
        return True

    async def _malformed(self, client: Client, why: str) -> bool:
        client.malformed += 1
        self.counters.malformed += 1
        if client.malformed < self._max_malformed:
            client.note(t="refused", text=why)
            return True
        self.counters.dropped_clients += 1
        await client.socket.close(code=BAD_MESSAGES, message=b"too many malformed messages")
        return False

    def _take(self, client: Client, message: Message) -> None:
        if isinstance(message, Claim):
            self._claim(client, message.name)
        elif isinstance(message, Press):
            self._press(client, message.action)
        elif client is not self._operator:
            return
        elif isinstance(message, Frame):
            self._in_ar = True
            self._handler.on_frame(message)
        elif isinstance(message, End):
            self._in_ar = False
            self._handler.on_end()
        elif isinstance(message, Leave):
            self._leave(client)
            self._tell_roles()

    def _claim(self, client: Client, name: str) -> None:
        if self._operator is None:
            self._operator, client.name = client, name
            self._handler.on_operator(name)
        elif self._operator is not client:
            holder = self._operator.name
            client.note(t="notice", level="warn", text=f"{holder} is the operator. You watch.")
        self._tell_roles()

    def _press(self, client: Client, action: Action) -> None:
        if client is self._operator or action is Action.STOP:
            self._handler.on_press(action, client.name or "watcher")
        else:
            text = "Only the operator can do that: take the controls first."
            client.note(t="notice", level="warn", text=text)

    def _leave(self, client: Client) -> None:
        if client is self._operator:
            self._operator, self._in_ar = None, False
            self._handler.on_operator(None)

    def _tell_roles(self) -> None:
        name = self._operator.name if self._operator else ""
        for client in self._clients:
            mine = client is self._operator
            client.note(t="role", mine=mine, name=name, clients=len(self._clients))

    def _each(self, action: Callable[[Client], None]) -> None:
        for client in self._clients:
            action(client)
