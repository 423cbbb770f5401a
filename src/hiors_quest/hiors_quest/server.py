# SPDX-License-Identifier: Apache-2.0
"""The server of the WebXR page: what it adds to the one that every page has. Knows no ROS."""

import secrets

from hiors_core.clock import Clock
from hiors_quest.hub import Handler, QuestHub
from hiors_quest.protocol import MAX_BYTES
from hiors_seat.web.hub import HubSettings
from hiors_seat.web.server import ServerSettings, Site, WebServer

_PERMISSIONS = "xr-spatial-tracking=(self), camera=(), microphone=(), geolocation=()"


class QuestServer(WebServer):
    """Serves the page and the socket. Every public method may be called from any thread."""

    def __init__(self, settings: ServerSettings, handler: Handler, clock: Clock) -> None:
        token = secrets.token_urlsafe(12)
        limits = HubSettings(
            token=token,
            max_bytes=MAX_BYTES,
            max_malformed=settings.max_malformed,
            max_clients=settings.max_clients,
        )
        self._quests = QuestHub(limits, handler, clock)
        headers = {"Permissions-Policy": _PERMISSIONS}
        site = Site(package="hiors_quest", headers=headers, max_bytes=MAX_BYTES)
        super().__init__(settings, site, self._quests, token)

    @property
    def viewers(self) -> int:
        """How many pages can show a camera image now."""
        return self._quests.viewers

    def show_image(self, jpeg: bytes) -> None:
        """Send a camera image to every page that can show it."""
        self.call(lambda: self._quests.show_image(jpeg))

    def pulse(self, strength: float, milliseconds: int, times: int = 1) -> None:
        """Let the operator's controllers vibrate; strength 0 .. 1."""
        message = {"t": "pulse", "strength": strength, "ms": milliseconds, "times": times}
        self.note(message, operator_only=True)
