# SPDX-License-Identifier: Apache-2.0
"""The server of the console: the page, its socket, and what it fetches. Knows no ROS."""

import asyncio
import secrets
from collections.abc import Callable
from typing import Any

from aiohttp import web

from hiors_console.hub import ConsoleHub, Handler
from hiors_console.protocol import MAX_BYTES
from hiors_console.records import Records
from hiors_core.clock import Clock
from hiors_core.errors import HiorsError
from hiors_seat.web.hub import HubSettings
from hiors_seat.web.server import ServerSettings, Site, WebServer


class ConsoleServer(WebServer):
    """Serves the console. Every public method may be called from any thread."""

    def __init__(
        self, settings: ServerSettings, handler: Handler, records: Records, clock: Clock
    ) -> None:
        token = secrets.token_urlsafe(12)
        limits = HubSettings(
            token=token,
            max_bytes=MAX_BYTES,
            max_malformed=settings.max_malformed,
            max_clients=settings.max_clients,
        )
        self._consoles = ConsoleHub(limits, handler, clock)
        self._records = records
        routes = {
            "/api/curves": self._curves,
            "/api/episodes/{id}": self._episode,
            "/api/episodes/{id}/thumbnail.jpg": self._thumbnail,
            "/api/episodes/{id}/frames/{camera}": self._frames,
        }
        site = Site(package="hiors_console", routes=routes, max_bytes=MAX_BYTES)
        super().__init__(settings, site, self._consoles, token)

    @property
    def pages(self) -> int:
        """How many pages are open."""
        return len(self._consoles.clients)

    @property
    def watched(self) -> bool:
        """Whether any page wants images."""
        return self._consoles.watched

    def show_image(self, number: int, camera: str, jpeg: bytes) -> None:
        """Send a camera's image, its number first, to every page that watches."""
        data = bytes([number]) + jpeg
        self.call(lambda: self._consoles.show_image(camera, data))

    def greet(self, *messages: dict[str, Any]) -> None:
        """Send these now, and to every page that opens later."""

        def tell() -> None:
            self._consoles.greetings = list(messages)
            for message in messages:
                self._consoles.note(message)

        self.call(tell)

    async def _curves(self, request: web.Request) -> web.Response:
        return web.json_response(await self._read(request, self._records.curves))

    async def _episode(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        found = await self._read(request, lambda: self._records.episode(name))
        return web.json_response(found)

    async def _thumbnail(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        jpeg = await self._read(request, lambda: self._records.thumbnail(name))
        if jpeg is None:
            raise web.HTTPNotFound(text="The episode holds no image.")
        return web.Response(body=jpeg, content_type="image/jpeg")

    async def _frames(self, request: web.Request) -> web.Response:
        name, camera = request.match_info["id"], request.match_info["camera"]
        data = await self._read(request, lambda: self._records.frames(name, camera))
        return web.Response(body=data, content_type="application/octet-stream")

    async def _read(self, request: web.Request, read: Callable[[], Any]) -> Any:
        """Read in a thread for a page that knows the token; what cannot be read is a 404."""
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not given.isascii() or not self._consoles.knows(given):
            raise web.HTTPUnauthorized(text="Wrong token.")
        try:
            return await asyncio.get_running_loop().run_in_executor(None, read)
        except (HiorsError, OSError) as error:
            raise web.HTTPNotFound(text=str(error)) from error
