# SPDX-License-Identifier: Apache-2.0
"""A page and its socket on one port, in a thread of their own. Knows no ROS.

The page holds no secret and is open to everybody who reaches the port; the socket opens with the
token only.
"""

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from hiors_core.errors import HiorsError, InvalidValue
from hiors_seat.web.certificate import addresses, fingerprint, lan_address, tls_context
from hiors_seat.web.hub import Counters, Hub

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Server": "hiors",
}
_KINDS = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
_START_SECONDS = 20.0
_STOP_SECONDS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Where the server listens and what it puts up with.

    Attributes:
        host: address to bind; anything but loopback needs ``tls``. port: 0 takes a free one.
        state_dir: folder of the certificate and its key.
        max_malformed: messages of one client until it is dropped. max_clients: open sockets.
    """

    host: str
    port: int
    tls: bool
    state_dir: Path
    max_malformed: int = 20
    max_clients: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What an application serves.

    Attributes:
        package, folder: where the page's files are, beside those that all pages share;
            index.html is also served as "/".
        routes: further GET paths; their handlers check the token by themselves.
        headers: in place of, or beside, those of every answer.
        max_bytes: longest message of a client.
    """

    package: str
    folder: str = "web"
    routes: Mapping[str, Callable[[web.Request], Any]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    max_bytes: int = 4096


class WebServer:
    """Serves the page and the socket. Every public method may be called from any thread."""

    def __init__(self, settings: ServerSettings, site: Site, hub: Hub, token: str) -> None:
        if not settings.tls and not _is_loopback(settings.host):
            raise InvalidValue(
                f"tls:=false is only for a loopback address (127.0.0.1), not '{settings.host}': "
                "anybody on the network could read the token. Set tls:=true."
            )
        self._settings = settings
        self._site = site
        self._hub = hub
        self._token = token
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="web_server", daemon=True)
        self._started = threading.Event()
        self._stopping = asyncio.Event()
        self._error: Exception | None = None
        self.port = settings.port

    @property
    def url(self) -> str:
        """The address to open, token included."""
        host = self._settings.host
        shown = lan_address() if host in ("0.0.0.0", "::") else host
        shown = "localhost" if _is_loopback(shown) else shown
        scheme = "https" if self._settings.tls else "http"
        return f"{scheme}://{f'[{shown}]' if ':' in shown else shown}:{self.port}/#{self._token}"

    @property
    def fingerprint(self) -> str:
        """The certificate's SHA-256, or an empty string without TLS."""
        return fingerprint(self._settings.state_dir) if self._settings.tls else ""

    @property
    def counters(self) -> Counters:
        """What clients did wrong since the start."""
        return self._hub.counters

    def start(self) -> None:
        """Bind and serve; raises HiorsError when that is not possible."""
        self._thread.start()
        self._started.wait(_START_SECONDS)
        if self._error is not None:
            self._thread.join(_STOP_SECONDS)
            raise self._error

    def stop(self) -> None:
        """Close every client and end the thread."""
        self.call(self._stopping.set)
        self._thread.join(_STOP_SECONDS)

    def show(self, state: dict[str, Any]) -> None:
        """Send the robot's state to every page."""
        text = json.dumps({"t": "state", **state})
        self.call(lambda: self._hub.show(text))

    def notice(self, level: str, text: str) -> None:
        """Show one line ("info", "warn" or "error") on every page."""
        self.note({"t": "notice", "level": level, "text": text})

    def note(self, message: dict[str, Any], *, operator_only: bool = False) -> None:
        """Send one message to the operator or to everybody."""
        self.call(lambda: self._hub.note(message, operator_only=operator_only))

    def call(self, function: Callable[[], None]) -> None:
        """Run a function in the server's thread."""
        with contextlib.suppress(RuntimeError):  # the loop has just ended
            if self._loop is not None:
                self._loop.call_soon_threadsafe(function)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except HiorsError as error:
            self._error = error
        except OSError as error:
            where = f"{self._settings.host}:{self._settings.port}"
            self._error = HiorsError(f"Cannot serve the page on {where}: {error}")
        finally:
            self._started.set()

    async def _serve(self) -> None:
        s = self._settings
        self._loop = asyncio.get_running_loop()
        context = tls_context(s.state_dir, addresses(s.host)) if s.tls else None
        runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            site = web.TCPSite(runner, s.host, s.port, ssl_context=context, backlog=16)
            await site.start()
            self.port = runner.addresses[0][1]
            self._started.set()
            await self._stopping.wait()
            await self._hub.close()
        finally:
            await _close(runner)

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=self._site.max_bytes)
        for path, body, kind in _pages(self._site):
            app.router.add_get(path, _static(body, kind))
        for path, handler in self._site.routes.items():
            app.router.add_get(path, handler)
        app.router.add_get("/ws", self._socket)
        app.on_response_prepare.append(self._add_headers)
        return app

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != request.host:
            raise web.HTTPForbidden(text="The page of another site cannot use this socket.")
        if self._hub.full:
            raise web.HTTPServiceUnavailable(text="Too many clients.")
        socket = web.WebSocketResponse(
            max_msg_size=self._site.max_bytes, compress=False, heartbeat=2.0, timeout=1.0
        )
        await socket.prepare(request)
        transport = request.transport
        await self._hub.serve(socket, transport.abort if transport else lambda: None)
        return socket

    async def _add_headers(self, _: web.Request, response: web.StreamResponse) -> None:
        response.headers.update({**_HEADERS, **self._site.headers})


def _pages(site: Site) -> Iterable[tuple[str, bytes, str]]:
    for folder in (files("hiors_seat") / "page", files(site.package) / site.folder):
        for entry in folder.iterdir():
            kind = _KINDS.get(Path(entry.name).suffix)
            if kind is not None:
                body = entry.read_bytes()
                yield f"/{entry.name}", body, kind
                if entry.name == "index.html":
                    yield "/", body, kind


async def _close(runner: web.AppRunner) -> None:
    """End the runner; a peer that does not answer the TLS goodbye is cut off."""
    connections = runner.server.connections if runner.server else []
    transports = [c.transport for c in connections if c.transport is not None]
    await runner.cleanup()
    for transport in transports:
        # A TLS transport that is gone already has nothing to abort; Python 3.11.2 trips over it.
        with contextlib.suppress(AttributeError):
            transport.abort()
    await asyncio.sleep(0)


def _static(body: bytes, kind: str) -> Callable[[web.Request], Any]:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type=kind, charset="utf-8")

    return handler


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
