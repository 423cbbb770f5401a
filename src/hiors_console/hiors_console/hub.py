# SPDX-License-Identifier: Apache-2.0
"""What the messages of the console's page do. Lives in the server's event loop only."""

from typing import Any, Protocol

from hiors_console.protocol import READERS, DriveWish, LabelWish, Watch
from hiors_core.clock import Clock
from hiors_seat.actions import LABELS, Action
from hiors_seat.web.hub import Client, Hub, HubSettings
from hiors_seat.web.messages import Press


class Handler(Protocol):
    """What the hub tells its owner, in the server's thread."""

    def on_operator(self, name: str | None) -> None:
        """A person took the controls, or the operator is gone (None)."""

    def on_press(self, action: Action, name: str) -> None:
        """A button of the page; STOP comes from anybody, the others from the operator."""

    def on_label(self, wish: LabelWish) -> None:
        """A judgement, from any page."""

    def on_drive(self, wish: DriveWish) -> None:
        """The operator's keys or sticks."""


class ConsoleHub(Hub):
    """The open consoles. Everybody watches, labels and stops; the operator drives."""

    def __init__(self, settings: HubSettings, handler: Handler, clock: Clock) -> None:
        super().__init__(settings, READERS, clock)
        self._handler = handler
        self._watching: dict[Client, float] = {}
        self.greetings: list[dict[str, Any]] = []

    @property
    def watched(self) -> bool:
        """Whether any page wants images."""
        return any(client in self.clients for client in tuple(self._watching))

    def show_image(self, camera: str, data: bytes) -> None:
        """Send an image to the pages that watch, each at its own rate."""
        for client in self.clients:
            if client in self._watching:
                client.show_image(data, camera)
        self._watching = {c: r for c, r in self._watching.items() if c in self.clients}

    def welcome(self, client: Client) -> None:
        """Tell a new page what only changes now and then."""
        for message in self.greetings:
            client.note(**message)

    def operator_changed(self, name: str | None) -> None:
        """Tell the owner."""
        self._handler.on_operator(name)

    def take(self, client: Client, message: Any) -> None:
        """Act on a button, a judgement, keys, or the wish for images."""
        if isinstance(message, Watch):
            self._watch(client, message.rate)
        elif isinstance(message, LabelWish):
            self._handler.on_label(message)
        elif isinstance(message, Press):
            self._press(client, message.action)
        elif isinstance(message, DriveWish) and client is self.operator:
            self._handler.on_drive(message)

    def _watch(self, client: Client, rate: float) -> None:
        self._watching.pop(client, None)
        if rate > 0:
            client.limit_images(rate)
            self._watching[client] = rate

    def _press(self, client: Client, action: Action) -> None:
        free = action is Action.STOP or action in LABELS
        if client is self.operator or free:
            self._handler.on_press(action, client.name or "watcher")
        else:
            self.refuse(client)
